"""Bodies of 1 KB to 5 MB, in the request and in the answer: calls and bytes per second, CPU per call."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench import load
from bench.figures import header, number, ratio, row, size, spread
from bench.frontier import sides
from bench.frontier.sides import Place, Scale
from bench.frontier.throughput import warm
from bench.load import BODY, Load
from bench.neighbours import ANSWER
from bench.open_loop import padded

SIZES = (1 << 10, *sides.SIZES)
# Connections by size: enough that nobody waits for the load, few enough that it is not memory that is measured.
CONNECTIONS = {1 << 10: 32, 32 << 10: 32, 256 << 10: 16, 5 << 20: 4}
SECONDS = 1.0
SHOWN = (sides.DIRECT, sides.NGINX, sides.NGINX_LOG, sides.ENVOY, sides.ENVOY_LOG, sides.AFORO)


@dataclass(slots=True)
class Bodies:
    """Runs by system and size, with the CPU of the process per call in microseconds."""

    runs: dict[tuple[str, int], list[tuple[Load, float]]] = field(default_factory=dict)
    behind_s: dict[int, list[float]] = field(default_factory=dict)


def path_for(count: int) -> str:
    """Where the answer has that many bytes."""
    return load.PATH.replace("gpt-35-turbo", f"size-{count}") if count in sides.SIZES else load.PATH


def measure(place: Place, scale: Scale, found: Bodies) -> None:
    """As fast as it goes, size by size, the systems taking turns."""
    with place.sides(SHOWN) as started:
        for side in started:
            warm(side)
        for count in (SIZES[0], SIZES[-1]) if scale.quick else SIZES:
            for _ in range(scale.runs):
                for side in started:
                    before = side.cpu_s()
                    seen = load.run(
                        place.folder,
                        side.port,
                        SECONDS,
                        key=side.key,
                        path=path_for(count),
                        body=padded(count),
                        connections=CONNECTIONS[count],
                    )
                    cpu_us = (side.cpu_s() - before) / max(1, seen.calls) * 1e6
                    found.runs.setdefault((side.name, count), []).append((seen, cpu_us))
                    behind_s = side.settle(seen.calls, CONNECTIONS[count])
                    if side.name == sides.AFORO:
                        found.behind_s.setdefault(count, []).append(behind_s)


def markdown(found: Bodies) -> list[str]:
    """The table."""
    smallest = len(BODY) + len(ANSWER)
    runs = max((len(got) for got in found.runs.values()), default=0)
    out = [
        f"Request and answer of that size each (1 KB: the usual call of {smallest:,} bytes together), as fast as it goes with "
        f"{', '.join(f'{number(c, 0)} connections at {size(s)}' for s, c in CONNECTIONS.items())}; {runs} runs of {SECONDS:g} s "
        "of each. MB/s: both directions.",
        "",
        *header(
            "",
            "bodies",
            "calls/s",
            "MB/s",
            "p50 (ms)",
            "p99 (ms)",
            "CPU per call (µs)",
            f"CPU against {sides.NGINX_LOG}",
            "failed",
        ),
    ]
    for count in SIZES:
        for name in SHOWN:
            got = found.runs.get((name, count))
            if not got:
                continue
            cpu = [cpu_us for _, cpu_us in got]
            beside = [cpu_us for _, cpu_us in found.runs.get((sides.NGINX_LOG, count), [])]
            rates = [seen.rate for seen, _ in got]
            both = 2 * count if count in sides.SIZES else smallest
            out.append(
                row(
                    name,
                    size(count),
                    spread(rates, 1),
                    spread([rate * both / 1e6 for rate in rates], 0),
                    spread([seen.p50_ms for seen, _ in got]),
                    spread([seen.p99_ms for seen, _ in got]),
                    spread(cpu, 0),
                    ratio(cpu, beside) if name != sides.DIRECT else "",
                    str(sum(seen.failed + seen.broken for seen, _ in got)),
                )
            )
    if found.behind_s:
        behind = ", ".join(f"{spread(v, 1)} s at {size(s)}" for s, v in found.behind_s.items())
        out += [
            "",
            f"Aforo's last row could be queried after a run: {behind}. It keeps 4 MB of a body and says so in the row.",
        ]
    return out
