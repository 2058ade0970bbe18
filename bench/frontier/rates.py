"""Latency at fixed rates, an open loop, several runs with their spread."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench import open_loop
from bench.figures import header, number, row, spread
from bench.frontier import sides
from bench.frontier.sides import Place, Scale
from bench.frontier.throughput import warm
from bench.open_loop import Seen, quantile_ms

RATES = (100, 500, 1000, 2000, 4000)


@dataclass(slots=True)
class Rates:
    """Runs by system and rate, with the CPU of the process per call in microseconds."""

    runs: dict[tuple[str, float], list[tuple[Seen, float]]] = field(default_factory=dict)
    seconds: float = 0.0


def measure(place: Place, scale: Scale, found: Rates) -> None:
    """The systems take turns at each rate, the rates in each run."""
    found.seconds = scale.seconds
    with place.sides(sides.RECORDING) as started:
        for side in started:
            warm(side)
        for turn in range(scale.runs):
            for rate in RATES[::2] if scale.quick else RATES:
                for side in started:
                    before = side.cpu_s()
                    seen = open_loop.run(side.port, rate, scale.seconds, key=side.key, seed=turn)
                    cpu_us = (side.cpu_s() - before) / max(1, seen.answered) * 1e6
                    found.runs.setdefault((side.name, rate), []).append((seen, cpu_us))
                    side.settle(seen.answered, seen.unanswered + seen.broken)


def markdown(found: Rates) -> list[str]:
    """The table."""
    runs = max((len(r) for r in found.runs.values()), default=0)
    out = [
        f"{runs} runs of {found.seconds:g} s at each rate; "
        "p99.9 and the longest over all calls of a rate together.",
        "",
        *header(
            "", "calls/s", "p50 (ms)", "p99 (ms)", "p99.9 (ms)", "longest (ms)", "CPU per call (µs)", "failed"
        ),
    ]
    for rate in RATES:
        for name in sides.RECORDING:
            got = found.runs.get((name, rate))
            if not got:
                continue
            pooled = [took for seen, _ in got for took in seen.took_us]
            out.append(
                row(
                    name,
                    f"{rate:,}",
                    spread([seen.ms(0.5) for seen, _ in got]),
                    spread([seen.ms(0.99) for seen, _ in got]),
                    number(quantile_ms(pooled, 0.999)),
                    number(quantile_ms(pooled, 1.0)),
                    spread([cpu for _, cpu in got], 0),
                    str(sum(seen.failed + seen.broken + seen.unanswered for seen, _ in got)),
                )
            )
    return out
