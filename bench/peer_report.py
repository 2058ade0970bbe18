"""What the section `Peers` of RESULTS.md says, from what bench/peers.py found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench.load import Load
from bench.processes import ROOT

LOCKS = ROOT / "bench" / "peer_versions"
_PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", re.MULTILINE)


@dataclass(slots=True)
class Seen:
    """Everything that was seen of one gateway. CPU in microseconds per call, times in milliseconds, memory in MB."""

    log: str = "none"
    ready_s: float | None = None
    loads: list[Load] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    whole_cpu_us: list[float] = field(default_factory=list)
    first_byte_ms: list[float] = field(default_factory=list)
    mb: float = 0.0
    whole_mb: float = 0.0
    # Calls of the counting client that were answered, and the rows that the log has of them.
    answered: int = 0
    rows: int | None = None
    settled_s: float = 0.0
    failed: str = ""


@dataclass(slots=True)
class PeerFindings:
    """One run; what was not measured stands in `absent` with its reason."""

    seconds: float
    seen: dict[str, Seen] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)


def versions() -> list[str]:
    """The pinned versions of the peers, from the files that are installed from."""
    found = [
        f"{name} {version}"
        for file in ("litellm.in", "mlflow.in")
        for name, version in _PIN.findall((LOCKS / file).read_text())
    ]
    npm = json.loads((LOCKS / "package.json").read_text())["dependencies"]
    return [*found, *(f"{name} {version}" for name, version in npm.items())]


def markdown(found: PeerFindings) -> list[str]:
    """The section, line by line."""
    rounds = max((len(seen.loads) for seen in found.seen.values()), default=0)
    out = [
        "",
        "## Peers",
        "",
        f"The same scripted fast upstream behind each, 32 connections, {found.seconds:g} s per round, {rounds} alternating "
        "rounds; medians, and least to greatest in parentheses. Each gateway has one worker. "
        f"{', '.join(versions())}; nginx and Envoy pass on and do nothing else.",
        "",
        *(f"- left out: {line}" for line in found.absent),
        *([""] if found.absent else []),
        "| | calls/s | CPU of the gateway per call (µs) | against Aforo | with all that it needs (µs) | p50 (ms) | p99 (ms) "
        "| memory (MB) | with all that it needs (MB) | first byte of a stream, added (ms) | the slowest tenth (ms) | ready after (s) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    direct = found.seen.get("direct")
    aforo = found.seen.get("Aforo")
    for name, seen in found.seen.items():
        if seen.loads:
            out.append(_line(name, seen, direct if name != "direct" else None, aforo))
    failed = [f"- {name}: {why}" for name, seen in found.seen.items() if (why := _failures(seen))]
    out += ["", *failed, *([""] if failed else [])]
    out += [
        "`direct` is the upstream itself. What a gateway needs besides its own processes is the database of its log and "
        "configuration; for Aforo it is the whole system, until the last row can be queried.",
        "",
        "**Rows of the log against calls answered**, counted by a client at 32 connections that waits for each answer:",
        "",
        "| | calls answered | rows | missing | until all were there (s) | its log |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    out += [_rows(name, seen) for name, seen in found.seen.items() if name != "direct" and seen.loads]
    return out


def _line(name: str, seen: Seen, direct: Seen | None, aforo: Seen | None) -> str:
    cpu = median(seen.cpu_us)
    ratio = cpu / median(aforo.cpu_us) if aforo and aforo.cpu_us and name != "direct" else None
    whole = bool(seen.whole_cpu_us)  # only of those that need more than their own processes
    added = late = ""
    if direct and direct.first_byte_ms and seen.first_byte_ms:
        added = f"{median(seen.first_byte_ms) - median(direct.first_byte_ms):.2f}"
        late = f"{_late(seen.first_byte_ms) - _late(direct.first_byte_ms):.2f}"
    cells = [
        name,
        _spread([load.rate for load in seen.loads], lambda v: f"{v:,.0f}"),
        _spread(seen.cpu_us, _short),
        f"{ratio:,.2f}" if ratio is not None else "",
        _spread(seen.whole_cpu_us, _short) if whole else "",
        _short(median(load.p50_ms for load in seen.loads)),
        _short(median(load.p99_ms for load in seen.loads)),
        f"{seen.mb:,.0f}",
        f"{seen.whole_mb:,.0f}" if whole else "",
        added,
        late,
        f"{seen.ready_s:.1f}" if seen.ready_s is not None else "",
    ]
    return f"| {' | '.join(cells)} |"


def _rows(name: str, seen: Seen) -> str:
    if seen.rows is None:
        return f"| {name} |  |  |  |  | {seen.log} |"
    # More rows than answers would be calls that are counted twice.
    missing = seen.answered - seen.rows
    return f"| {name} | {seen.answered:,} | {seen.rows:,} | {missing:,} | {seen.settled_s:.1f} | {seen.log} |"


def _failures(seen: Seen) -> str:
    failed, broken = sum(load.failed for load in seen.loads), sum(load.broken for load in seen.loads)
    said = [seen.failed] if seen.failed else []
    if failed or broken:
        said.append(
            f"{failed:,} answers were no success, {broken:,} connections broke or had no answer within 10 s"
        )
    return "; ".join(said)


def _spread(values: Sequence[float], shown: Callable[[float], str]) -> str:
    if len(values) == 1:
        return shown(values[0])
    return f"{shown(median(values))} ({shown(min(values))} to {shown(max(values))})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _late(values: Sequence[float]) -> float:
    return quantiles(values, n=10)[-1] if len(values) > 1 else values[0]
