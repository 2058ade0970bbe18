"""`make soak`: the whole system under a steady load, minutes or hours; memory, descriptors and latency must stay flat.

`python -m bench.soak --minutes 3 --rate 60 --out bench/soak` writes a report with plots; exit code 1 when something
grew, a call failed, or a call has not exactly one row.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from aforo.logs.accounting import account_of
from bench.plots import plot
from bench.processes import rss_mb
from tests.support.counting_client import PATH, PLAIN, STREAM
from tests.support.system import System, eventually, running_system

ROLES = ("gateway-0", "control", "shipper", "account")
CONNECTIONS = 16
SAMPLES = 240
# The first half of a run warms up: what is reached in it and held afterwards is a plateau. What may come on top in the
# second half, by share and in MB, descriptors, ms.
MEMORY = 0.03, 3.0
DESCRIPTORS = 0.0, 4.0
LATENCY = 0.5, 15.0
WINDOWS = 8
PLOTS = ("memory", "latency", "descriptors", "pending")


@dataclass
class Run:
    """What was seen: one value per sample and series."""

    at_s: list[float] = field(default_factory=list)
    memory_mb: dict[str, list[float | None]] = field(default_factory=lambda: {r: [] for r in ROLES})
    descriptors: dict[str, list[float | None]] = field(default_factory=lambda: {r: [] for r in ROLES})
    latency_ms: dict[str, list[float | None]] = field(default_factory=lambda: {"p50": [], "p99": []})
    pending: list[float | None] = field(default_factory=list)
    finished: int = 0
    failed: int = 0
    rows: int = 0


class Clients:
    """An open loop: calls are due at fixed times, whatever became of those before; latency counts from when one was due."""

    def __init__(self, system: System, rate: float) -> None:
        host, _, port = system.gateway.removeprefix("http://").partition(":")
        self._address = host, int(port)
        self._key = system.key
        self._rate = rate
        self.took_ms: list[float] = []
        self.finished = 0
        self.failed = 0
        self._next = 0

    async def run(self, until: float) -> None:
        started = time.perf_counter()
        await asyncio.gather(*(self._client(started, until) for _ in range(CONNECTIONS)))

    async def _client(self, started: float, until: float) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            while time.perf_counter() < until:
                number, self._next = self._next, self._next + 1
                due = started + number / self._rate
                if due > until:
                    return
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                body = STREAM if number % 2 else PLAIN
                head = (
                    f"POST {PATH} HTTP/1.1\r\nHost: soak\r\napi-key: {self._key}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body)
                good = await self._answer(reader)
                self.took_ms.append((time.perf_counter() - due) * 1e3)
                self.finished += good
                self.failed += not good
        except (OSError, asyncio.IncompleteReadError):
            self.failed += 1
        finally:
            writer.close()

    @staticmethod
    async def _answer(reader: asyncio.StreamReader) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in head:
            size = 1
            while size:
                size = int(await reader.readuntil(b"\r\n"), 16)
                await reader.readexactly(size + 2)
        else:
            length = head.partition(b"content-length:")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
        return head.startswith(b"http/1.1 200")


async def soak(system: System, minutes: float, rate: float, run: Run) -> None:
    """Load and samples, side by side."""
    started = time.perf_counter()
    until = started + minutes * 60
    clients = Clients(system, rate)
    load = asyncio.create_task(clients.run(until))
    pids = {role: system.pids(role)[0] for role in ROLES}
    spool = system.data / "spool" / "gateway-0"
    while not load.done():
        await asyncio.wait((load,), timeout=max(1.0, minutes * 60 / SAMPLES))
        took, clients.took_ms = sorted(clients.took_ms), []
        run.at_s.append(time.perf_counter() - started)
        for role, pid in pids.items():
            run.memory_mb[role].append(rss_mb(pid))
            run.descriptors[role].append(float(len(os.listdir(f"/proc/{pid}/fd"))))  # noqa: PTH208
        run.latency_ms["p50"].append(took[len(took) // 2] if took else None)
        run.latency_ms["p99"].append(took[int(len(took) * 0.99)] if took else None)
        account = await asyncio.to_thread(account_of, spool)
        run.pending.append(float(account.pending) if account else None)
    await load
    run.finished, run.failed = clients.finished, clients.failed


@dataclass(frozen=True)
class Trend:
    """The second half of a series: what lies below its peaks at the half and at the end, and whether it kept rising."""

    before: float
    after: float
    steady: bool

    def grew(self, share: float, more: float) -> bool:
        """Whether it is more at the end than a plateau allows, and got there step by step."""
        return self.steady and self.after > self.before + max(more, self.before * share)


def trend(values: Sequence[float | None]) -> Trend | None:
    """None where there are too few values.

    Peaks that come and go are no growth: each of the windows stands for itself with its lower quartile. It grows when
    the windows rise one after the other (of all pairs three quarters), by the median slope between all pairs.
    """
    known = [v for v in values if v is not None]
    half = known[len(known) // 2 :]
    if len(half) < 2 * WINDOWS:
        return None
    edges = [len(half) * n // WINDOWS for n in range(WINDOWS + 1)]
    low = [statistics.quantiles(half[a:b], n=4)[0] for a, b in pairwise(edges)]
    pairs = [(i, j) for j in range(WINDOWS) for i in range(j)]
    slope = statistics.median((low[j] - low[i]) / (j - i) for i, j in pairs)
    before = statistics.median(low) - slope * (WINDOWS - 1) / 2
    rising = sum(low[j] > low[i] for i, j in pairs)
    after = before + slope * (WINDOWS - 1)
    # The line may run below what was measured; nothing that is measured is below 0.
    return Trend(max(0.0, before), max(0.0, after), rising >= 0.75 * len(pairs))


def grown(run: Run) -> list[str]:
    """What is not flat, in words."""
    out = []
    for what, series, (share, more) in (
        ("memory (MB) of", run.memory_mb, MEMORY),
        ("descriptors of", run.descriptors, DESCRIPTORS),
        ("latency (ms)", run.latency_ms, LATENCY),
        ("records that wait:", {"spool": run.pending}, LATENCY),
    ):
        for name, values in series.items():
            seen = trend(values)
            if seen is not None and seen.grew(share, more):
                out.append(
                    f"{what} {name} grew from {seen.before:.1f} to {seen.after:.1f} in the second half"
                )
    return out


def report(run: Run, minutes: float, rate: float, wrong: list[str]) -> str:
    """The page, whose plots lie beside it."""

    def halves(values: list[float | None]) -> str:
        known = [v for v in values if v is not None]
        seen = trend(values)
        ends = (f"{seen.before:.1f}", f"{seen.after:.1f}") if seen is not None else ("", "")
        median = f"{statistics.median(known):.1f}" if known else ""
        return " | ".join((median, *ends, f"{max(known):.1f}" if known else ""))

    lines = [
        "# A long run",
        "",
        "<!-- Written by `make soak`. -->",
        "",
        f"{minutes:g} minutes, {rate:g} calls per second (half of them streams) over {CONNECTIONS} connections, one gateway "
        f"worker, the scripted engine; {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}.",
        "",
        f"**{'Flat' if not wrong else 'Not flat'}**: {run.finished} calls finished, {run.failed} failed, {run.rows} rows."
        + "".join(f" {w}." for w in wrong),
        "",
        "The first half of the run warms up. Flat is what does not rise step by step in the second one, apart from peaks that",
        "come and go (`bench/soak.py`, `trend`).",
        "",
        "| series | median | at the half | at the end | peak |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [f"| memory of {r} (MB) | {halves(v)} |" for r, v in run.memory_mb.items()]
    lines += [f"| descriptors of {r} | {halves(v)} |" for r, v in run.descriptors.items()]
    lines += [f"| latency {p} (ms) | {halves(v)} |" for p, v in run.latency_ms.items()]
    lines += [f"| records that wait in the spool | {halves(run.pending)} |", ""]
    lines += [f"![{name}]({name}.svg)\n" for name in PLOTS]
    return "\n".join(lines)


def plots(run: Run) -> dict[str, str]:
    """SVG by name."""
    warm = run.at_s[len(run.at_s) // 2] if run.at_s else 0.0
    return {
        "memory": plot("Memory of each process", "MB", run.at_s, run.memory_mb, warm_s=warm),
        "descriptors": plot("Open descriptors of each process", "", run.at_s, run.descriptors, warm_s=warm),
        "latency": plot("Latency, from when a call was due", "ms", run.at_s, run.latency_ms, warm_s=warm),
        "pending": plot(
            "Records that wait in the spool", "", run.at_s, {"waiting": run.pending}, warm_s=warm
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=60.0, help="calls per second")
    parser.add_argument("--out", type=Path, default=Path(".tools/soak"))
    given = parser.parse_args()
    minutes = given.hours * 60 or given.minutes
    run = Run()
    with tempfile.TemporaryDirectory() as folder, running_system(Path(folder)) as system:
        eventually("the shipper", lambda: system.pids("shipper"))
        asyncio.run(soak(system, minutes, given.rate, run))
        kql = "ApiManagementGatewayLogs | count"

        def settled() -> int:
            run.rows = int(system.query(kql)[0]["Count"])
            return run.rows >= run.finished

        wrong = grown(run)
        try:
            eventually("all rows", settled, within_s=60)
        except AssertionError:
            wrong.append(f"{run.finished} calls finished, and there are {run.rows} rows")
        if run.rows > run.finished + run.failed:
            wrong.append(f"{run.rows} rows, more than calls")
        if run.failed:
            wrong.append(f"{run.failed} calls failed")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "README.md").write_text(report(run, minutes, given.rate, wrong))
    for name, text in plots(run).items():
        (given.out / f"{name}.svg").write_text(text)
    print(f"{'not flat: ' + '; '.join(wrong) if wrong else 'flat'}; the report is {given.out}/README.md")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
