"""What is looked at now and then goes on, whatever fails of it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from aforo.app import housekeeping
from aforo.app.housekeeping import BEATS_A_SECOND, SELDOM_BEATS, Housekeeping


def test_each_has_its_time_and_none_ends_the_others(caplog: pytest.LogCaptureFixture) -> None:
    seen: Counter[str] = Counter()

    def fails() -> None:
        seen["fails"] += 1
        raise OSError("no descriptor is left")

    house = Housekeeping(
        (fails, lambda: seen.update(["often"])),
        (fails, lambda: seen.update(["second"])),
        (lambda: seen.update(["seldom"]),),
    )
    for _ in range(SELDOM_BEATS):
        house.beat()
    assert seen == {
        "often": SELDOM_BEATS,
        "second": SELDOM_BEATS // BEATS_A_SECOND,
        "seldom": 1,
        "fails": SELDOM_BEATS + SELDOM_BEATS // BEATS_A_SECOND,
    }
    assert "no descriptor is left" in caplog.text


def test_it_runs_until_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BEAT_S", 0.0)
    beats = 0

    def look() -> None:
        nonlocal beats
        beats += 1

    async def tell() -> None:
        running = asyncio.create_task(Housekeeping((look,), (), ()).run())
        while beats < 5:  # noqa: ASYNC110 - what is tried makes them
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(tell())
