"""How a call waits: inline while it can, in a task when it must, and cancelled in both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aforo.gateway.signal import Signal, Steps
from tests.support.gateway import until

Ended = list[BaseException | None]


def start(coroutine: Coroutine[Any, Any, None]) -> tuple[Steps[str], Ended]:
    ended: Ended = []

    def on_end(subject: str, error: BaseException | None) -> None:
        assert subject == "call"
        ended.append(error)

    steps = Steps(coroutine, on_end, "call")
    steps.run()
    return steps, ended


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 10))


def test_without_waiting_it_ends_at_once_and_needs_no_loop() -> None:
    async def work() -> None:
        return

    assert start(work())[1] == [None]


def test_a_signal_goes_on_inside_set_without_a_loop() -> None:
    first, second = Signal(), Signal()
    done: list[int] = []

    async def work() -> None:
        await first
        await first  # set once, set for ever
        done.append(1)
        await second
        done.append(2)

    _, ended = start(work())
    first.set()
    assert (done, ended) == ([1], [])
    second.set()
    assert (done, ended) == ([1, 2], [None])


def test_an_error_is_handed_over() -> None:
    signal = Signal()

    async def work() -> None:
        await signal
        raise ValueError("x")

    _, ended = start(work())
    signal.set()
    assert [type(e) for e in ended] == [ValueError]


@pytest.mark.parametrize("awaits", ["sleep", "future", "task"])
def test_what_asyncio_awaits_goes_on_in_a_task(awaits: str) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        signal = Signal()
        seen: list[bool] = []

        async def work() -> None:
            if awaits == "sleep":
                await asyncio.sleep(0)
            elif awaits == "future":
                future = loop.create_future()
                loop.call_soon(future.set_result, 7)
                assert await future == 7
            else:
                assert await loop.create_task(asyncio.sleep(0, 7)) == 7
            seen.append(asyncio.current_task() is not None)
            async with asyncio.timeout(5):
                await signal
            seen.append(True)

        _, ended = start(work())
        assert ended == []
        await until(lambda: seen)
        assert seen == [True]
        signal.set()
        await until(lambda: ended)
        assert (seen, ended) == ([True, True], [None])

    run(story)


def test_errors_go_through_the_task_both_ways() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        caught: list[str] = []

        async def work() -> None:
            future = loop.create_future()
            loop.call_soon(future.set_exception, KeyError("inner"))
            try:
                await future
            except KeyError as error:
                caught.append(str(error))
            raise ValueError("outer")

        _, ended = start(work())
        await until(lambda: ended)
        assert caught == ["'inner'"]
        assert [type(e) for e in ended] == [ValueError]

    run(story)


def test_cancel_inline_runs_the_cleaning_up() -> None:
    signal = Signal()
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await signal
        except asyncio.CancelledError:
            cleaned.append("yes")
            raise

    steps, ended = start(work())
    steps.cancel()
    assert cleaned == ["yes"]
    assert [type(e) for e in ended] == [asyncio.CancelledError]
    signal.set()  # nobody is woken any more
    steps.cancel()
    assert len(ended) == 1


def test_cancel_in_a_task_on_a_future_and_on_a_signal() -> None:
    async def story() -> None:
        for waits in ("future", "signal"):
            signal = Signal()
            cleaned: list[str] = []

            async def work(waits: str = waits, signal: Signal = signal, cleaned: list[str] = cleaned) -> None:
                await asyncio.sleep(0)
                cleaned.append("waits")
                try:
                    await (signal if waits == "signal" else asyncio.get_running_loop().create_future())
                except asyncio.CancelledError:
                    cleaned.append("cleaned")
                    raise

            steps, ended = start(work())
            await until(cleaned.copy)
            await asyncio.sleep(0)
            steps.cancel()
            await until(ended.copy)
            assert cleaned == ["waits", "cleaned"]
            assert [type(e) for e in ended] == [asyncio.CancelledError]
            signal.set()

    run(story)


def test_who_swallows_the_cancellation_still_ends() -> None:
    signal = Signal()

    async def swallow() -> None:
        try:
            await signal
        except asyncio.CancelledError:
            return

    async def linger() -> None:
        try:
            await signal
        except asyncio.CancelledError:
            await Signal()

    for work, wanted in ((swallow, asyncio.CancelledError), (linger, RuntimeError)):
        steps, ended = start(work())
        steps.cancel()
        assert [type(e) for e in ended] == [wanted]


def test_a_finished_call_cannot_be_cancelled() -> None:
    async def work() -> None:
        return

    steps, ended = start(work())
    steps.cancel()
    assert ended == [None]
