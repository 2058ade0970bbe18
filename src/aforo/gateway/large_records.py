"""Records with large bodies: no body is copied for them, the largest are written in slices between the turns of the loop,
beside the segments of the spool, and what is to be masked of them is masked in a thread that ends; the ends of their answers
wait for that. What stands in a record is record.py's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aforo.errors import Refusal, Unavailable
from aforo.gateway.call import Call
from aforo.gateway.record import LargeSpool, Recorder
from aforo.gateway.writing import Writing
from aforo.snapshot.snapshot import MaskPlan
from aforo.spool.aside import Aside
from aforo.spool.parts import body_bytes, parts_of
from aforo.spool.records import KIND_BEGIN, KIND_CALL, AmendRecord, BeginRecord, CallRecord

if TYPE_CHECKING:
    from aforo.gateway.masking.masker import Masker

log = logging.getLogger("aforo.gateway")

# Bodies of a record, together: below this one encode is cheapest, ...
APART_BYTES: Final = 256 * 1024
# ... and from this on the loop would be held for milliseconds. Each such record begins a segment.
ASIDE_BYTES: Final = 2 * 1024 * 1024


class LargeRecorder(Recorder):
    """The recorder of a configuration for calls with large bodies. What it cannot write at once stands in
    `call.writing` afterwards, and its `record` says False until then."""

    __slots__ = ("_aside_maskers", "_door", "_queue")

    def __init__(self, of: Recorder) -> None:
        for name in Recorder.__slots__:
            setattr(self, name, getattr(of, name, None))
        self.large = self
        self._door = _Door(of.segments)
        self.spool = self._door
        self._queue: deque[_Begun] = deque()
        self._aside_maskers: dict[MaskPlan, Masker] = {}  # of the thread

    def record(self, call: Call) -> bool:
        taken = super().record(call)
        begun = self._door.take()
        if begun is None:
            return taken
        call.writing = self._write(begun, call, self._lose)
        return False

    def begin(self, call: Call) -> Writing | None:
        super().begin(call)
        begun = self._door.take()
        return None if begun is None else self._write(begun, call, _begun_unwritten)

    def _masked(self, plan: MaskPlan, record: CallRecord) -> CallRecord:
        """A large record goes to the door as it is, with what must become of it before it may be written down."""
        if body_bytes(record) < APART_BYTES:
            return super()._masked(plan, record)
        self._door.plan = plan
        return record

    # -- slices ------------------------------------------------------------------------------------

    def _write(self, begun: _Begun, call: Call, lose: Callable[[Call], None]) -> Writing:
        begun.call, begun.lose = call, lose
        self._queue.append(begun)
        if len(self._queue) == 1:
            asyncio.get_running_loop().call_soon(self._turn)
        return begun.writing

    def _turn(self) -> None:
        """One slice, of the one that came first: whoever is beside them waits for no more than that."""
        begun = self._queue[0]
        call, writing = begun.call, begun.writing
        try:
            if begun.plan is not None:
                self._mask_aside(begun, begun.plan)
                return
            if begun.failed is not None:
                raise RuntimeError("a record could not be masked") from begun.failed
            if begun.aside is None:
                begun.aside = self._door.begin(begun.kind, begun.record)
            if begun.aside is not None:
                if not begun.aside.step():
                    asyncio.get_running_loop().call_soon(self._turn)
                    return
                self._door.spool.publish(begun.aside)
            writing.taken = True
        except Refusal as refusal:
            log.error("the record of a call was dropped: %s", refusal)
            begun.lose(call)
            writing.taken = call.log.on_full == "count"
        except Exception:
            # As in `record`: a bug of ours, and the client's answer must not fall with it.
            log.exception("bug: the record of a call could not be written")
            begun.lose(call)
            writing.taken = True
        self._queue.popleft()
        if self._queue:
            asyncio.get_running_loop().call_soon(self._turn)
        if writing.abandoned and writing.taken:
            self.amend(call.call_id, "client")
        writing.set()

    def _mask_aside(self, begun: _Begun, plan: MaskPlan) -> None:
        """Detectors take up to a quarter of a second for a side of a call; the interpreter lets the loop run meanwhile."""
        loop = asyncio.get_running_loop()
        masker = self._aside_maskers.get(plan)
        if masker is None:
            from aforo.gateway.masking.masker import Masker

            # By the thread's own time: what the loop takes meanwhile is not to be masked as a whole for that.
            masker = self._aside_maskers[plan] = Masker(plan, self._marks, time.thread_time)

        def work() -> None:
            try:
                begun.record = masker.mask(begun.record)
            except BaseException as error:  # noqa: BLE001 - told by the turn that follows, and nothing is written
                begun.failed = error
            begun.plan = None
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._turn)

        threading.Thread(target=work, name="masking", daemon=True).start()


class _Begun:
    """A record on its way: `plan` as long as it is not masked, `aside` once it is being written."""

    __slots__ = ("aside", "call", "failed", "kind", "lose", "plan", "record", "writing")

    call: Call
    lose: Callable[[Call], None]

    def __init__(self, kind: int, record: CallRecord, plan: MaskPlan | None, aside: Aside | None) -> None:
        self.kind = kind
        self.record = record
        self.plan = plan
        self.aside = aside
        self.failed: BaseException | None = None
        self.writing = Writing()


def _begun_unwritten(_call: Call) -> None:
    """A begin is no record that could be lost; the call goes on, or is refused (`Recorder.begin`)."""


class _Door:
    """A spool that begins what is too large to be written at once, or has to be masked before."""

    def __init__(self, spool: LargeSpool) -> None:
        self.spool = spool
        self.plan: MaskPlan | None = None  # of the record that is given next
        self._begun: _Begun | None = None

    def take(self) -> _Begun | None:
        """What was begun since this was last asked."""
        self.plan = None
        begun, self._begun = self._begun, None
        return begun

    def append_call(self, record: CallRecord) -> int:
        if body_bytes(record) < APART_BYTES:
            return self.spool.append_call(record)
        return self._append(KIND_CALL, record)

    def append_begin(self, record: BeginRecord) -> int:
        if body_bytes(record.call) < APART_BYTES:
            return self.spool.append_begin(record)
        return self._append(KIND_BEGIN, record.call)

    def _append(self, kind: int, record: CallRecord) -> int:
        plan = self.plan
        aside = self.begin(kind, record) if plan is None else None
        if plan is not None or aside is not None:
            self._begun = _Begun(kind, record, plan, aside)
        return 0

    def begin(self, kind: int, record: CallRecord) -> Aside | None:
        """Begin it beside the segments; None: it is written. Unavailable: there is no room."""
        parts = parts_of(BeginRecord(record) if kind == KIND_BEGIN else record)
        if body_bytes(record) >= ASIDE_BYTES:
            try:
                return self.spool.begin_aside(kind, parts)
            except Unavailable:
                pass  # the segments may have room yet that is reserved
        self.spool.append_parts(kind, parts)
        return None

    def append_amend(self, record: AmendRecord) -> int:
        return self.spool.append_amend(record)

    def has_room(self) -> bool:
        return self.spool.has_room()
