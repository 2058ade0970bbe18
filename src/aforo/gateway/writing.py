"""A record that takes a while to be written, and the answer that waits for it. It knows no spool and no record."""

from __future__ import annotations

from aforo.gateway.signal import Signal


class Writing(Signal):
    """Set at the end of it. `taken`: the call may end well, with its record or (`spoolFull: count`) without."""

    __slots__ = ("abandoned", "taken")

    def __init__(self) -> None:
        super().__init__()
        self.taken = False
        self.abandoned = False  # the client left meanwhile: the record does not know it
