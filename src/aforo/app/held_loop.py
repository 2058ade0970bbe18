"""Says which policy holds a gateway's loop. Expressions have budgets of their own; what slips through them is named here.

A timer of the operating system, set anew by the housekeeping: it goes off only when that could not run. No thread.
"""

from __future__ import annotations

import logging
import signal
from types import FrameType

log = logging.getLogger("aforo.gateway")

LIMIT_S = 0.5


class HeldLoop:
    """`beat` again and again from the loop; `limit_s` without one, and what runs just then is told in the log.

    For the main thread of a process that has no other use for SIGALRM.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        signal.signal(signal.SIGALRM, self._tell)

    def beat(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, self._limit_s)

    def end(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _tell(self, _signal: int, frame: FrameType | None) -> None:
        held_by = _policy_on(frame)
        # Without a policy on the stack the machine was busy with others, or the process was stopped for a while.
        if held_by:
            log.error("the loop has been held for %g s by the policy %s", self._limit_s, held_by)


def _policy_on(frame: FrameType | None) -> str:
    """The policy whose generated code is running, which carries the author's file and line; "" for none."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("fragment:") or (name.endswith(".xml") and not name.startswith("/")):
            return f"{name}, line {frame.f_lineno}"
        frame = frame.f_back
    return ""
