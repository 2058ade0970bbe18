"""`python -m aforo.app ROLE`: one process of a system that a supervisor started."""

from __future__ import annotations

import importlib
import logging
import os
import sys

from aforo.app.spec import read_spec

ROLES = ("gateway", "control", "account", "shipper")


def main() -> int:
    """Run the role that was named until the supervisor says stop; the exit code."""
    role = sys.argv[1]
    if role not in ROLES:
        sys.stderr.write(f"no such role: {role}\n")
        return 2
    spec = read_spec()
    os.umask(0o077)
    logging.basicConfig(
        level=spec.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    process = importlib.import_module(f"aforo.app.{role}_process")
    process.main(spec)
    return 0


if __name__ == "__main__":
    sys.exit(main())
