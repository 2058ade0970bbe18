"""`python -m aforo.app ROLE`: one process of a system that a supervisor started."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from pathlib import Path

from aforo.app.last_words import prepare
from aforo.app.spec import Mistake, Said, read_spec, say, take_voice
from aforo.errors import Refusal, Unavailable

ROLES = ("gateway", "control", "account", "shipper")

log = logging.getLogger("aforo.app")


def main() -> int:
    """Run the role that was named until the supervisor says stop; the exit code."""
    role = sys.argv[1]
    if role not in ROLES:
        sys.stderr.write(f"no such role: {role}\n")
        return 2
    take_voice()
    prepare("warning")
    os.umask(0o077)
    # What is loaded stays: the collector would walk it several times and find nothing (a fifth of the time).
    gc.disable()
    # First the libraries, then what to do with them: the supervisor prepares that meanwhile.
    process = importlib.import_module(f"aforo.app.{role}_process")
    gc.freeze()
    gc.enable()
    spec = read_spec()
    if spec is None:
        return 0
    logging.getLogger().setLevel(spec.log_level.upper())
    try:
        process.main(spec)
    except Refusal as refusal:
        return _refused(refusal)
    except OSError as error:
        if not _is_of_data(error, spec.data):
            raise
        log.exception("the data directory does not serve")
        return _refused(Unavailable(f"{error.filename or spec.data}: {error.strerror or error}"))
    return 0


def _refused(refusal: Refusal) -> int:
    """What it is that cannot be, in one sentence; the log has it too."""
    mistakes = tuple(Mistake(d.code, d.message, d.target) for d in refusal.details)
    log.error("%s", refusal.message)
    for mistake in mistakes:
        log.error("%s: %s", mistake.target, mistake.message)
    say(Said(failed=refusal.message, mistakes=mistakes))
    return 1


def _is_of_data(error: OSError, data: str) -> bool:
    """Whether it was a file of ours, or writing without a name (a full disk says none)."""
    if error.filename is None:
        return type(error) is OSError
    return Path(data) in Path(os.fsdecode(error.filename)).absolute().parents


if __name__ == "__main__":
    sys.exit(main())
