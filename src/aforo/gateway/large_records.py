"""Records with large bodies: no body is copied for them, and the largest are written in slices between the turns of the
loop, beside the segments of the spool, while the ends of their answers wait. What stands in a record is record.py's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from aforo.errors import Refusal, Unavailable
from aforo.gateway.call import Call
from aforo.gateway.record import LargeSpool, Recorder
from aforo.gateway.writing import Writing
from aforo.spool.aside import Aside
from aforo.spool.parts import body_bytes, parts_of
from aforo.spool.records import KIND_BEGIN, KIND_CALL, AmendRecord, BeginRecord, CallRecord

log = logging.getLogger("aforo.gateway")

# Bodies of a record, together: below this one encode is cheapest, ...
APART_BYTES: Final = 256 * 1024
# ... and from this on the loop would be held for milliseconds. Each such record begins a segment.
ASIDE_BYTES: Final = 2 * 1024 * 1024


class LargeRecorder(Recorder):
    """The recorder of a configuration for calls with large bodies. What it cannot write at once stands in
    `call.writing` afterwards, and its `record` says False until then."""

    __slots__ = ("_door", "_queue")

    def __init__(self, of: Recorder) -> None:
        for name in Recorder.__slots__:
            setattr(self, name, getattr(of, name, None))
        self.large = self
        self._door = _Door(of.segments)
        self.spool = self._door
        self._queue: deque[tuple[Aside, Writing, Call, Callable[[Call], None]]] = deque()

    def record(self, call: Call) -> bool:
        taken = super().record(call)
        aside = self._door.begun()
        if aside is None:
            return taken
        call.writing = self._write(aside, call, self._lose)
        return False

    def begin(self, call: Call) -> Writing | None:
        super().begin(call)
        aside = self._door.begun()
        return None if aside is None else self._write(aside, call, _begun_unwritten)

    # -- slices ------------------------------------------------------------------------------------

    def _write(self, aside: Aside, call: Call, lose: Callable[[Call], None]) -> Writing:
        writing = Writing()
        self._queue.append((aside, writing, call, lose))
        if len(self._queue) == 1:
            asyncio.get_running_loop().call_soon(self._turn)
        return writing

    def _turn(self) -> None:
        """One slice, of the one that came first: whoever is beside them waits for no more than that."""
        aside, writing, call, lose = self._queue[0]
        try:
            if not aside.step():
                asyncio.get_running_loop().call_soon(self._turn)
                return
            self._door.spool.publish(aside)
            writing.taken = True
        except Refusal as refusal:
            log.error("the record of a call was dropped: %s", refusal)
            lose(call)
            writing.taken = call.log.on_full == "count"
        except Exception:
            # As in `record`: a bug of ours, and the client's answer must not fall with it.
            log.exception("bug: the record of a call could not be written")
            lose(call)
            writing.taken = True
        self._queue.popleft()
        if self._queue:
            asyncio.get_running_loop().call_soon(self._turn)
        if writing.abandoned and writing.taken:
            self.amend(call.call_id, "client")
        writing.set()


def _begun_unwritten(_call: Call) -> None:
    """A begin is no record that could be lost; the call goes on, or is refused (`Recorder.begin`)."""


class _Door:
    """A spool that begins what is too large to be written at once."""

    def __init__(self, spool: LargeSpool) -> None:
        self.spool = spool
        self._begun: Aside | None = None

    def begun(self) -> Aside | None:
        """What was begun since this was last asked."""
        begun, self._begun = self._begun, None
        return begun

    def append_call(self, record: CallRecord) -> int:
        size = body_bytes(record)
        return self.spool.append_call(record) if size < APART_BYTES else self._append(KIND_CALL, record, size)

    def append_begin(self, record: BeginRecord) -> int:
        size = body_bytes(record.call)
        return (
            self.spool.append_begin(record) if size < APART_BYTES else self._append(KIND_BEGIN, record, size)
        )

    def _append(self, kind: int, record: CallRecord | BeginRecord, size: int) -> int:
        parts = parts_of(record)
        if size >= ASIDE_BYTES:
            try:
                self._begun = self.spool.begin_aside(kind, parts)
            except Unavailable:
                pass  # the segments may have room yet that is reserved
            else:
                return 0
        return self.spool.append_parts(kind, parts)

    def append_amend(self, record: AmendRecord) -> int:
        return self.spool.append_amend(record)

    def has_room(self) -> bool:
        return self.spool.has_room()
