"""Upstreams that answer after 0, 50 and 500 ms, at a rate that a company has: what is added, what a waiting call costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from bench import load, open_loop
from bench.frontier import sides
from bench.frontier.sides import Place
from bench.frontier.tables import Scale, header, number, row, spread
from bench.frontier.throughput import warm
from bench.open_loop import Seen, quantile_ms

DELAYS_MS = (0, 50, 500)
RATE = 200.0
CONNECTIONS = 256


@dataclass(slots=True)
class Waiting:
    """Runs by system and delay, with the CPU of the process per call in microseconds."""

    runs: dict[tuple[str, int], list[tuple[Seen, float]]] = field(default_factory=dict)


def measure(place: Place, scale: Scale, found: Waiting) -> None:
    """The systems take turns at each delay."""
    with place.sides(sides.RECORDING) as started:
        for side in started:
            warm(side)
        for turn in range(1 if scale.quick else 2):
            for delay in DELAYS_MS:
                for side in started:
                    before = side.cpu_s()
                    seen = open_loop.run(
                        side.port,
                        RATE,
                        scale.seconds * 2,
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
    out = [
        f"{RATE:g} calls per second over {CONNECTIONS} connections; milliseconds, over all calls of the runs. Added: median "
        "against `direct`. `direct` here is nginx in front of the scripted upstream, which the others go through too.",
        "",
        *header("", "upstream waits (ms)", "p50", "p99", "p99.9", "added", "CPU per call (µs)", "failed"),
    ]
    for delay in DELAYS_MS:
        for name in sides.RECORDING:
            got = found.runs.get((name, delay))
            if not got:
                continue
            pooled = [took for seen, _ in got for took in seen.took_us]
            base = [seen.ms(0.5) for seen, _ in found.runs.get((sides.DIRECT, delay), [])]
            added = median(seen.ms(0.5) for seen, _ in got) - median(base) if base else None
            out.append(
                row(
                    name,
                    str(delay),
                    *(number(quantile_ms(pooled, share)) for share in (0.5, 0.99, 0.999)),
                    f"{added:.2f}" if added is not None and name != sides.DIRECT else "",
                    spread([cpu for _, cpu in got], 0),
                    str(sum(seen.failed + seen.broken + seen.unanswered for seen, _ in got)),
                )
            )
    return out
