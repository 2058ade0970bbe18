"""The file that says who lives is written again when it could not be: nobody may change for days."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from aforo.app import supervisor
from aforo.app.supervisor import _System


def test_a_full_disk_that_gets_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def write(_: _System) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(supervisor, "ENDPOINTS_AGAIN_S", 0.001)
    monkeypatch.setattr(_System, "_write_endpoints", write)
    system = _System.__new__(_System)
    file = tmp_path / "endpoints.json"
    file.touch()
    system._layout = SimpleNamespace(endpoints=file)  # type: ignore[assignment]

    async def run() -> None:
        system._tell_endpoints()
        await asyncio.sleep(0.1)

    asyncio.run(run())
    assert len(tries) == 3
