"""What the section `Peers` of RESULTS.md says, from what bench/peers.py found."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from statistics import median

from bench.figures import difference, header, late, number, ratio, row, spread
from bench.load import Load
from bench.processes import ROOT

LOCKS = ROOT / "bench" / "peer_versions"
_PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", re.MULTILINE)


@dataclass(slots=True)
class Seen:
    """Everything that was seen of one gateway. CPU in microseconds per call, times in milliseconds, memory in MB.

    Lists have an entry for each round; of first bytes a round has several.
    """

    log: str = "none"
    ready_s: float | None = None
    loads: list[Load] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    whole_cpu_us: list[float] = field(default_factory=list)
    first_byte_ms: list[list[float]] = field(default_factory=list)
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
        "rounds; medians, and least to greatest in parentheses; memory and start once. Each gateway has one worker. "
        f"{', '.join(versions())}. Bare nginx and Envoy pass on and do nothing else; with log and limit they have a limit that "
        "is never reached and a log of bodies, as far as they can.",
        "",
        *(f"- left out: {line}" for line in found.absent),
        *([""] if found.absent else []),
        *header(
            "",
            "calls/s",
            "CPU of the gateway per call (µs)",
            "against Aforo",
            "with all that it needs (µs)",
            "p50 (ms)",
            "p99 (ms)",
            "memory (MB)",
            "with all that it needs (MB)",
            "first byte of a stream, added (ms)",
            "the slowest tenth (ms)",
            "ready after (s)",
        ),
    ]
    direct = found.seen.get("direct")
    aforo = found.seen.get("Aforo")
    for name, seen in found.seen.items():
        if seen.loads:
            out.append(_line(name, seen, direct, aforo))
    failed = [f"- {name}: {why}" for name, seen in found.seen.items() if (why := _failures(seen))]
    out += ["", *failed, *([""] if failed else [])]
    out += [
        "`direct` is the upstream itself. What a gateway needs besides its own processes is the database of its log and "
        "configuration; for Aforo it is the whole system, until the last row can be queried. The first byte is the median "
        "of a round's streams less that of `direct`; the slowest tenth, where it begins, is of the streams of all rounds together.",
        "",
        "**Rows of the log against calls answered**, counted by a client at 32 connections that waits for each answer:",
        "",
        "| | calls answered | rows | missing | until all were there (s) | its log |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    out += [_rows(name, seen) for name, seen in found.seen.items() if name != "direct" and seen.loads]
    return out


def _line(name: str, seen: Seen, direct: Seen | None, aforo: Seen | None) -> str:
    added = slowest = ""
    if direct is not None and direct is not seen:
        ours, bare = ([median(run) for run in one.first_byte_ms if run] for one in (seen, direct))
        added = difference(ours, bare)
        ours, bare = ([took for run in one.first_byte_ms for took in run] for one in (seen, direct))
        slowest = number(late(ours) - late(bare)) if ours and bare else ""
    whole = bool(seen.whole_cpu_us)  # only of those that need more than their own processes
    return row(
        name,
        spread([load.rate for load in seen.loads], 0),
        spread(seen.cpu_us),
        ratio(seen.cpu_us, aforo.cpu_us) if aforo and direct is not seen else "",
        spread(seen.whole_cpu_us),
        spread([load.p50_ms for load in seen.loads]),
        spread([load.p99_ms for load in seen.loads]),
        number(seen.mb, 0),
        number(seen.whole_mb, 0) if whole else "",
        added,
        slowest,
        f"{seen.ready_s:.1f}" if seen.ready_s is not None else "",
    )


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
