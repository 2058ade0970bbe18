"""Spools are brought to the disk from outside, whoever writes them, until somebody says stop."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from aforo.app import spool_sync
from aforo.spool.records import KIND_ROWS
from aforo.spool.sync import FolderSync
from aforo.spool.writer import SpoolWriter
from tests.support.gateway import until


def test_what_is_appended_is_synced_also_in_a_folder_that_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_sync, "INTERVAL_S", 0.001)
    synced: list[str] = []
    sync = FolderSync.sync

    def spy(self: FolderSync) -> None:
        sync(self)
        synced.append(self._folder.name)

    monkeypatch.setattr(FolderSync, "sync", spy)
    (tmp_path / "a file").write_bytes(b"not a spool")

    async def tell() -> None:
        running = asyncio.ensure_future(spool_sync.run(tmp_path))
        for name in ("gateway-0", "account"):
            with SpoolWriter(tmp_path / name, sync_interval_s=0) as spool:
                folder = FolderSync(tmp_path / name)
                await until(lambda name=name: name in synced)
                for _ in range(3):
                    seen = synced.count(name)
                    spool.append(KIND_ROWS, b"rows")
                    await until(lambda name=name, seen=seen: synced.count(name) > seen)
                assert folder.is_dirty()
        assert not running.done()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(tell())
    assert [p.name for p in sorted(spool_sync.writers(tmp_path))] == ["account", "gateway-0"]
