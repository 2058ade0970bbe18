"""Segments of spools that destinations still need: hard links beside the spools, within a bound. It decodes no record.

The spool itself is given back as soon as the tables have it, so that a destination that is away never fills the spool;
what its links take in all is bounded, and what goes for that is counted by whoever missed it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from aforo.private_files import private_directory
from aforo.spool.reader import SpoolReader
from aforo.spool.recover import load_identity, segments

log = logging.getLogger("aforo.logs")

MOST_BYTES = 2 * 1024**3


class Held:
    """`root/<spool id>/` has links of the segments of `spools/<writer>/`. Threads may share it."""

    def __init__(self, root: Path, spools: Path, most_bytes: int = MOST_BYTES) -> None:
        self._root = private_directory(root)
        self._spools = spools
        self._most = most_bytes
        self._lock = threading.Lock()
        self._writers: dict[str, Path] = {}

    def keep(self, folder: Path, spool: str) -> None:
        """Link the segments of one spool; to be called before any of them is deleted."""
        with self._lock:
            self._writers[spool] = folder
            mine = private_directory(self._root / spool)
            for segment in segments(folder):
                try:
                    os.link(segment, mine / segment.name)
                except FileExistsError:
                    continue
                except FileNotFoundError:
                    continue  # given back meanwhile: by somebody who had it linked before

    def refresh(self) -> None:
        """Link what is new in all spools."""
        for folder in (
            sorted(p for p in self._spools.iterdir() if p.is_dir()) if self._spools.is_dir() else ()
        ):
            identity = load_identity(folder)
            if identity is not None:
                self.keep(folder, identity.spool)

    def spools(self) -> list[tuple[str, Path, Path]]:
        """(id, folder of links, folder of the writer) of each."""
        return [(p.name, p, self._writers.get(p.name, p)) for p in sorted(self._root.iterdir()) if p.is_dir()]

    def release(self, positions: Iterable[dict[str, int]]) -> None:
        """Give back what all destinations have taken, and of the rest the oldest beyond the bound."""
        known = list(positions)
        with self._lock:
            for spool, folder, writer in self.spools():
                upto = min((p.get(spool, 0) for p in known), default=0)
                reader = SpoolReader(folder, writer)
                if known and upto:
                    reader.discard(upto)
                live = {s.name for s in segments(writer)} if writer != folder else set()
                if not live and known and upto and reader.count(upto) >= reader.accepted():
                    self._remove(folder)
            self._bound()

    def drop(self) -> None:
        """Nothing is delivered anywhere: nothing is held."""
        with self._lock:
            for _, folder, _ in self.spools():
                self._remove(folder)

    @staticmethod
    def _remove(folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()

    def _bound(self) -> None:
        """Only what the spool does not have itself counts: the others are links of the same bytes."""
        kept = []
        for _, folder, writer in self.spools():
            live = {s.name for s in segments(writer)} if writer != folder else set()
            kept += [
                (s.stat().st_mtime_ns, s.stat().st_size, s) for s in segments(folder) if s.name not in live
            ]
        total = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if total <= self._most:
                break
            total -= size
            path.unlink(missing_ok=True)
            log.error("%s is given up: more than %d bytes wait for destinations", path, self._most)
