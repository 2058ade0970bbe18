"""TLS on the client's side, on and off: CPU per call at full speed, latency at a fixed rate. HTTP/1.1, kept connections."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench import load, open_loop
from bench.figures import difference, header, row, spread
from bench.frontier import sides
from bench.frontier.sides import Place, Scale, Side
from bench.frontier.throughput import warm
from bench.load import Load
from bench.open_loop import Seen

RATE = 1000.0
FAST_S = 1.0
SHOWN = (sides.NGINX_LOG, sides.ENVOY_LOG, sides.AFORO)
SCHEMES = ("http", "https")


@dataclass(slots=True)
class Encrypted:
    """Runs by system and scheme: as fast as it goes (with the CPU per call in microseconds), and at the rate."""

    fast: dict[tuple[str, str], list[tuple[Load, float]]] = field(default_factory=dict)
    paced: dict[tuple[str, str], list[Seen]] = field(default_factory=dict)
    seconds: float = 0.0


def measure(place: Place, scale: Scale, found: Encrypted) -> None:
    """The systems take turns, each with both schemes."""
    with place.sides(SHOWN) as started:
        for side in started:
            warm(side)
        found.seconds = scale.seconds
        for turn in range(scale.runs):
            for side in started:
                for scheme in SCHEMES:
                    _once(place, side, scheme, scale, turn, found)


def _once(place: Place, side: Side, scheme: str, scale: Scale, turn: int, found: Encrypted) -> None:
    port = side.tls_port if scheme == "https" else side.port
    before = side.cpu_s()
    seen = load.run(place.folder, port, FAST_S, key=side.key, scheme=scheme)
    found.fast.setdefault((side.name, scheme), []).append(
        (seen, (side.cpu_s() - before) / max(1, seen.calls) * 1e6)
    )
    side.settle(seen.calls, load.CONNECTIONS)
    ca = side.ca if scheme == "https" else ""
    paced = open_loop.run(port, RATE, scale.seconds, key=side.key, ca=ca, seed=turn)
    found.paced.setdefault((side.name, scheme), []).append(paced)
    side.settle(paced.answered, paced.unanswered + paced.broken)


def markdown(found: Encrypted) -> list[str]:
    """The table."""
    runs = max((len(got) for got in found.fast.values()), default=0)
    out = [
        f"As fast as it goes ({load.CONNECTIONS} connections, no handshake in the figures), {runs} runs of {FAST_S:g} s; p50 and "
        f"p99 of as many runs of {found.seconds:g} s at {RATE:,.0f} calls/s.",
        "",
        *header("", "", "CPU per call (µs)", "TLS adds (µs)", "calls/s", "p50 (ms)", "p99 (ms)", "failed"),
    ]
    for name in SHOWN:
        for scheme in SCHEMES:
            got, paced = found.fast.get((name, scheme)), found.paced.get((name, scheme))
            if not got or not paced:
                continue
            cpu = [cpu_us for _, cpu_us in got]
            plain = [cpu_us for _, cpu_us in found.fast.get((name, "http"), [])]
            failed = sum(seen.failed + seen.broken for seen, _ in got)
            failed += sum(seen.failed + seen.broken + seen.unanswered for seen in paced)
            out.append(
                row(
                    name,
                    scheme,
                    spread(cpu, 1),
                    difference(cpu, plain, 1) if scheme == "https" else "",
                    spread([seen.rate for seen, _ in got], 0),
                    spread([seen.ms(0.5) for seen in paced]),
                    spread([seen.ms(0.99) for seen in paced]),
                    str(failed),
                )
            )
    return out
