"""A folder of this machine: Azure's `PT1H.json`, one file an hour, lines appended. Each line exactly once.

Before a batch is written, the sizes of its files are noted; when it comes again, they are cut back to that first.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from aforo.logs.delivery.outbox import Batch
from aforo.private_files import private_directory, write_private

_NOTE = ".writing.json"


class _Note(msgspec.Struct, frozen=True):
    number: int
    sizes: dict[str, int]


class Folder:
    """Writes below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = private_directory(root)

    def deliver(self, batch: Batch) -> None:
        """See `destination.Place`."""
        names = {f"{part.folder}/PT1H.json": part for part in batch.parts}
        sizes = self._sizes(batch.positions.number, list(names))
        for name, part in names.items():
            path = self._root / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
                file.truncate(sizes[name])
                file.seek(sizes[name])
                file.writelines(part.lines)
                file.flush()
                os.fsync(file.fileno())

    def close(self) -> None:
        """Nothing is open between batches."""

    def _sizes(self, number: int, names: list[str]) -> dict[str, int]:
        """How large the files were before this batch was first tried."""
        note = self._root / _NOTE
        try:
            known = msgspec.json.decode(note.read_bytes(), type=_Note)
        except (FileNotFoundError, msgspec.MsgspecError):
            known = _Note(-1, {})
        if known.number != number or known.sizes.keys() != set(names):
            known = _Note(number, {name: _size(self._root / name) for name in names})
            write_private(note, msgspec.json.encode(known))
        return known.sizes


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
