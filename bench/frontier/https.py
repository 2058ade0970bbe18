"""TLS on the client's side, on and off: CPU per call at full speed, latency at a fixed rate. HTTP/1.1, kept connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from bench import load, open_loop
from bench.frontier import sides
from bench.frontier.sides import Place, Side
from bench.frontier.tables import Scale, header, number, row, spread
from bench.frontier.throughput import warm
from bench.load import Load
from bench.open_loop import Seen, quantile_ms

RATE = 1000.0
SHOWN = (sides.NGINX_LOG, sides.ENVOY_LOG, sides.AFORO)
SCHEMES = ("http", "https")


@dataclass(slots=True)
class Encrypted:
    """Runs by system and scheme: as fast as it goes (with the CPU per call in microseconds), and at the rate."""

    fast: dict[tuple[str, str], list[tuple[Load, float]]] = field(default_factory=dict)
    paced: dict[tuple[str, str], list[Seen]] = field(default_factory=dict)


def measure(place: Place, scale: Scale, found: Encrypted) -> None:
    """The systems take turns, each with both schemes."""
    with place.sides(SHOWN) as started:
        for side in started:
            warm(side)
        for turn in range(1 if scale.quick else 3):
            for side in started:
                for scheme in SCHEMES:
                    _once(place, side, scheme, scale, turn, found)


def _once(place: Place, side: Side, scheme: str, scale: Scale, turn: int, found: Encrypted) -> None:
    port = side.tls_port if scheme == "https" else side.port
    before = side.cpu_s()
    seen = load.run(place.folder, port, 1.0, key=side.key, scheme=scheme)
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
    out = [
        f"As fast as it goes ({load.CONNECTIONS} connections, no handshake in the figures), and p50 and p99 at {RATE:,.0f} calls/s.",
        "",
        *header("", "", "CPU per call (µs)", "TLS adds (µs)", "calls/s", "p50 (ms)", "p99 (ms)", "failed"),
    ]
    for name in SHOWN:
        for scheme in SCHEMES:
            got, paced = found.fast.get((name, scheme)), found.paced.get((name, scheme))
            if not got or not paced:
                continue
            pooled = [took for seen in paced for took in seen.took_us]
            plain = [cpu for _, cpu in found.fast.get((name, "http"), [])]
            added = median(cpu for _, cpu in got) - median(plain) if plain else None
            failed = sum(seen.failed + seen.broken for seen, _ in got)
            failed += sum(seen.failed + seen.broken + seen.unanswered for seen in paced)
            out.append(
                row(
                    name,
                    scheme,
                    spread([cpu for _, cpu in got], 1),
                    f"{added:.1f}" if added is not None and scheme == "https" else "",
                    spread([seen.rate for seen, _ in got], 0),
                    number(quantile_ms(pooled, 0.5)),
                    number(quantile_ms(pooled, 0.99)),
                    str(failed),
                )
            )
    return out
