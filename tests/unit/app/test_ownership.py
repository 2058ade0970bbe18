"""One system per data directory; a later one waits for the processes of an earlier one."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from aforo.app import ownership
from aforo.app.ownership import owned
from aforo.errors import Conflict, Unavailable
from aforo.settings import Layout


def test_a_second_owner_is_refused_and_a_later_one_is_not(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    with owned(layout), pytest.raises(Conflict, match="in use by another system"), owned(layout):
        pass
    with owned(layout):
        pass


def test_folders_are_private(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    with owned(layout):
        for path in (layout.root, *layout.root.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0, path


def orphan(layout: Layout) -> int:
    """What a process keeps whose supervisor was killed: the lock on a descriptor of its own."""
    layout.run.mkdir(parents=True)
    kept = os.open(layout.run / "processes.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(kept, fcntl.LOCK_EX)
    return kept


def test_processes_of_an_earlier_system_are_waited_for(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    kept = orphan(layout)
    came_in = threading.Event()

    def later() -> None:
        with owned(layout):
            came_in.set()

    waiting = threading.Thread(target=later)
    waiting.start()
    assert not came_in.wait(0.2)
    os.close(kept)
    assert came_in.wait(10)
    waiting.join()


def test_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "ORPHANS_S", 0.1)
    layout = Layout(tmp_path / "data")
    kept = orphan(layout)
    with pytest.raises(Conflict, match="do not end"), owned(layout):
        pass
    os.close(kept)
    # Whoever was refused has kept nothing.
    with owned(layout):
        pass


def test_a_place_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"file/data cannot be used: .*Not a directory"):
        owned(Layout(tmp_path / "file" / "data")).__enter__()
