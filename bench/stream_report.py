"""What the section `Streams` of RESULTS.md says, from what bench/streams.py found."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, quantiles


@dataclass(slots=True)
class Held:
    """What was seen of one proxy. Memory in KB (1,000 bytes) per stream, CPU in microseconds per event."""

    first_byte_ms: list[float] = field(default_factory=list)
    event_us: list[float] = field(default_factory=list)
    event_rate: list[float] = field(default_factory=list)
    opened: int = 0
    open_s: float = 0.0
    begun_kb: float = 0.0
    held_kb: float = 0.0
    held_event_us: float = 0.0
    events_each: float = 0.0
    ended: int = 0
    rows: int | None = None
    rows_s: float = 0.0
    failed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class StreamFindings:
    """One run; what was not measured stands in `absent` with its reason. `direct` is the upstream without a proxy."""

    wanted: int
    hold_s: float
    seen: dict[str, Held] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)


def markdown(found: StreamFindings) -> list[str]:
    """The section, line by line."""
    proxies = {name: seen for name, seen in found.seen.items() if name != "direct"}
    rounds = max((len(seen.event_us) for seen in proxies.values()), default=0)
    out = ["", "## Streams", ""]
    out += [f"- left out: {line}" for line in found.absent]
    out += [f"- {name}: {why}" for name, seen in proxies.items() for why in seen.failed]
    if len(out) > 3:
        out.append("")
    out += [
        "**Held open** by one worker, each on a connection of its own to client and upstream; memory is what the process "
        f"grew by, over the streams: when each had its first event, and {found.hold_s:g} s later while events came. Aforo "
        "checks the key, runs the lab's policy and will have the row of each with both bodies.",
        "",
        "| | streams at once | KB for each | with its events (KB) | events of each | CPU per event then (µs) | came to their end | rows | until all were there (s) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    out += [_held(name, seen) for name, seen in proxies.items() if seen.opened]
    out += [
        "",
        f"**Events**: 64 streams with an event every 20 ms each; {rounds} alternating rounds, median, and least to greatest "
        "in parentheses. **First byte**: from a request to the first byte of its first event, one call at a time on a kept "
        "connection, taking turns; what the proxy adds to the upstream alone.",
        "",
        "| | CPU per event (µs) | against nginx | against Envoy | events/s | first byte, added (ms) | the slowest tenth (ms) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    out += [_events(name, found) for name in proxies]
    return out


def _held(name: str, seen: Held) -> str:
    cells = [
        name,
        f"{seen.opened:,}",
        f"{seen.begun_kb:.1f}",
        f"{seen.held_kb:.1f}",
        f"{seen.events_each:.1f}",
        f"{seen.held_event_us:.1f}",
        f"{seen.ended:,}",
        f"{seen.rows:,}" if seen.rows is not None else "",
        f"{seen.rows_s:.1f}" if seen.rows is not None else "",
    ]
    return f"| {' | '.join(cells)} |"


def _events(name: str, found: StreamFindings) -> str:
    seen, direct = found.seen[name], found.seen.get("direct")
    cells = [name, "", "", "", "", "", ""]
    if seen.event_us:
        cpu = median(seen.event_us)
        cells[1] = f"{cpu:.1f} ({min(seen.event_us):.1f} to {max(seen.event_us):.1f})"
        for place, other in ((2, "nginx"), (3, "Envoy")):
            beside = found.seen.get(other)
            if beside and beside.event_us:
                cells[place] = f"{cpu / median(beside.event_us):.2f}"
        cells[4] = f"{median(seen.event_rate):,.0f}"
    if seen.first_byte_ms and direct and direct.first_byte_ms:
        cells[5] = f"{median(seen.first_byte_ms) - median(direct.first_byte_ms):.2f}"
        cells[6] = f"{_late(seen.first_byte_ms) - _late(direct.first_byte_ms):.2f}"
    return f"| {' | '.join(cells)} |"


def _late(values: list[float]) -> float:
    return quantiles(values, n=10)[-1] if len(values) > 1 else values[0]
