"""What large bodies have left is given back to the machine, and nothing is done where there were none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aforo.app.heap import WORTH_BYTES, Heap
from aforo.gateway.crowd import Room

# Pieces as sockets read them, with something small above them that stays.
LEFT_BEHIND = """
from pathlib import Path
from aforo.app.heap import WORTH_BYTES, Heap

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

pieces = [bytes(200_000) for _ in range(1_000)]
above = [bytes(200_000), bytes(1_000)]
del pieces
before = resident()
assert Heap(lambda: WORTH_BYTES).sweep()
assert resident() < before / 2, (before, resident())
"""


def test_nothing_is_done_where_little_was_held() -> None:
    asked = []

    def held() -> int:
        asked.append(1)
        return WORTH_BYTES - 1

    assert not Heap(held).sweep()
    assert asked


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is asked to give memory back")
def test_what_bodies_have_left_goes_back() -> None:
    environment = {"MALLOC_MMAP_THRESHOLD_": str(320 * 1024), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", LEFT_BEHIND],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_room_knows_the_most_that_was_held() -> None:
    room = Room(100)
    assert room.most_held() == 0
    assert room.take(60)
    assert not room.take(50)
    room.give_back(40)
    assert room.most_held() == 60
    assert room.most_held() == 20  # still
    room.give_back(20)
    assert room.most_held() == 20
    assert room.most_held() == 0
