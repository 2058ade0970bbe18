"""`python -m aforo.app.counters_exec PROGRAM OPTION...`: becomes the program, which ends with its parent where the system
can see to that (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Never comes back."""
    parent = os.getppid()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    os.umask(0o077)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - the supervisor names it


if __name__ == "__main__":
    main()
