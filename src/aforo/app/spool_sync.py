"""Bringing the spools to the disk, from outside the processes that write them (docs/decisions/0061-spools-are-synced-from-outside.md).

A thread in the gateway would do it too, but a second Python thread costs every call of the first one 20 to 40 us of
CPU (measured); a file can be synced through anybody's descriptor.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from aforo.spool.sync import FolderSync

log = logging.getLogger("aforo.supervisor")

INTERVAL_S = 0.1


async def run(spool_root: Path) -> None:
    """Sync what was appended, every 100 ms, until cancelled."""
    folders: dict[Path, FolderSync] = {}
    told = ""
    while True:
        try:
            for path in writers(spool_root):
                if path not in folders:
                    folders[path] = FolderSync(path)
            dirty = [folder for folder in folders.values() if folder.is_dirty()]
            if dirty:
                await asyncio.to_thread(_sync, dirty)
            told = ""
        except OSError as error:
            # Tried again: what is recorded meanwhile is safe from a kill, not from a power cut.
            if str(error) != told:
                told = str(error)
                log.error("spools cannot be brought to the disk: %s", told)
        await asyncio.sleep(INTERVAL_S)


def writers(spool_root: Path) -> list[Path]:
    """The folders of the writers there are."""
    return [path for path in spool_root.iterdir() if path.is_dir()]


def _sync(folders: list[FolderSync]) -> None:
    for folder in folders:
        folder.sync()
