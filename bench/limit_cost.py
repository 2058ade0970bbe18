"""What limits cost on counters in memory, with a journal, and on a Valkey server: `python -m bench.limit_cost [operations]`.

Prints (`--write`: puts into RESULTS.md) microseconds per operation, of this process's CPU and of the clock (what a call waits), in sequence and with many
calls at once, and the server's own CPU; each is the best of three rounds.
"""

from __future__ import annotations

import argparse
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
from aforo.errors import Invalid
from aforo.gateway.counter_journal import CounterJournal
from aforo.gateway.counters import MemoryCounters
from aforo.gateway.signal import driven
from aforo.gateway.valkey_counters import ValkeyCounters
from aforo.gateway.valkey_leases import ValkeyLeases
from aforo.model.valkey_address import ValkeyAddress
from bench import sections

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


class Limit(NamedTuple):
    """One limit in all its places; None where it has none. `server_us` is the server's CPU per operation."""

    name: str
    memory: Cost | None
    journal: Cost | None
    alone: Cost | None
    many: Cost | None
    server_us: float | None


async def limits(times: int) -> list[Limit]:
    """Measures all of them; without a server on this machine, what needs none."""
    folder = Path(tempfile.mkdtemp(prefix="limit-cost-"))
    try:
        in_process = [(name, *await _in_process(folder, operation, times)) for name, operation in OPERATIONS]
        try:
            program()
        except Invalid:
            return [Limit(name, memory, journal, None, None, None) for name, memory, journal in in_process]
        with served(folder) as (path, pid):
            server = Valkey(ValkeyAddress(path=path), AnyAddress)
            shared = ValkeyCounters(server, "bench")
            leases = ValkeyLeases(server, "bench")

            async def place(_: Any) -> None:
                leave = await leases.enter("k", 1 << 30)
                assert leave is not None
                leave()

            found = []
            for (name, memory, journal), (_, operation) in zip(in_process, OPERATIONS, strict=True):
                found.append(Limit(name, memory, journal, *await _on_server(operation, shared, times, pid)))
            found.append(Limit("limit-concurrency", None, None, *await _on_server(place, None, times, pid)))
            await shared.close()
            return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _in_process(folder: Path, operation: Operation, times: int) -> tuple[Cost, Cost]:
    """(in memory, in memory with a journal)"""
    memory, journaled = MemoryCounters(), MemoryCounters()
    journal = CounterJournal(folder / "journal")
    journal.restore(journaled)
    plain = await measured(operation, memory, times, 1)
    kept = await measured(operation, journaled, times, 1)
    journal.close()
    return plain, kept


async def _on_server(operation: Operation, port: Any, times: int, pid: int) -> tuple[Cost, Cost, float]:
    """(one by one, many at once, CPU of the server for each of the many)"""
    alone = await measured(operation, port, times // 4, 1)
    before = _server_cpu_s(pid)
    many = await measured(operation, port, times, AT_ONCE)
    own = (_server_cpu_s(pid) - before) / (ROUNDS * (times // AT_ONCE * AT_ONCE)) * 1e6
    return alone, many, own


def markdown(found: list[Limit], times: int) -> list[str]:
    """The section of RESULTS.md."""
    out = [
        "",
        "## Limits",
        "",
        f"What a limit costs a call, in microseconds: {times:,} operations, the best of {ROUNDS} rounds. In memory and with "
        "the journal of counters nothing is waited for; on a Valkey server (Unix socket, append-only file) a call waits as "
        f"long as stands there. `limit-concurrency` without a server is a number in the process. With {AT_ONCE} at once, "
        "what goes to the server shares its way.",
        "",
        "| | memory: CPU | with the journal: CPU | Valkey, one by one: CPU | waits | "
        f"{AT_ONCE} at once: CPU | time | CPU of the server |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for limit in found:
        cells = [
            limit.name,
            _shown(limit.memory and limit.memory.cpu_us),
            _shown(limit.journal and limit.journal.cpu_us),
            _shown(limit.alone and limit.alone.cpu_us),
            _shown(limit.alone and limit.alone.wall_us),
            _shown(limit.many and limit.many.cpu_us),
            _shown(limit.many and limit.many.wall_us),
            _shown(limit.server_us),
        ]
        out.append(f"| {' | '.join(cells)} |")
    if all(limit.many is None for limit in found):
        out += ["", "- left out: Valkey (there is no server on this machine)"]
    return out


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.limit_cost", description=__doc__)
    parser.add_argument("operations", nargs="?", type=int, default=20_000)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    parser.add_argument("--quick", action="store_true", help="2,000 operations; nothing is written")
    wanted = parser.parse_args()
    times = 2_000 if wanted.quick else max(4 * AT_ONCE, wanted.operations)
    part = markdown(uvloop.run(limits(times)), times)
    print("\n".join(part))
    if wanted.write and not wanted.quick:
        sections.write("Limits", part, "python -m bench.limit_cost")


if __name__ == "__main__":
    main()
