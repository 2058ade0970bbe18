"""What the section `Streams` of RESULTS.md says, from what bench/streams.py found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from bench.figures import difference, header, late, ratio, row, spread


@dataclass(slots=True)
class Held:
    """Streams that one proxy held at once. Memory in KB (1,000 bytes) per stream, CPU in microseconds per event."""

    opened: int = 0
    open_s: float = 0.0
    begun_kb: float = 0.0
    kb: float = 0.0
    event_us: float = 0.0
    events_each: float = 0.0
    ended: int = 0
    rows: int | None = None
    rows_s: float = 0.0


@dataclass(slots=True)
class Seen:
    """What was seen of one proxy, run by run; of first bytes each run has several."""

    first_byte_ms: list[list[float]] = field(default_factory=list)
    event_us: list[float] = field(default_factory=list)
    event_rate: list[float] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class StreamFindings:
    """All runs; what was not measured stands in `absent` with its reason. `direct` is the upstream without a proxy."""

    wanted: int
    hold_s: float
    seen: dict[str, Seen] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    @property
    def period_s(self) -> float:
        """How often each stream has an event while many are held."""
        return max(1.0, self.hold_s / 3)


def markdown(found: StreamFindings) -> list[str]:
    """The section, line by line."""
    proxies = {name: seen for name, seen in found.seen.items() if name != "direct"}
    runs = max((len(seen.first_byte_ms) for seen in proxies.values()), default=0)
    out = ["", "## Streams", ""]
    out += [f"- left out: {line}" for line in found.absent]
    out += [f"- {name}: {why}" for name, seen in proxies.items() for why in seen.failed]
    if len(out) > 3:
        out.append("")
    out += [
        f"{runs} runs, each with processes that were started for it, the proxies taking turns: medians of the runs, and least to "
        "greatest in parentheses.",
        "",
        "**Held open** by one worker, each on a connection of its own to client and upstream; memory is what the process "
        f"grew by, over the streams: when each had its first event, and {found.hold_s:g} s later, with an event for each every "
        f"{found.period_s:g} s. Aforo checks the key, runs the lab's policy and writes the row of each with both bodies; the "
        "rows are counted after each run. Streams and rows of all runs together.",
        "",
        *header(
            "",
            "streams at once",
            "KB for each",
            "with its events (KB)",
            "events of each",
            "CPU per event then (µs)",
            "opened in all",
            "came to their end",
            "rows",
            "until all were there (s)",
        ),
    ]
    out += [_held(name, seen.held) for name, seen in proxies.items() if seen.held]
    out += [
        "",
        "**Events**: 64 streams with an event every 20 ms each. **First byte**: from a request to the first byte of its first "
        "event, one call at a time on a kept connection, taking turns; what the proxy adds to the upstream alone, to the median "
        "and to where the slowest tenth of a run begins.",
        "",
        *header(
            "",
            "CPU per event (µs)",
            "against nginx",
            "against Envoy",
            "events/s",
            "first byte, added (ms)",
            "the slowest tenth (ms)",
        ),
    ]
    out += [_events(name, found) for name in proxies]
    return out


def _held(name: str, held: list[Held]) -> str:
    counts = {one.opened for one in held}
    rows = [one.rows for one in held if one.rows is not None]
    return row(
        name,
        f"{counts.pop():,}" if len(counts) == 1 else spread([one.opened for one in held], 0),
        spread([one.begun_kb for one in held], 1),
        spread([one.kb for one in held], 1),
        spread([one.events_each for one in held], 1),
        spread([one.event_us for one in held], 1),
        f"{sum(one.opened for one in held):,}",
        f"{sum(one.ended for one in held):,}",
        f"{sum(rows):,}" if rows else "",
        spread([one.rows_s for one in held], 1) if rows else "",
    )


def _events(name: str, found: StreamFindings) -> str:
    seen = found.seen[name]

    def cpu(other: str) -> list[float]:
        return found.seen[other].event_us if other in found.seen else []

    def first(other: str, figure: Callable[[list[float]], float]) -> list[float]:
        return [figure(run) for run in found.seen[other].first_byte_ms if run] if other in found.seen else []

    return row(
        name,
        spread(seen.event_us, 1),
        ratio(seen.event_us, cpu("nginx")),
        ratio(seen.event_us, cpu("Envoy")),
        spread(seen.event_rate, 0),
        difference(first(name, median), first("direct", median)),
        difference(first(name, late), first("direct", late)),
    )
