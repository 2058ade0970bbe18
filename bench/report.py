"""What bench/RESULTS.md says: the machine, the versions, the tables. Written by a run, never by hand."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from statistics import median

from bench import neighbours, queries
from bench.figures import header, number, ratio, row, spread
from bench.load import Load
from bench.processes import ROOT, find
from bench.visibility import LIMIT_S, Visible


@dataclass(slots=True)
class Proxied:
    """Rounds of one proxy. CPU in microseconds per call of the proxy process alone."""

    loads: list[Load] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    first_byte_ms: list[float] = field(default_factory=list)
    rss_mb: float = 0.0


@dataclass(slots=True)
class Findings:
    """Everything that one run found; what was not measured is None or empty, with its reason in `absent`."""

    seconds: float
    proxies: dict[str, Proxied] = field(default_factory=dict)
    total_cpu_us: list[float] = field(default_factory=list)
    idle_visible_s: list[float] = field(default_factory=list)
    visible: list[Visible] = field(default_factory=list)
    start_first_s: list[float] = field(default_factory=list)
    start_again_s: list[float] = field(default_factory=list)
    calls: int = 0
    rows: int | None = None
    queries: queries.QueryFindings | None = None
    absent: list[str] = field(default_factory=list)


def machine() -> list[str]:
    """What the figures were taken on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in _read("/proc/cpuinfo").splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or "unknown processor",
    )
    memory = next(
        (int(line.split()[1]) for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal")),
        0,
    )
    system = next(
        (
            line.partition("=")[2].strip('"')
            for line in _read("/etc/os-release").splitlines()
            if line.startswith("PRETTY_NAME")
        ),
        platform.platform(),
    )
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    lines = [
        f"{model}, {os.cpu_count()} processors, {memory / 1e6:.0f} GB, {system}, Linux {platform.release().partition('-')[0]}",
        f"Aforo {version('aforo')} ({commit or 'no commit'}), Python {platform.python_version()}, "
        f"uvloop {version('uvloop')}, httptools {version('httptools')}",
    ]
    for name, program, flag in (
        ("nginx", find("nginx"), "-v"),
        ("Envoy", neighbours.envoy_program(), "--version"),
        ("wrk", find("wrk"), "-v"),
    ):
        said = neighbours.version(program, flag)
        # Envoy prints its own path, which is nobody's business.
        lines.append(f"{name}: {said.rpartition('version:')[2].strip() if 'version:' in said else said}")
    return lines


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def markdown(found: Findings) -> str:
    """The whole of RESULTS.md."""
    out = [
        "# Results of `make bench`",
        "",
        f"Written by bench/run.py on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. How it is measured stands in bench/README.md.",
        "",
        *(f"- {line}" for line in machine()),
        *(f"- left out: {line}" for line in found.absent),
        "",
        "## Proxies side by side",
        "",
        f"32 connections, {found.seconds:g} s per round, {max(len(p.loads) for p in found.proxies.values())} alternating "
        "rounds: medians, and least to greatest in parentheses, of ratios round by round; of first bytes the median of all "
        "probes. nginx and Envoy pass calls on and do nothing else; Aforo checks the key, runs the lab's policy (with a managed-identity token) "
        "and records each call with both bodies.",
        "",
        *header(
            "",
            "CPU of the process per call (µs)",
            "against nginx",
            "against Envoy",
            "calls/s",
            "p50 (ms)",
            "p99 (ms)",
            "memory (MB)",
            "first byte of a stream (ms)",
            "added to direct (ms)",
        ),
        *(_proxied(name, found.proxies) for name, proxy in found.proxies.items() if proxy.loads),
    ]
    failed = [
        f"{name}: {sum(load.failed for load in proxy.loads)} answers were no success, "
        f"{sum(load.broken for load in proxy.loads)} connections broke"
        for name, proxy in found.proxies.items()
        if any(load.failed or load.broken for load in proxy.loads)
    ]
    out += ["", *(f"- {line}" for line in failed), "`direct` is the fast upstream itself, without a proxy."]
    out += _records(found)
    if found.queries is not None:
        out += queries.markdown(found.queries)
    return "\n".join(out) + "\n"


def _proxied(name: str, proxies: dict[str, Proxied]) -> str:
    proxy = proxies[name]
    direct, nginx, envoy = (proxies.get(other, Proxied()) for other in ("direct", "nginx", "Envoy"))
    beside = name != "direct"
    first, base = (median(of.first_byte_ms) if of.first_byte_ms else None for of in (proxy, direct))
    return row(
        name,
        spread(proxy.cpu_us, 1),
        ratio(proxy.cpu_us, nginx.cpu_us) if beside else "",
        ratio(proxy.cpu_us, envoy.cpu_us) if beside else "",
        spread([load.rate for load in proxy.loads], 0),
        spread([load.p50_ms for load in proxy.loads]),
        spread([load.p99_ms for load in proxy.loads]),
        f"{proxy.rss_mb:.0f}",
        number(first) if first is not None else "",
        number(first - base) if beside and first is not None and base is not None else "",
    )


def _records(found: Findings) -> list[str]:
    """The part about records, which only Aforo has."""
    if found.rows is None:
        return []
    out = [
        "",
        "## Records",
        "",
        f"- {found.calls:,} calls were answered and {found.rows - found.calls:,} more were under way when a round ended; "
        f"{found.rows:,} rows can be queried, one for each.",
        f"- CPU of the whole system (gateway, shipper, query, control, supervisor) per recorded call, until the last "
        f"row is visible: {spread(found.total_cpu_us, 0)} µs.",
        f"- From the end of a response to its row in a query, no other load: median "
        f"{median(found.idle_visible_s):.2f} s, worst of {len(found.idle_visible_s)} {max(found.idle_visible_s):.2f} s.",
    ]
    if found.visible:
        out += ["", *header("calls/s", "probes", "median until visible (s)", "worst (s)")]
        out += [
            row(f"{v.load.rate:,.0f}", str(len(v.probes)), f"{v.median_s:.2f}", f"{v.worst_s:.2f}")
            for v in found.visible
        ]
        # One slow probe at a rate ends the list: what held at a higher one was luck.
        held = [v.load.rate for v in takewhile(lambda v: v.worst_s < LIMIT_S, found.visible)]
        sentence = f"Highest rate at which every probe was visible within {LIMIT_S:g} s: " + (
            f"{max(held):,.0f} calls/s." if held else "none of those tried."
        )
        out += ["", sentence]
    if found.start_first_s:
        out += [
            "",
            "## Start",
            "",
            f"- `aforo up` until ready, empty data directory: {spread(found.start_first_s)} s; "
            f"again on the same data: {spread(found.start_again_s)} s.",
        ]
    return out
