"""One spool as the shipper sees it: frames decoded in order, and how far each has got. It writes no table.

`stored`: every frame up to it has all its rows in the tables. That number is kept beside the spool only to save
work after a restart; what counts is what the tables themselves say.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from aforo.logs.project import Context
from aforo.spool import frame
from aforo.spool.frame import Frame
from aforo.spool.reader import SpoolReader
from aforo.spool.records import (
    KIND_AMEND,
    KIND_BEGIN,
    KIND_CALL,
    KIND_CONTEXT,
    KIND_ROWS,
    AmendRecord,
    BeginRecord,
    CallRecord,
    ContextRecord,
    RowsRecord,
)

log = logging.getLogger("aforo.logs")

_STATE = "stored.json"
_REFUSED = "refused.frames"

_CALL = msgspec.msgpack.Decoder(CallRecord)
_CONTEXT = msgspec.msgpack.Decoder(ContextRecord)
_ROWS = msgspec.msgpack.Decoder(RowsRecord)
_BEGIN = msgspec.msgpack.Decoder(BeginRecord)
_AMEND = msgspec.msgpack.Decoder(AmendRecord)


class State(msgspec.Struct, frozen=True):
    """What the shipper notes beside a spool: lower bounds, for the spool of that id; what it met since its start."""

    spool: str
    stored: int
    minutes: int
    damaged: int = 0
    refused: int = 0
    # Up to here all is stored but the ends of begun calls that are under way; `stored` waits for those.
    reached: int = 0


def load_state(folder: Path) -> State:
    """The note in a folder; one that says nothing where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / _STATE).read_bytes(), type=State)
    except FileNotFoundError:
        pass
    except (OSError, msgspec.MsgspecError):
        log.warning("spool %s: %s cannot be read; the tables are asked instead", folder, _STATE)
    return State("", 0, 0)


class TakenCall(msgspec.Struct, frozen=True):
    """A call with the sequence of its frame and the bytes that it took."""

    sequence: int
    call: CallRecord
    context: Context
    size_bytes: int

    def aborted(self, by: str) -> TakenCall:
        """The same call, as one that did not come to its end."""
        call = msgspec.structs.replace(self.call, aborted=by)
        return TakenCall(self.sequence, call, self.context, self.size_bytes)


class TakenRows(msgspec.Struct, frozen=True):
    sequence: int
    record: RowsRecord
    size_bytes: int


class TakenAmend(msgspec.Struct, frozen=True):
    sequence: int
    record: AmendRecord


Taken = TakenCall | TakenRows | TakenAmend


@dataclass(frozen=True, slots=True)
class Taking:
    """What one look into a spool gave: `frames` of all kinds, in which `items` are to become rows."""

    frames: int
    size_bytes: int
    items: list[Taken]
    unreadable: list[tuple[Frame, str]]


