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
from dataclasses import dataclass, field
from pathlib import Path

from aforo.logs.accounting import account_of
from bench.plots import plot
from bench.processes import rss_mb
from tests.support.counting_client import PATH, PLAIN, STREAM
from tests.support.system import System, eventually, running_system

ROLES = ("gateway-0", "control", "shipper", "account")
CONNECTIONS = 16
SAMPLES = 120
# What may come on top between the second quarter of a run and its last: the first quarter warms up.
MEMORY_SHARE, MEMORY_MB = 0.10, 8.0
DESCRIPTORS = 8
LATENCY_FACTOR, LATENCY_MS = 2.0, 20.0


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


def grown(run: Run) -> list[str]:
    """What is not flat, in words."""
    out = []
    for what, series, share, more in (
        ("memory (MB) of", run.memory_mb, MEMORY_SHARE, MEMORY_MB),
        ("descriptors of", run.descriptors, 0.0, DESCRIPTORS),
        ("latency (ms)", run.latency_ms, LATENCY_FACTOR - 1, LATENCY_MS),
    ):
        for name, values in series.items():
            known = [v for v in values if v is not None]
            quarter = len(known) // 4
            if not quarter:
                continue
            before = statistics.median(known[quarter : 2 * quarter])
            after = statistics.median(known[-quarter:])
            if after > before + max(more, before * share):
                out.append(f"{what} {name}: {before:.1f}, then {after:.1f}")
    return out


def report(run: Run, minutes: float, rate: float, wrong: list[str]) -> str:
    """The page, whose plots lie beside it."""

    def quarters(values: list[float | None]) -> str:
        known = [v for v in values if v is not None]
        quarter = max(1, len(known) // 4)
        parts = (known[quarter : 2 * quarter], known[-quarter:])
        return " | ".join(f"{statistics.median(part):.1f}" if part else "" for part in parts)

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
        "| series | second quarter (median) | last quarter (median) |",
        "| --- | ---: | ---: |",
    ]
    lines += [f"| memory of {r} (MB) | {quarters(v)} |" for r, v in run.memory_mb.items()]
    lines += [f"| descriptors of {r} | {quarters(v)} |" for r, v in run.descriptors.items()]
    lines += [f"| latency {p} (ms) | {quarters(v)} |" for p, v in run.latency_ms.items()]
    lines += [f"| records that wait in the spool | {quarters(run.pending)} |", ""]
    lines += [f"![{name}]({name}.svg)\n" for name in ("memory", "descriptors", "latency", "pending")]
    return "\n".join(lines)


def plots(run: Run) -> dict[str, str]:
    """SVG by name."""
    return {
        "memory": plot("Memory", "MB", run.at_s, run.memory_mb),
        "descriptors": plot("Descriptors", "open", run.at_s, run.descriptors),
        "latency": plot("Latency from when a call was due", "ms", run.at_s, run.latency_ms),
        "pending": plot("Records that wait in the spool", "frames", run.at_s, {"pending": run.pending}),
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
