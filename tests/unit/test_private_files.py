"""Private files: narrow modes, whole replacements, one first creator, no drafts left."""

import os
import stat
import threading
from pathlib import Path

import pytest

from aforo.private_files import private_directory, read_or_create, read_private, write_private


def test_wide_modes_are_narrowed(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    directory.mkdir(mode=0o755)
    private_directory(directory)
    path = directory / "f"
    path.write_bytes(b"x")
    path.chmod(0o644)
    assert read_private(path) == b"x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_first_creator_wins(tmp_path: Path) -> None:
    path = tmp_path / "key"
    barrier = threading.Barrier(8)
    seen: list[bytes] = []

    def create() -> None:
        barrier.wait()
        seen.append(read_or_create(path, lambda: os.urandom(16)))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(seen)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("durable", [True, False])
def test_write_private_replaces(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "f"
    write_private(path, b"one", durable=durable)
    path.chmod(0o644)
    write_private(path, b"two", durable=durable)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_replacement_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.mkdir()
    with pytest.raises(OSError, match="f"):
        write_private(path, b"one")
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
