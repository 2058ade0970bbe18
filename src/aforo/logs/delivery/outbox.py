"""Batches that were decided and are not delivered yet, one file each, with the positions in the spools that they reach.

A batch is there as a whole or not at all; it goes when it is delivered. So after a kill the same bytes are delivered
again under the same number, and nothing else is. It knows no destination.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from pathlib import Path

import msgspec

from aforo.private_files import private_directory, write_private

log = logging.getLogger("aforo.logs")

_POSITIONS = "positions.json"
_SUFFIX = ".batch"


class Part(msgspec.Struct, array_like=True, frozen=True):
    """Records of one category and hour: the folder by Azure's names, and lines. For tables: rows, and no folder."""

    category: str
    folder: str
    lines: list[bytes]


class Positions(msgspec.Struct, frozen=True):
    """By spool: `taken` is the last sequence that is in a batch; what `read` from again after a start (a call that was
    begun and has not ended stands there). `frames` counts those up to `taken`, `skipped` those that were given up before
    they could be read, `number` batches, `records` what was delivered. Up to `minutes` calls are in metrics that were
    decided. Up to `broken` begun calls that nobody ended were delivered as such. `writer` is this outbox's own name: with it a number of a batch is unique, whoever else delivers there."""

    number: int = 0
    taken: dict[str, int] = {}
    read: dict[str, int] = {}
    records: int = 0
    frames: dict[str, int] = {}
    skipped: int = 0
    minutes: dict[str, int] = {}
    writer: str = ""
    broken: dict[str, int] = {}


class Batch(msgspec.Struct, frozen=True):
    positions: Positions
    parts: list[Part]

    @property
    def records(self) -> int:
        return sum(len(part.lines) for part in self.parts)


_DECODER = msgspec.msgpack.Decoder(Batch)


class Outbox:
    """The batches of one destination in one folder, which is this outbox's alone: it is looked through once. A place may
    be away so long that thousands wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_directory(folder)
        self.delivered = self._load()
        # Those that wait, the oldest first: numbers, and sizes in bytes.
        self._waiting = deque(self._found())
        self._size = sum(size for _, size in self._waiting)
        if not self.delivered.writer:
            # Also where the positions were lost: the numbers of batches begin anew then.
            self._save(msgspec.structs.replace(self.delivered, writer=secrets.token_hex(4)))
        self.decided = self.delivered
        if self._waiting:
            number, _ = self._waiting[-1]
            self.decided = _DECODER.decode(self._file(number).read_bytes()).positions

    @property
    def writer(self) -> str:
        """The name that it gives to batches, for places that several write to."""
        return self.delivered.writer

    def waiting(self) -> int:
        """How many batches."""
        return len(self._waiting)

    def size(self) -> int:
        """Bytes that wait."""
        return self._size

    def put(self, positions: Positions, parts: list[Part]) -> None:
        """Decide on a batch. Without records only the positions move."""
        if parts or self._waiting:
            data = msgspec.msgpack.encode(Batch(positions, parts))
            write_private(self._file(positions.number), data)
            self._waiting.append((positions.number, len(data)))
            self._size += len(data)
        else:
            self._save(positions)
        self.decided = positions

    def first(self) -> Batch | None:
        """The oldest that waits."""
        while self._waiting:
            number, _ = self._waiting[0]
            try:
                return _DECODER.decode(self._file(number).read_bytes())
            except FileNotFoundError:
                log.error("%s has been taken away before it was delivered", self._file(number))
                self._leave()
        return None

    def done(self, batch: Batch) -> None:
        """It is delivered."""
        count = self.delivered.records + batch.records
        self._save(msgspec.structs.replace(batch.positions, records=count))
        if self._waiting and self._waiting[0][0] == batch.positions.number:
            self._leave()
        self._file(batch.positions.number).unlink(missing_ok=True)

    def _leave(self) -> None:
        _, size = self._waiting.popleft()
        self._size -= size

    def _save(self, positions: Positions) -> None:
        positions = msgspec.structs.replace(
            positions,
            records=max(positions.records, self.delivered.records),
            writer=self.delivered.writer or positions.writer,
        )
        write_private(self._folder / _POSITIONS, msgspec.json.encode(positions))
        self.delivered = positions

    def _load(self) -> Positions:
        try:
            found = msgspec.json.decode((self._folder / _POSITIONS).read_bytes(), type=Positions)
        except FileNotFoundError:
            return Positions()
        except msgspec.MsgspecError:
            log.exception("%s cannot be read; delivery begins anew", self._folder)
            return Positions()
        # Killed behind the note and before the file went.
        for number, _ in self._found():
            if number <= found.number:
                self._file(number).unlink(missing_ok=True)
        return found

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:016d}{_SUFFIX}"

    def _found(self) -> list[tuple[int, int]]:
        """Numbers and sizes of the batches in the folder, in their order."""
        return sorted((int(p.stem), p.stat().st_size) for p in self._folder.iterdir() if p.suffix == _SUFFIX)