class Intake:
    """Frames of one spool folder, with the contexts and the begun calls that they refer to."""

    def __init__(self, folder: Path, writer: Path | None = None) -> None:
        self.folder = folder
        self.reader = SpoolReader(folder, writer)
        self.stored = 0
        self.minutes = 0  # the same for the rows of AzureMetrics that are summed up per minute
        self.refused = 0
        self.contexts: dict[int, Context] = {}
        self._begun: dict[str, TakenCall] = {}
        self._session = 0
        self._saved = State("", 0, 0)
        self._id = ""

    @property
    def id(self) -> str:
        """The spool's id, "" while no writer has opened the folder yet."""
        if not self._id and self.reader.spool_id:
            self._id = self.reader.spool_id
            self._load()
        return self._id

    @property
    def position(self) -> int:
        """The sequence of the last frame that was taken."""
        return self.reader.last

    @property
    def oldest_begun(self) -> int | None:
        """The sequence of the oldest call that was begun and of which no more is known yet."""
        return min((b.sequence for b in self._begun.values()), default=None)

    def take(self, limit: int, limit_bytes: int = 16 * 1024 * 1024) -> Taking:
        """Up to `limit` further frames, no more of them once they have that many bytes. Contexts and begun calls are
        kept here."""
        frames = self.reader.read(limit, limit_bytes)
        items: list[Taken] = []
        unreadable: list[tuple[Frame, str]] = []
        for found in frames:
            try:
                taken = self._decode(found)
            except (msgspec.MsgspecError, KeyError) as error:
                unreadable.append((found, f"{type(error).__name__}: {error}"))
                continue
            if taken is not None:
                items.append(taken)
        return Taking(len(frames), sum(len(f.payload) for f in frames), items, unreadable)

    def ended(self, *, gone: bool) -> list[TakenCall]:
        """Begun calls of sessions that are over: their process died before it could write the record.

        `gone`: no process holds the spool now, so its last session is over too.
        """
        over = [
            b
            for b in self._begun.values()
            if gone or frame.session_of(b.sequence) < frame.session_of(self.reader.last)
        ]
        return sorted(over, key=lambda b: b.sequence)

    def settle(self, calls: Iterable[TakenCall]) -> None:
        """The rows of those begun calls are stored."""
        for taken in calls:
            self._begun.pop(taken.call.call_id, None)

    def refuse(self, found: Frame, reason: str) -> None:
        """Keep a frame aside that cannot become rows; nothing else waits for it."""
        if found.sequence <= self.stored:
            return
        self.refused += 1
        log.error(
            "spool %s: frame %d (kind %d, %d bytes) is put aside in %s: %s",
            self.folder,
            found.sequence,
            found.kind,
            len(found.payload),
            _REFUSED,
            reason,
        )
        path = self.folder / _REFUSED
        path.touch(mode=0o600)
        with path.open("ab") as file:
            file.write(frame.encode_head(found.sequence, found.kind, found.payload) + found.payload)

    def save(self, stored: int, minutes: int) -> None:
        """Note how far the spool is stored."""
        begun = self.oldest_begun
        self.stored = max(self.stored, stored)
        self.minutes = max(self.minutes, minutes)
        bound = min(self.stored, begun - 1) if begun else self.stored
        state = State(self.id, bound, self.minutes, self.reader.damaged, self.refused, self.stored)
        if state != self._saved:
            new = self.folder / (_STATE + ".new")
            new.touch(mode=0o600)
            new.write_bytes(msgspec.json.encode(state))
            new.rename(self.folder / _STATE)
            self._saved = state

    def _load(self) -> None:
        state = load_state(self.folder)
        if state.spool == self._id:
            self.stored, self.minutes = state.stored, state.minutes
            self.reader.seek(min(state.stored, state.minutes))

    def _decode(self, found: Frame) -> Taken | None:
        sequence, kind, payload = found
        match kind:
            case _ if kind == KIND_CALL:
                call = _CALL.decode(payload)
                if self._begun:
                    self._begun.pop(call.call_id, None)
                return TakenCall(sequence, call, self.contexts[call.context], len(payload))
            case _ if kind == KIND_ROWS:
                return TakenRows(sequence, _ROWS.decode(payload), len(payload))
            case _ if kind == KIND_CONTEXT:
                record = _CONTEXT.decode(payload)
                self.contexts[record.index] = Context.of(record)
                return None
            case _ if kind == KIND_BEGIN:
                call = _BEGIN.decode(payload).call
                begun = TakenCall(sequence, call, self.contexts[call.context], len(payload))
                self._begun[call.call_id] = begun
                return None
            case _ if kind == KIND_AMEND:
                amend = _AMEND.decode(payload)
                open_call = self._begun.pop(amend.call_id, None)
                if open_call is None:
                    return TakenAmend(sequence, amend)
                # A begun call whose own record is lost: this is all that will be known of it.
                return TakenCall(sequence, open_call.call, open_call.context, open_call.size_bytes).aborted(
                    amend.aborted
                )
            case _:
                raise KeyError(f"no frame is of kind {kind}")
