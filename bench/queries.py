"""`python -m bench.queries [--rows 200000] [--rounds 5]`: what questions to recorded calls cost.

Calls go through the real spool and shipper, so that files and columns are those of a system; compaction is real too.
Beyond `SHIPPED` rows they are multiplied. It prints tables; `bench.run`, or `--write`, puts the same into RESULTS.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import duckdb

from aforo.logs.query import QueryPool
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from aforo.logs.retention import Maintenance
from aforo.logs.shipper import Shipper
from aforo.logs.versions import TableVersions
from aforo.spool.writer import SpoolWriter
from aforo.tables.gateway_logs import GATEWAY_LOGS
from bench import sections
from bench.processes import ROOT
from bench.query_set import QUESTIONS
from bench.recorded_calls import DAY_NS, START_NS, calls, multiply
from bench.shipper_cost import RESOURCE, WORKSPACE

# So many rows come through spool and shipper at most; what is more is multiplied from them.
SHIPPED = 100_000
# So many calls are in the spool at most before they are shipped.
_AT_ONCE = 20_000
_THREADS = 2
_MEMORY = 1 << 30
_INGEST_S = 6.0
# A question is not asked again when this is over.
_ENOUGH_S = 5.0
_ONE = "00000000-0000-0000-0000-000000001267"


@dataclass(slots=True)
class Asked:
    """One query: seconds in a fresh process with files out of the page cache, and then again and again; what SQL by hand
    takes. CPU is of the process that evaluates, all its threads."""

    cold_s: float = 0.0
    warm_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    compiled_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    by_hand_s: list[float] = field(default_factory=list)
    by_hand_cpu_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Layout:
    """Rows as they were shipped, or compacted. `call_bytes`: bytes per call, its row and its messages."""

    rows: int
    files: int
    size_bytes: int
    call_bytes: float
    queries: dict[str, Asked] = field(default_factory=dict)


@dataclass(slots=True)
class QueryFindings:
    """All that one run found. Rates in calls per second."""

    rows: int
    filled_s: float = 0.0
    multiplied_s: float = 0.0
    layouts: dict[str, Layout] = field(default_factory=dict)
    rate_alone: float = 0.0
    rate_beside: float = 0.0
    asked_beside: int = 0


def fill(root: Path, rows: int) -> None:
    """That many calls through spool and shipper; nothing is compacted."""
    with SpoolWriter(root / "spool" / "gateway-0", sync_interval_s=0) as writer:
        context = _context(writer)
        with Shipper(root / "spool", root / "tables", clock=_after) as shipper:
            for number, call in enumerate(calls(rows, context), 1):
                writer.append_call(call)
                if number % _AT_ONCE == 0 or number == rows:
                    while shipper.run_once():
                        pass


def ingest(root: Path, seconds: float) -> float:
    """Calls per second that spool and shipper take for so long; the calls are made beforehand."""
    with SpoolWriter(root / "spool" / "gateway-1", sync_interval_s=0) as writer:
        made = list(calls(2_000, _context(writer), first=1_000_000_000))
        with Shipper(root / "spool", root / "tables", clock=_after) as shipper:
            began, taken = time.monotonic(), 0
            while (spent := time.monotonic() - began) < seconds:
                for call in made:
                    writer.append_call(call)
                while shipper.run_once():
                    pass
                taken += len(made)
    return taken / spent


def _context(writer: SpoolWriter) -> int:
    return writer.context(RESOURCE, "local", {"GatewayLogs": [WORKSPACE], "GatewayLlmLogs": [WORKSPACE]})


def _after() -> float:
    """The clock of the bench: the end of the day that is recorded."""
    return (START_NS + DAY_NS) / 1e9


def compact(root: Path) -> None:
    """Rounds of maintenance until nothing is left to do."""
    maintenance = Maintenance(root / "tables", retention_days=lambda _w, _t: 0, clock=_after)
    known = -1
    while (now := len(_files(root))) != known:
        known = now
        maintenance.run_once()


def _files(root: Path, table: str = GATEWAY_LOGS.name) -> list[Path]:
    version = TableVersions(root / "tables").latest(WORKSPACE, table)
    return [] if version is None else [Path(f.path) for f in version.files]


def _call_bytes(root: Path, shipped: int) -> float:
    """Bytes per call of what came through the shipper, in all tables: it is the last day."""
    day = f"/_day={datetime.fromtimestamp(START_NS / 1e9, UTC).date()}/"
    versions = TableVersions(root / "tables")
    listed = [versions.latest(WORKSPACE, name) for name in versions.names(WORKSPACE)]
    return sum(f.size_bytes for v in listed if v is not None for f in v.files if day in f.path) / shipped


def _forget(files: list[Path]) -> None:
    """Out of the page cache, as far as the system lets us."""
    for path in files:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


async def _layout(root: Path, rows: int, shipped: int, rounds: int, *, by_hand: bool) -> Layout:
    files = _files(root)
    size = sum(path.stat().st_size for path in files)
    layout = Layout(rows, len(files), size, _call_bytes(root, shipped))
    for question in QUESTIONS:
        asked = layout.queries[question.name] = Asked()
        _forget(files)
        pool = QueryPool(root / "tables", processes=1, memory_bytes=_MEMORY, threads=_THREADS)
        await pool.start()
        try:
            # The process is there; what is cold are its tables and the files.
            await _ask(pool, "print 1")
            asked.cold_s, _ = await _ask(pool, question.text)
            while _goes_on(asked.warm_s, rounds):
                # Nobody types as fast as the process makes its next database.
                await asyncio.sleep(0.05)
                took_s, answer = await _ask(pool, question.text)
                asked.warm_s.append(took_s)
                asked.cpu_s.append(answer.statistics.cpu_s)
                asked.compiled_s.append(answer.statistics.compile_s)
                asked.peak_mb = answer.statistics.peak_bytes / 1e6
        finally:
            await pool.close()
        if by_hand and question.by_hand:
            _by_hand(question.by_hand, files, asked, rounds)
        _say(f"{question.name}: {median(asked.warm_s):.3f} s")
    return layout


def _by_hand(sql: str, files: list[Path], asked: Asked, rounds: int) -> None:
    """SQL with DuckDB alone, which keeps its database from one round to the next."""
    listed = ", ".join(f"'{f}'" for f in files)
    text = sql.format(files=listed, one=_ONE)
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {_THREADS}; SET TimeZone = 'UTC'")
        began = time.perf_counter()
        connection.execute(text).fetchall()
        if time.perf_counter() - began > _ENOUGH_S:
            rounds = 1
        while _goes_on(asked.by_hand_s, rounds):
            began, cpu = time.perf_counter(), time.process_time()
            connection.execute(text).fetchall()
            asked.by_hand_s.append(time.perf_counter() - began)
            asked.by_hand_cpu_s.append(time.process_time() - cpu)


def _goes_on(took_s: list[float], rounds: int) -> bool:
    return not took_s or (len(took_s) < rounds and sum(took_s) < _ENOUGH_S)


async def _ask(pool: QueryPool, text: str) -> tuple[float, QueryAnswer]:
    request = QueryRequest(
        workspace_ids=(WORKSPACE,),
        text=text.replace("{one}", _ONE),
        now_us=(START_NS + DAY_NS) // 1_000,
        timeout_s=600.0,
    )
    began = time.perf_counter()
    answer = await pool.query(request)
    assert answer.outcome is Outcome.OK, (text, answer.outcome, answer.message, answer.mistakes)
    return time.perf_counter() - began, answer


async def _beside(root: Path) -> tuple[float, int]:
    """Ingest in a process of its own while one question follows the other: (calls per second, questions)."""
    pool = QueryPool(root / "tables", processes=1, memory_bytes=_MEMORY, threads=_THREADS)
    await pool.start()
    try:
        await _ask(pool, "print 1")
        process = await asyncio.create_subprocess_exec(*_ingesting(root), stdout=subprocess.PIPE, cwd=ROOT)
        said = asyncio.create_task(process.communicate())
        asked = 0
        while not said.done():
            for question in QUESTIONS:
                await _ask(pool, question.text)
                asked += 1
                if said.done():
                    break
        return float((await said)[0]), asked
    finally:
        await pool.close()


def _ingesting(root: Path) -> list[str]:
    return [sys.executable, "-m", "bench.queries", "--ingest", str(root)]


def measure(root: Path, rows: int, rounds: int) -> QueryFindings:
    """Everything, below an empty folder."""
    found, shipped = QueryFindings(rows), min(rows, SHIPPED)
    found.filled_s = _timed(lambda: fill(root, shipped))
    _say(f"{shipped:,} calls are stored after {found.filled_s:.0f} s")
    found.layouts["as shipped"] = asyncio.run(
        _layout(root, shipped, shipped, rounds, by_hand=rows <= SHIPPED)
    )
    if rows > shipped:
        found.multiplied_s = _timed(lambda: _multiplied(root, rows - shipped))
        _say(f"{rows:,} calls are stored after {found.multiplied_s:.0f} s more")
    compact(root)
    found.layouts["compacted"] = asyncio.run(_layout(root, rows, shipped, rounds, by_hand=True))
    _say("queries are measured; now ingest")
    found.rate_alone = float(
        subprocess.run(_ingesting(root), capture_output=True, text=True, check=True, cwd=ROOT).stdout
    )
    found.rate_beside, found.asked_beside = asyncio.run(_beside(root))
    return found


def _multiplied(root: Path, rows: int) -> None:
    """In a process of its own: a child has its parent's greatest size for its own, and this takes gigabytes."""
    command = [sys.executable, "-m", "bench.queries", "--multiply", str(root), "--rows", str(rows)]
    subprocess.run(command, check=True, cwd=ROOT)


