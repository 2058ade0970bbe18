"""The journal of counters: what a process that was killed had counted is counted still."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aforo.gateway import counter_journal
from aforo.gateway.counter_journal import CounterJournal
from aforo.gateway.counters import MemoryCounters
from aforo.policy.services import Counter, Reservation

LIMIT, WINDOW_S = 40, 3600


def fresh(path: Path, clock: Callable[[], float]) -> tuple[MemoryCounters, CounterJournal]:
    counters = MemoryCounters(clock)
    journal = CounterJournal(path)
    journal.restore(counters)
    return counters, journal


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["reserve", "hold", "charge", "settle", "release", "kill", "compact"]),
            st.integers(0, 12),
            st.integers(0, 400),
            st.integers(0, 5),
        ),
        max_size=40,
    ),
    sliding=st.booleans(),
)
def test_counters_that_are_killed_go_on_as_if_they_had_not_been(
    tmp_path: Path, steps: list[tuple[str, int, int, int]], sliding: bool
) -> None:
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    now = 1_000_000.0

    def clock() -> float:
        return now

    async def tell() -> None:
        nonlocal now
        lasting = MemoryCounters(clock)
        killed, journal = fresh(path, clock)
        held: list[tuple[Reservation, Reservation]] = []
        for what, amount, passed, which in steps:
            now += passed
            if what in ("reserve", "hold"):
                for_s = 300.0 if what == "hold" else 0.0
                a, b = [
                    await c.reserve(
                        Counter("k", LIMIT, WINDOW_S, "sliding" if sliding else "fixed"), amount, held_s=for_s
                    )
                    for c in (lasting, killed)
                ]
                assert (a.admitted, a.remaining) == (b.admitted, b.remaining)
                if a.reservation is not None and b.reservation is not None:
                    held.append((a.reservation, b.reservation))
            elif what == "charge":
                for c in (lasting, killed):
                    await c.charge(Counter("k", LIMIT, WINDOW_S, "sliding" if sliding else "fixed"), amount)
            elif what == "kill":
                # Whoever held something is gone with it: it comes back when its time is over.
                held.clear()
                journal.close()
                killed, journal = fresh(path, clock)
            elif what == "compact":
                journal.compact(killed)
            elif held:
                one, other = held.pop(which % len(held))
                if what == "settle":
                    await lasting.settle(one, amount)
                    await killed.settle(other, amount)
                else:
                    await lasting.release(one)
                    await killed.release(other)
            a, b = [
                await c.peek(Counter("k", LIMIT, WINDOW_S, "sliding" if sliding else "fixed"))
                for c in (lasting, killed)
            ]
            assert a == b
        journal.close()

    asyncio.run(tell())


PROGRAM = """
import asyncio, os, sys, time
from pathlib import Path
from aforo.gateway.counter_journal import CounterJournal
from aforo.gateway.counters import MemoryCounters
from aforo.policy.services import Counter

async def main():
    counters = MemoryCounters(time.time)
    CounterJournal(Path(sys.argv[1])).restore(counters)
    while True:
        await counters.reserve(Counter("k", 10**9, 86400), 1)
        os.write(1, b".")

