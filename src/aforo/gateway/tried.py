"""What a call remembers of its way through the backends (route.py fills it). It knows no call."""

from __future__ import annotations

from aforo.gateway.breakers import Guard
from aforo.spool.records import Attempt, PassedOver


class Route:
    """The attempts that have come to something, who was passed over, and how the session's cookie fared."""

    __slots__ = ("affinity", "cookie", "guard", "passed", "tried")

    def __init__(self) -> None:
        self.tried: list[Attempt] = []
        self.passed: list[PassedOver] = []
        self.affinity = ""  # of a pool with session affinity: new, kept, moved
        self.cookie = b""  # to be set on the answer
        self.guard: Guard | None = None  # of the backend that has answered, until its answer has come whole
