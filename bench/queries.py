"""`python -m bench.queries [--rows 200000] [--rounds 5]`: what questions to recorded calls cost.

Calls go through the real spool and shipper, so that files and columns are those of a system; compaction is real too.
It prints tables; `bench.run` puts the same into RESULTS.md. Ten million rows (`--rows 10000000`) take half an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import duckdb
import msgspec
import orjson

from aforo.logs.query import QueryPool
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from aforo.logs.retention import Maintenance
from aforo.logs.shipper import Shipper
from aforo.logs.versions import TableVersions
from aforo.spool.records import CallRecord
from aforo.spool.writer import SpoolWriter
from aforo.tables.gateway_logs import GATEWAY_LOGS
from bench import query_seed
from bench.processes import ROOT
from bench.shipper_cost import RESOURCE, WORKSPACE, make_call

DAY_NS = 86_400_000_000_000
# A midnight, so that a day of calls is one partition.
START_NS = 1_795_046_400_000_000_000
# So many calls are in the spool at most before they are shipped.
_AT_ONCE = 20_000
_THREADS = 2
_MEMORY = 1 << 30
_INGEST_S = 6.0

HALF = """ApiManagementGatewayLogs
| where tolower(OperationId) in ('completions_create','chatcompletions_create')
| where ResponseCode == '200'
| extend model = tostring(parse_json(BackendResponseBody)['model'])
| extend prompttokens = parse_json(parse_json(BackendResponseBody)['usage'])['prompt_tokens']
| extend prompttext = substring(parse_json(parse_json(BackendResponseBody)['choices'])[0], 0, 100)
| take 1000"""
QUERIES = {
    "tokens by caller and model (seed)": query_seed.QUERY,
    "prompts and answers (seed)": HALF,
    "calls per hour": "ApiManagementGatewayLogs | summarize count() by bin(TimeGenerated, 1h)",
    "percentiles of time per operation": "ApiManagementGatewayLogs "
    "| summarize percentiles(TotalTime, 50, 95, 99) by OperationId, ResponseCode",
    "top users by tokens": "ApiManagementGatewayLogs "
    "| extend tokens = tolong(parse_json(BackendResponseBody).usage.total_tokens) "
    "| summarize calls = count(), sum(tokens) by ApimSubscriptionId | top 10 by sum_tokens",
    "last five minutes": "ApiManagementGatewayLogs | where TimeGenerated > ago(5m) "
    "| summarize count() by ResponseCode",
    "one call": "ApiManagementGatewayLogs | where CorrelationId == '{one}' | project TimeGenerated, Url",
    "text, a term in answers": "ApiManagementGatewayLogs | where BackendResponseBody has 'word4711' | count",
    "text, a part in answers": "ApiManagementGatewayLogs | where BackendResponseBody contains 'ord47' | count",
}


@dataclass(slots=True)
class Asked:
    """One query: seconds in a fresh process with files out of the page cache, and then again and again."""

    cold_s: float = 0.0
    warm_s: list[float] = field(default_factory=list)
    compiled_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0


@dataclass(slots=True)
class Layout:
    """The same rows as they were shipped, or compacted."""

    files: int
    size_bytes: int
    queries: dict[str, Asked] = field(default_factory=dict)
    by_hand_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class QueryFindings:
    """All that one run found. Rates in calls per second."""

    rows: int
    filled_s: float = 0.0
    layouts: dict[str, Layout] = field(default_factory=dict)
    rate_alone: float = 0.0
    rate_beside: float = 0.0
    asked_beside: int = 0


def calls(count: int, context: int, *, first: int = 0, seed: int = 7) -> Iterator[CallRecord]:
    """A day of chat completions: forty subscriptions, fifty callers, three models, one in twenty refused."""
    chance = random.Random(seed + first)
    step_ns = DAY_NS // max(count, 1)
    for number in range(first, first + count):
        call = make_call(number, context)
        started = START_NS + (number - first) * step_ns
        prompt, completion = chance.randrange(5, 900), chance.randrange(5, 400)
        answer = orjson.loads(call.response.body)
        answer["model"] = chance.choice(("gpt-35-turbo", "gpt-4o", "gpt-4o-mini"))
        answer["usage"] = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        took_us = int(chance.lognormvariate(13.0, 0.8))
        body = orjson.dumps(answer)
        status = 200 if chance.random() < 0.95 else 429
        yield msgspec.structs.replace(
            call,
            started_ns=started,
            ended_ns=started + took_us * 1_000,
            client_ip=f"10.0.0.{chance.randrange(50)}",
            subscription_id=f"team-{min(39, int(chance.expovariate(0.15)))}",
            status=status,
            backend_status=status,
            response=msgspec.structs.replace(call.response, body=body, size=len(body)),
            backend_us=took_us,
        )


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


def _files(root: Path) -> list[Path]:
    version = TableVersions(root / "tables").latest(WORKSPACE, GATEWAY_LOGS.name)
    return [] if version is None else [Path(f.path) for f in version.files]


def _all_bytes(root: Path) -> int:
    """Bytes of all tables that belong to their newest versions: calls and messages."""
    versions = TableVersions(root / "tables")
    listed = [versions.latest(WORKSPACE, name) for name in versions.names(WORKSPACE)]
    return sum(f.size_bytes for v in listed if v is not None for f in v.files)


def _forget(files: list[Path]) -> None:
    """Out of the page cache, as far as the system lets us."""
    for path in files:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


async def _layout(root: Path, rounds: int) -> Layout:
    files = _files(root)
    layout = Layout(len(files), _all_bytes(root))
    for name, text in QUERIES.items():
        asked = layout.queries[name] = Asked()
        _forget(files)
        pool = QueryPool(root / "tables", processes=1, memory_bytes=_MEMORY, threads=_THREADS)
        await pool.start()
        try:
            # The process is there; what is cold are its tables and the files.
            await _ask(pool, "print 1")
            asked.cold_s, _ = await _ask(pool, text)
            for _ in range(rounds):
                # Nobody types as fast as the process makes its next database.
                await asyncio.sleep(0.05)
                took_s, answer = await _ask(pool, text)
                asked.warm_s.append(took_s)
                asked.compiled_s.append(answer.statistics.compile_s)
                asked.peak_mb = answer.statistics.peak_bytes / 1e6
        finally:
            await pool.close()
    listed = ", ".join(f"'{f}'" for f in files)
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {_THREADS}")
        for _ in range(rounds + 1):
            began = time.perf_counter()
            connection.execute(query_seed.BY_HAND.format(files=listed)).fetchall()
            layout.by_hand_s.append(time.perf_counter() - began)
    del layout.by_hand_s[0]
    return layout


async def _ask(pool: QueryPool, text: str) -> tuple[float, QueryAnswer]:
    request = QueryRequest(
        workspace_ids=(WORKSPACE,),
        text=text.replace("{one}", f"{4711:032x}"),
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
            for text in QUERIES.values():
                await _ask(pool, text)
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
    found = QueryFindings(rows)
    began = time.monotonic()
    fill(root, rows)
    found.filled_s = time.monotonic() - began
    _say(f"{rows:,} calls are stored after {found.filled_s:.0f} s")
    found.layouts["as shipped"] = asyncio.run(_layout(root, rounds))
    compact(root)
    found.layouts["compacted"] = asyncio.run(_layout(root, rounds))
    _say("queries are measured; now ingest")
    found.rate_alone = float(
        subprocess.run(_ingesting(root), capture_output=True, text=True, check=True, cwd=ROOT).stdout
    )
    found.rate_beside, found.asked_beside = asyncio.run(_beside(root))
    return found


def markdown(found: QueryFindings) -> list[str]:
    """The part of RESULTS.md."""
    out = [
        "",
        "## Queries",
        "",
        f"{found.rows:,} calls of one day with both bodies, through spool and shipper; {_THREADS} threads, "
        f"{_MEMORY >> 20} MB. The whole way into a query process and back; medians.",
    ]
    for title, layout in found.layouts.items():
        by_hand = median(layout.by_hand_s)
        seed = median(next(iter(layout.queries.values())).warm_s)
        out += [
            "",
            f"**{title[0].upper()}{title[1:]}**: {layout.files} files of calls, "
            f"{layout.size_bytes / found.rows:.0f} bytes per recorded call (row and messages). The seeds' token "
            f"query against SQL by hand over plain columns ({by_hand * 1000:.0f} ms): {seed / by_hand:.2f} times.",
            "",
            "| query | cold (ms) | warm (ms) | of it compiled (ms) | memory of the process (MB) |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(
                f"| {name} | {a.cold_s * 1000:.0f} | {median(a.warm_s) * 1000:.1f} | "
                f"{median(a.compiled_s) * 1000:.1f} | {a.peak_mb:.0f} |"
                for name, a in layout.queries.items()
            ),
        ]
    out += [
        "",
        f"- Spool and shipper take {found.rate_alone:,.0f} calls/s alone and {found.rate_beside:,.0f} calls/s while "
        f"queries run without a pause ({found.asked_beside} in {_INGEST_S:g} s).",
    ]
    return out


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.queries", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ingest", type=Path, help="only ship calls below this folder, and print the rate")
    options = parser.parse_args()
    if options.ingest is not None:
        print(ingest(options.ingest, _INGEST_S))
        return
    with tempfile.TemporaryDirectory(prefix="aforo-bench-") as folder:
        print("\n".join(markdown(measure(Path(folder), options.rows, options.rounds))))


if __name__ == "__main__":
    main()
