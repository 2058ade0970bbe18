"""What limits cost on counters in memory, with a journal, and on a Valkey server: `python -m bench.limit_cost [operations]`.

Prints microseconds per operation, of this process's CPU and of the clock (what a call waits), in sequence and with many
calls at once, and the server's own CPU; each is the best of three rounds.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from aforo.app.counters_server import program
from aforo.app.counting import AnyAddress
from aforo.egress.valkey import Valkey
from aforo.gateway.counter_journal import CounterJournal
from aforo.gateway.counters import MemoryCounters
from aforo.gateway.signal import driven
from aforo.gateway.valkey_counters import ValkeyCounters
from aforo.gateway.valkey_leases import ValkeyLeases
from aforo.model.valkey_address import ValkeyAddress

LIMIT = 1 << 40
AT_ONCE = 64
ROUNDS = 3
Operation = Callable[[Any], Awaitable[Any]]


class Cost(NamedTuple):
    """Microseconds per operation: of our CPU, of the clock."""

    cpu_us: float
    wall_us: float


async def _rate(counters: Any) -> None:
    await counters.reserve("k", 1, LIMIT, 60, sliding=True)


async def _quota(counters: Any) -> None:
    await counters.reserve("k", 1, LIMIT, 86_400, sliding=False)


async def _bandwidth(counters: Any) -> None:
    await counters.peek("k", LIMIT, 86_400, sliding=False)
    await counters.charge("k", 700, LIMIT, 86_400, sliding=False)


async def _tokens(counters: Any) -> None:
    await counters.peek("k", LIMIT, 60, sliding=False, bucket=True)
    await counters.charge("k", 700, LIMIT, 60, sliding=False, bucket=True)


async def _reserved(counters: Any) -> None:
    state = await counters.reserve("k", 700, LIMIT, 60, sliding=False, bucket=True, held_s=3600.0)
    await counters.settle(state.reservation, 300)


OPERATIONS: tuple[tuple[str, Operation], ...] = (
    ("rate-limit (60 s, sliding)", _rate),
    ("quota, calls (a day)", _quota),
    ("quota, bandwidth: ask, charge", _bandwidth),
    ("tokens of a minute: ask, charge", _tokens),
    ("tokens: reserve, settle", _reserved),
)


async def measured(operation: Operation, counters: Any, times: int, at_once: int) -> Cost:
    """The best of some rounds."""
    best = Cost(1e9, 1e9)

    async def several() -> None:
        for _ in range(times // at_once):
            await operation(counters)

    for _ in range(ROUNDS):
        cpu, wall = _cpu_s(), time.perf_counter()
        await asyncio.gather(*(driven(several()) for _ in range(at_once)))
        done = times // at_once * at_once
        cost = Cost((_cpu_s() - cpu) / done * 1e6, (time.perf_counter() - wall) / done * 1e6)
        best = min(best, cost)
    return best


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _server_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """A server as `aforo up --workers` starts it; path of its socket, and its process."""
    path = str(folder / "s")
    options = ("--port", "0", "--unixsocket", path, "--dir", str(folder), "--save", "",
               "--appendonly", "yes", "--appendfsync", "everysec")  # fmt: skip
    process = subprocess.Popen([program(), *options], stdout=subprocess.DEVNULL)
    try:
        while not Path(path).exists():
            time.sleep(0.01)
        yield path, process.pid
    finally:
        process.kill()
        process.wait()


async def main(times: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="limit-cost-"))
    print(f"{'':34}{'memory':>9}{'journal':>9}{'Valkey, one by one':>22}{f'Valkey, {AT_ONCE} at once':>34}")
    print(
        f"{'us per call':34}{'CPU':>9}{'CPU':>9}{'CPU':>11}{'waits':>11}{'CPU':>11}{'clock':>10}{'server':>13}"
    )
    try:
        with served(folder) as (path, pid):
            server = Valkey(ValkeyAddress(path=path), AnyAddress)
            shared = ValkeyCounters(server, "bench")
            for name, operation in OPERATIONS:
                memory = MemoryCounters()
                journaled = MemoryCounters()
                journal = CounterJournal(folder / "journal")
                journal.restore(journaled)
                plain = await measured(operation, memory, times, 1)
                kept = await measured(operation, journaled, times, 1)
                journal.close()
                alone = await measured(operation, shared, times // 4, 1)
                before = _server_cpu_s(pid)
                many = await measured(operation, shared, times, AT_ONCE)
                own = (_server_cpu_s(pid) - before) / (ROUNDS * (times // AT_ONCE * AT_ONCE)) * 1e6
                print(
                    f"{name:34}{plain.cpu_us:9.1f}{kept.cpu_us:9.1f}{alone.cpu_us:11.1f}{alone.wall_us:11.1f}"
                    f"{many.cpu_us:11.1f}{many.wall_us:10.1f}{own:13.1f}"
                )
            leases = ValkeyLeases(server, "bench")

            async def place(_: Any) -> None:
                leave = await leases.enter("k", 1 << 30)
                assert leave is not None
                leave()

            alone = await measured(place, None, times // 4, 1)
            many = await measured(place, None, times, AT_ONCE)
            print(
                f"{'limit-concurrency':34}{'':18}{alone.cpu_us:11.1f}{alone.wall_us:11.1f}"
                f"{many.cpu_us:11.1f}{many.wall_us:10.1f}"
            )
            await shared.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
