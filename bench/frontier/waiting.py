"""Upstreams that answer after 0, 50 and 500 ms, at a rate that a company has: what is added, what a waiting call costs."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench import load, open_loop
from bench.figures import difference, header, number, row, spread
from bench.frontier import sides
from bench.frontier.sides import Place, Scale
from bench.frontier.throughput import warm
from bench.open_loop import Seen, quantile_ms

DELAYS_MS = (0, 50, 500)
RATE = 200.0
CONNECTIONS = 256


@dataclass(slots=True)
class Waiting:
    """Runs by system and delay, with the CPU of the process per call in microseconds."""

    runs: dict[tuple[str, int], list[tuple[Seen, float]]] = field(default_factory=dict)
    seconds: float = 0.0


def measure(place: Place, scale: Scale, found: Waiting) -> None:
    """The systems take turns at each delay."""
    with place.sides(sides.RECORDING) as started:
        for side in started:
            warm(side)
        found.seconds = scale.seconds * 2
        for turn in range(scale.runs):
            for delay in DELAYS_MS:
                for side in started:
                    before = side.cpu_s()
                    seen = open_loop.run(
                        side.port,
                        RATE,
                        found.seconds,
                        key=side.key,
                        path=load.PATH.replace("gpt-35-turbo", f"delay-{delay}"),
                        connections=CONNECTIONS,
                        seed=turn,
                    )
                    cpu_us = (side.cpu_s() - before) / max(1, seen.answered) * 1e6
                    found.runs.setdefault((side.name, delay), []).append((seen, cpu_us))
                    side.settle(seen.answered, seen.unanswered + seen.broken)


def markdown(found: Waiting) -> list[str]:
    """The table."""
    runs = max((len(got) for got in found.runs.values()), default=0)
    out = [
        f"{RATE:g} calls per second over {CONNECTIONS} connections, {runs} runs of {found.seconds:g} s; milliseconds, p99.9 over "
        "all calls of the runs together. Added: to the median of `direct`. `direct` here is nginx in front of the scripted upstream, which the others go through too.",
        "",
        *header("", "upstream waits (ms)", "p50", "p99", "p99.9", "added", "CPU per call (µs)", "failed"),
    ]
    for delay in DELAYS_MS:
        for name in sides.RECORDING:
            got = found.runs.get((name, delay))
            if not got:
                continue
            pooled = [took for seen, _ in got for took in seen.took_us]
            middle = [seen.ms(0.5) for seen, _ in got]
            base = [seen.ms(0.5) for seen, _ in found.runs.get((sides.DIRECT, delay), [])]
            out.append(
                row(
                    name,
                    str(delay),
                    spread(middle),
                    spread([seen.ms(0.99) for seen, _ in got]),
                    number(quantile_ms(pooled, 0.999)),
                    difference(middle, base) if name != sides.DIRECT else "",
                    spread([cpu for _, cpu in got], 0),
                    str(sum(seen.failed + seen.broken + seen.unanswered for seen, _ in got)),
                )
            )
    return out
