"""Work that a library puts into another thread: the thread ends with it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aforo.app.ending_threads import EndingThreads
from tests.support.gateway import story


@story
async def test_a_thread_ends_with_its_work() -> None:
    asyncio.get_running_loop().set_default_executor(EndingThreads())
    before = set(threading.enumerate())
    seen: list[threading.Thread] = []

    def work(number: int) -> int:
        seen.append(threading.current_thread())
        return number * 2

    assert await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(3))) == [0, 2, 4]
    for each in seen:
        each.join(5)
    assert len(set(seen)) == 3
    assert set(threading.enumerate()) == before

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await asyncio.to_thread(fail)
