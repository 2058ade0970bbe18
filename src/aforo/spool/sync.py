"""Making a writer's spool durable from another process: any descriptor of a file brings its pages to the disk.

It reads nothing of what the segments hold and never touches the writer's lock.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger("aforo.spool")

# A writer appends to its newest segment; the one before may hold its last bytes.
_LIVE = 2


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable; where that fails it is said, once for each time."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:
        log.exception("spool %s: the folder cannot be synced", folder)
    finally:
        os.close(descriptor)


def datasync(fd: int) -> None:
    """Bring what was written to a file onto the disk, and no more of its metadata than that takes."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


class FolderSync:
    """Syncs one spool folder. `is_dirty` is cheap; `sync` blocks until the disk has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._synced: dict[str, int] = {}  # segment -> modification time that is on the disk
        self._newest = ""  # when all was on the disk

    def is_dirty(self) -> bool:
        """Whether something was appended since the last sync."""
        return any(self._synced.get(name) != stamp for name, stamp in self._live().items())

    def sync(self) -> None:
        """Bring what was appended onto the disk; what fails is tried again with the next call."""
        live = self._live()
        if not live.keys() <= self._synced.keys():
            # The writer does not wait for the disk to have the name of a new segment.
            sync_folder(self._folder)
        for name, stamp in live.items():
            if self._synced.get(name) == stamp:
                continue
            try:
                descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                # What is appended while this runs has a later stamp and is synced next time.
                datasync(descriptor)
                self._synced[name] = stamp
            except OSError:
                log.exception(
                    "spool %s: the disk refuses to sync; a power cut may take records", self._folder
                )
            finally:
                os.close(descriptor)
        self._synced = {name: stamp for name, stamp in self._synced.items() if name in live}
        if live and live == self._synced:
            self._newest = max(live)

    def _live(self) -> dict[str, int]:
        try:
            with os.scandir(self._folder) as entries:
                names = sorted(e.name for e in entries if e.name.endswith(".seg"))
        except FileNotFoundError:
            return {}
        live = names[-_LIVE:]
        if live and self._newest and self._newest < live[0]:
            # Large records begin segments of their own: there may have been several since.
            live = [name for name in names if name >= self._newest]
        out = {}
        for name in live:
            try:
                out[name] = os.stat(self._folder / name).st_mtime_ns  # noqa: PTH116 - ten times a second
            except FileNotFoundError:
                continue
        return out
