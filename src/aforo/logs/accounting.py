"""Whether a spool adds up: accepted = stored + pending, each counted by itself, beside a running writer and shipper.

It changes nothing. `accepted` is what the segments' heads say, `stored` what the shipper noted, `pending` the frames that
are read behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from aforo.logs.intake import State, load_state
from aforo.spool import frame
from aforo.spool.reader import SpoolReader
from aforo.spool.records import KIND_CALL, CallRecord

# The shipper moves on several times a second, and a count takes milliseconds.
_TRIES = 50
_CALL = msgspec.msgpack.Decoder(CallRecord)


@dataclass(frozen=True, slots=True)
class Account:
    """The frames of one spool at one moment. `oldest_ns`: when the first call that has no row yet ended, 0 without one.

    What follows a begun call that is under way is pending with it, though its own rows are there.
    """

    folder: str
    accepted: int
    stored: int
    pending: int
    lost: int  # of the pending ones: their bytes are damaged
    oldest_ns: int

    @property
    def adds_up(self) -> bool:
        return self.accepted == self.stored + self.pending


def account_of(folder: Path) -> Account | None:
    """The account of a spool folder; None where no writer has opened it yet. Unavailable: of a later version."""
    for _ in range(_TRIES):
        before = load_state(folder)
        account = _count(folder, before)
        if account is None or (account.adds_up and load_state(folder) == before):
            break
    return account


def _count(folder: Path, noted: State) -> Account | None:
    reader = SpoolReader(folder)
    try:
        if not reader.spool_id:
            return None
        known = noted.spool == reader.spool_id
        after = noted.stored if known else 0
        reached = max(after, noted.reached) if known else 0
        reader.seek(after)
        pending = lost = oldest_ns = 0
        last = after
        while frames := reader.read():
            for found in frames:
                if found.sequence <= last:
                    continue  # a context that a segment begins with
                if frame.session_of(found.sequence) == frame.session_of(last):
                    lost += found.sequence - last - 1
                pending += 1
                last = found.sequence
                if not oldest_ns and found.kind == KIND_CALL and found.sequence > reached:
                    oldest_ns = _ended(found.payload)
        # Up to the last frame that was read: what is accepted meanwhile is not of this account.
        accepted = reader.count(last)
        return Account(folder.name, accepted, reader.count(after), pending + lost, lost, oldest_ns)
    finally:
        reader.close()


def _ended(payload: bytes) -> int:
    try:
        return _CALL.decode(payload).ended_ns
    except msgspec.MsgspecError:
        return 0