def _timed(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def markdown(found: QueryFindings, title: str = "Queries") -> list[str]:
    """The part of RESULTS.md."""
    out = [
        "",
        f"## {title}",
        "",
        f"Calls with both bodies (1 to 1.5 KB each), the last day of them through spool and shipper; {_THREADS} "
        f"threads, {_MEMORY >> 20} MB. The whole way into a query process and back, in milliseconds; medians. CPU is of "
        "the process that evaluates; what SQL by hand takes is in parentheses.",
    ]
    for title, layout in found.layouts.items():
        out += [
            "",
            f"**{title[0].upper()}{title[1:]}**: {layout.rows:,} calls in {layout.files} files of "
            f"{layout.size_bytes / 1e6:,.0f} MB; {layout.call_bytes:,.0f} bytes per recorded call (row and messages).",
            "",
            "| query | cold | warm | CPU | of it compiled | against SQL by hand: time | CPU | memory of the process (MB) |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(_line(name, asked) for name, asked in layout.queries.items()),
        ]
    out += [
        "",
        f"- Spool and shipper take {found.rate_alone:,.0f} calls/s alone and {found.rate_beside:,.0f} calls/s while "
        f"queries run without a pause ({found.asked_beside} in {_INGEST_S:g} s).",
    ]
    return out


def _line(name: str, asked: Asked) -> str:
    cells = [name, f"{asked.cold_s * 1000:,.0f}"]
    cells += [f"{median(taken) * 1000:,.1f}" for taken in (asked.warm_s, asked.cpu_s, asked.compiled_s)]
    for taken, by_hand in ((asked.warm_s, asked.by_hand_s), (asked.cpu_s, asked.by_hand_cpu_s)):
        ratio = f"{median(taken) / median(by_hand):.2f} ({median(by_hand) * 1000:,.1f})" if by_hand else ""
        cells.append(ratio)
    return f"| {' | '.join([*cells, f'{asked.peak_mb:.0f}'])} |"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.queries", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ingest", type=Path, help="only ship calls below this folder, and print the rate")
    parser.add_argument(
        "--multiply", type=Path, help="only multiply the calls below this folder by `--rows` more"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the tables into RESULTS.md, in a section of that many rows"
    )
    options = parser.parse_args()
    if options.multiply is not None:
        multiply(options.multiply / "tables", options.rows)
        return
    if options.ingest is not None:
        print(ingest(options.ingest, _INGEST_S))
        return
    with tempfile.TemporaryDirectory(prefix="aforo-bench-") as folder:
        # Not the section that `bench.run` writes: it must not take this one's place.
        title = f"Queries over {options.rows:,} calls"
        part = markdown(measure(Path(folder), options.rows, options.rounds), title)
    print("\n".join(part))
    if options.write:
        sections.write(title, part, f"python -m bench.queries --rows {options.rows}")


if __name__ == "__main__":
    main()
