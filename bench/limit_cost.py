"""What limits cost on counters in memory, with a journal, and on a Valkey server: `python -m bench.limit_cost [operations]`.

Prints (`--write`: puts into RESULTS.md) microseconds per operation, of this process's CPU and of the clock (what a call waits),
in sequence and with many calls at once, and the server's own CPU; five runs, the limits and their places taking turns.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
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
from aforo.policy.services import Counter
from bench import sections
from bench.figures import header, row, spread
from bench.processes import exact_cpu_s

LIMIT = 1 << 40
_MINUTE = Counter("k", LIMIT, 60, "sliding")
_DAY = Counter("k", LIMIT, 86_400)
_BUCKET = Counter("k", LIMIT, 60, "bucket")
AT_ONCE = 64
RUNS = 5
Operation = Callable[[Any], Awaitable[Any]]


class Cost(NamedTuple):
    """Microseconds per operation: of our CPU, of the clock."""

    cpu_us: float
    wall_us: float


async def _rate(counters: Any) -> None:
    await counters.reserve(_MINUTE, 1)


async def _quota(counters: Any) -> None:
    await counters.reserve(_DAY, 1)


async def _bandwidth(counters: Any) -> None:
    await counters.peek(_DAY)
    await counters.charge(_DAY, 700)


async def _tokens(counters: Any) -> None:
    await counters.peek(_BUCKET)
    await counters.charge(_BUCKET, 700)


async def _reserved(counters: Any) -> None:
    state = await counters.reserve(_BUCKET, 700, held_s=3600.0)
    await counters.settle(state.reservation, 300)


OPERATIONS: tuple[tuple[str, Operation], ...] = (
    ("rate-limit (60 s, sliding)", _rate),
    ("quota, calls (a day)", _quota),
    ("quota, bandwidth: ask, charge", _bandwidth),
    ("tokens of a minute: ask, charge", _tokens),
    ("tokens: reserve, settle", _reserved),
)


async def measured(operation: Operation, counters: Any, times: int, at_once: int) -> Cost:
    """One run."""

    async def several() -> None:
        for _ in range(times // at_once):
            await operation(counters)

    cpu, wall = _cpu_s(), time.perf_counter()
    await asyncio.gather(*(driven(several()) for _ in range(at_once)))
    done = times // at_once * at_once
    return Cost((_cpu_s() - cpu) / done * 1e6, (time.perf_counter() - wall) / done * 1e6)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


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


@dataclass(slots=True)
class Limit:
    """One limit in all its places, run by run; empty where it has none. `server_us` is the server's CPU per operation."""

    name: str
    memory: list[Cost] = field(default_factory=list)
    journal: list[Cost] = field(default_factory=list)
    alone: list[Cost] = field(default_factory=list)
    many: list[Cost] = field(default_factory=list)
    server_us: list[float] = field(default_factory=list)


async def limits(times: int, runs: int = RUNS) -> list[Limit]:
    """Measures all of them; without a server on this machine, what needs none."""
    folder = Path(tempfile.mkdtemp(prefix="limit-cost-"))
    found = {name: Limit(name) for name, _ in OPERATIONS}
    try:
        with ExitStack() as stack:
            server = None
            try:
                program()
            except Invalid:
                pass
            else:
                path, pid = stack.enter_context(served(folder))
                server = Valkey(ValkeyAddress(path=path), AnyAddress)
                shared = ValkeyCounters(server, "bench")
                place = _place(ValkeyLeases(server, "bench"))
                found["limit-concurrency"] = Limit("limit-concurrency")
            # The first run makes what is made on first use, and is no figure.
            for run in range(runs + 1):
                now = times if run else min(times, 10 * AT_ONCE)
                for name, operation in OPERATIONS:
                    await _in_process(folder / f"journal-{run}-{name[:12]}", operation, now, found[name])
                    if server is not None:
                        await _on_server(operation, shared, now, pid, found[name])
                if server is not None:
                    await _on_server(place, None, now, pid, found["limit-concurrency"])
                if not run:
                    found = {name: Limit(name) for name in found}
            if server is not None:
                await shared.close()
        return list(found.values())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _place(leases: ValkeyLeases) -> Operation:
    async def place(_: Any) -> None:
        leave = await leases.enter("k", 1 << 30)
        assert leave is not None
        leave()

    return place


async def _in_process(journal_folder: Path, operation: Operation, times: int, limit: Limit) -> None:
    """In memory, and in memory with a journal."""
    memory, journaled = MemoryCounters(), MemoryCounters()
    journal = CounterJournal(journal_folder)
    journal.restore(journaled)
    limit.memory.append(await measured(operation, memory, times, 1))
    limit.journal.append(await measured(operation, journaled, times, 1))
    journal.close()


async def _on_server(operation: Operation, port: Any, times: int, pid: int, limit: Limit) -> None:
    """One by one, and many at once, with the CPU of the server for each of the many."""
    limit.alone.append(await measured(operation, port, times // 4, 1))
    before = exact_cpu_s(pid)
    limit.many.append(await measured(operation, port, times, AT_ONCE))
    limit.server_us.append((exact_cpu_s(pid) - before) / (times // AT_ONCE * AT_ONCE) * 1e6)


def markdown(found: list[Limit], times: int) -> list[str]:
    """The section of RESULTS.md."""
    runs = max((len(limit.memory) for limit in found), default=0)
    out = [
        "",
        "## Limits",
        "",
        f"What a limit costs a call, in microseconds: {runs} runs of {times:,} operations, in which limits and places take turns; "
        "medians, and least to greatest in parentheses. In memory and with the journal of counters nothing is waited for; on a "
        "Valkey server (Unix socket, append-only file) a call waits as long as stands there. `limit-concurrency` without a "
        f"server is a number in the process. With {AT_ONCE} at once, what goes to the server shares its way.",
        "",
        *header(
            "",
            "memory: CPU",
            "with the journal: CPU",
            "Valkey, one by one: CPU",
            "waits",
            f"{AT_ONCE} at once: CPU",
            "time",
            "CPU of the server",
        ),
    ]
    out += [
        row(
            limit.name,
            spread([cost.cpu_us for cost in limit.memory], 1),
            spread([cost.cpu_us for cost in limit.journal], 1),
            spread([cost.cpu_us for cost in limit.alone], 1),
            spread([cost.wall_us for cost in limit.alone], 1),
            spread([cost.cpu_us for cost in limit.many], 1),
            spread([cost.wall_us for cost in limit.many], 1),
            spread(limit.server_us, 1),
        )
        for limit in found
    ]
    if not any(limit.many for limit in found):
        out += ["", "- left out: Valkey (there is no server on this machine)"]
    return out


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