asyncio.run(main())
"""


def test_a_kill_loses_nothing_that_was_admitted(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    admitted = 0
    while admitted < 2_000:
        some = os.read(process.stdout.fileno(), 4096)
        assert some, "the program is gone"
        admitted += len(some)
    process.send_signal(signal.SIGKILL)
    admitted += len(process.stdout.read())
    process.wait()
    process.stdout.close()
    counters, journal = fresh(path, time.time)
    state = asyncio.run(counters.peek(Counter("k", 10**9, 86_400)))
    # One more may have been counted than its caller heard of; never one less.
    assert 10**9 - state.remaining - admitted in (0, 1)
    journal.close()


def test_short_windows_and_buckets_cost_no_line(tmp_path: Path) -> None:
    counters, journal = fresh(tmp_path / "journal", lambda: 1e6)

    async def tell() -> None:
        await counters.reserve(Counter("k", LIMIT, 60, "sliding"), 1)
        await counters.reserve(Counter("k", LIMIT, 60, "bucket"), 1)

    asyncio.run(tell())
    assert (tmp_path / "journal").read_bytes() == b""
    journal.close()


def test_a_journal_is_made_anew_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_journal, "_SMALLEST", 2_000)
    path = tmp_path / "journal"
    counters, journal = fresh(path, lambda: 1e6)

    async def tell() -> None:
        for _ in range(200):
            await counters.reserve(Counter("k", 1000, WINDOW_S, "sliding"), 1)

    asyncio.run(tell())
    assert path.stat().st_size > 2_000
    journal.beat(counters)
    assert path.stat().st_size < 200
    assert (path.stat().st_mode & 0o777) == 0o600
    asyncio.run(tell())
    journal.close()
    again, journal = fresh(path, lambda: 1e6)
    assert asyncio.run(again.peek(Counter("k", 1000, WINDOW_S, "sliding"))).remaining == 600
    journal.close()


def test_a_journal_says_nothing_of_who_was_counted(tmp_path: Path) -> None:
    """Keys are what policies make of a call: an address, a mail, a credential."""
    path = tmp_path / "journal"
    who = "rate-limit-by-key:canary@example.com:3600"
    clear, journal = fresh(path, lambda: 1e6)
    asyncio.run(clear.reserve(Counter(who, LIMIT, WINDOW_S, "sliding"), 3))
    assert b"canary" in path.read_bytes()  # as earlier versions wrote it
    journal.close()
    for taken in (3, 5):
        counters, journal = MemoryCounters(lambda: 1e6, namespace="/services/one"), CounterJournal(path)
        journal.restore(counters)
        assert b"canary" not in path.read_bytes()
        state = asyncio.run(counters.reserve(Counter(who, LIMIT, WINDOW_S, "sliding"), 2, held_s=60.0))
        assert state.remaining == LIMIT - taken - 2
        assert state.reservation is not None
        asyncio.run(counters.settle(state.reservation, 2))
        asyncio.run(counters.charge(Counter(f"short of {who}", LIMIT, 10, "sliding"), 1))
        journal.close()
    journal = CounterJournal(path)
    journal.restore(counters)
    journal.hand_over(counters)
    journal.close()
    assert b"canary" not in path.read_bytes()
    assert {len(name.key) for name in counters.windows} == {33}


def test_a_tail_that_was_being_written_and_a_damaged_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    counters, journal = fresh(path, lambda: 1e6)
    asyncio.run(counters.reserve(Counter("k", LIMIT, WINDOW_S, "sliding"), 3))
    journal.close()
    whole = path.read_bytes()
    for tail in (b'["t",0,1000', b"\xff\xff\n", b'["t",77,1e6,5]\n', b"[]\n"):
        path.write_bytes(whole + tail)
        again, journal = fresh(path, lambda: 1e6)
        assert asyncio.run(again.peek(Counter("k", LIMIT, WINDOW_S, "sliding"))).remaining == LIMIT - 3
        journal.close()


def test_a_full_disk_stops_the_journal_and_not_the_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal"
    counters, journal = fresh(path, lambda: 1e6)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    async def reserve() -> bool:
        return (await counters.reserve(Counter("k", LIMIT, WINDOW_S, "sliding"), 1)).admitted

    with monkeypatch.context() as patch:
        patch.setattr(counter_journal.os, "write", full)
        assert asyncio.run(reserve())
        assert asyncio.run(reserve())
        journal.beat(counters)
    assert caplog.text.count("No space left") == 1
    journal.beat(counters)
    journal.close()
    again, journal = fresh(path, lambda: 1e6)
    assert asyncio.run(again.peek(Counter("k", LIMIT, WINDOW_S, "sliding"))).remaining == LIMIT - 2
    journal.close()


def test_two_processes_that_take_each_others_place(tmp_path: Path) -> None:
    """The second one hears what the first one counts while both live, also of short windows at its end, and keeps it."""
    first_file, second_file = tmp_path / "a", tmp_path / "b"
    now = 1e6

    async def tell() -> None:
        nonlocal now
        old, new = MemoryCounters(lambda: now), MemoryCounters(lambda: now)
        first = CounterJournal(first_file, second_file)
        first.restore(old)
        await old.reserve(Counter("day", LIMIT, 86_400), 5)
        await old.reserve(Counter("minute", LIMIT, 60, "sliding"), 7)
        await old.charge(Counter("tokens", LIMIT, 60, "bucket"), 30)
        second = CounterJournal(second_file, first_file)
        second.restore(new)
        await old.reserve(Counter("day", LIMIT, 86_400), 1)
        await new.reserve(Counter("day", LIMIT, 86_400), 2)
        held = await old.reserve(Counter("tokens", LIMIT, 60, "bucket"), 10, held_s=600)
        second.beat(new)
        assert (await new.peek(Counter("day", LIMIT, 86_400))).remaining == LIMIT - 8
        assert (await new.peek(Counter("minute", LIMIT, 60, "sliding"))).remaining == LIMIT
        first.hand_over(old)
        second.beat(new)
        assert (await new.peek(Counter("minute", LIMIT, 60, "sliding"))).remaining == LIMIT - 7
        assert (await new.peek(Counter("tokens", LIMIT, 60, "bucket"))).remaining == 0
        assert held.reservation is not None
        await old.settle(held.reservation, 4)
        await old.charge(Counter("minute", LIMIT, 60, "sliding"), 1)
        first.close()
        second.beat(new)
        assert (await new.peek(Counter("tokens", LIMIT, 60, "bucket"))).remaining == 6
        assert (await new.peek(Counter("minute", LIMIT, 60, "sliding"))).remaining == LIMIT - 8
        assert not first_file.exists()
        second.close()
        # And the next start, in the first one's place again.
        again = MemoryCounters(lambda: now)
        third = CounterJournal(first_file, second_file)
        third.restore(again)
        assert (await again.peek(Counter("day", LIMIT, 86_400))).remaining == LIMIT - 8
        assert not second_file.exists()
        third.close()

    asyncio.run(tell())
