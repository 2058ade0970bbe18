"""Small streams while one call in a hundred carries 5 MB there and back: does a large one hold the small ones up?"""

from __future__ import annotations

from dataclasses import dataclass, field

from bench import load, open_loop
from bench.figures import header, number, row, spread
from bench.frontier import sides
from bench.frontier.bodies import path_for
from bench.frontier.sides import Place, Scale, Side
from bench.frontier.throughput import warm
from bench.open_loop import Seen, padded, quantile_ms

RATE = 200.0
LARGE = 5 << 20
# Those that pass a stream on as it comes. Envoy with its filter that keeps bodies holds it back to its end.
SHOWN = (sides.DIRECT, sides.NGINX, sides.ENVOY, sides.AFORO)


@dataclass(slots=True)
class Mixed:
    """Streams by system: without large calls (False) and beside them (True); the large calls themselves."""

    runs: dict[tuple[str, bool], list[Seen]] = field(default_factory=dict)
    large: dict[str, list[Seen]] = field(default_factory=dict)
    seconds: float = 0.0


def measure(place: Place, scale: Scale, found: Mixed) -> None:
    """The systems take turns; each alone and then beside large calls."""
    with place.sides(SHOWN) as started:
        for side in started:
            warm(side)
        found.seconds = scale.seconds * 3
        for turn in range(scale.runs):
            for beside in (False, True):
                for side in started:
                    _once(side, found.seconds, turn, found, beside=beside)


def _once(side: Side, seconds: float, turn: int, found: Mixed, *, beside: bool) -> None:
    large = None
    rate = RATE / 99
    if beside:
        large = open_loop.start(
            side.port,
            rate,
            seconds,
            key=side.key,
            path=path_for(LARGE),
            body=padded(LARGE),
            connections=8,
            seed=turn,
        )
    try:
        seen = open_loop.run(
            side.port, RATE, seconds, key=side.key, path=load.STREAM_PATH, seed=turn, first_byte=True
        )
        found.runs.setdefault((side.name, beside), []).append(seen)
        answered, open_ended = seen.answered, seen.unanswered + seen.broken
    finally:
        others = open_loop.finish(large, rate) if large is not None else None
    if others is not None:
        found.large.setdefault(side.name, []).append(others)
        answered += others.answered
        open_ended += others.unanswered + others.broken
    side.settle(answered, open_ended)


def markdown(found: Mixed) -> list[str]:
    """The table."""
    runs = max((len(got) for got in found.runs.values()), default=0)
    out = [
        f"{RATE:g} streams per second of five events (10 ms long, one event at once), and 5 MB there and back in one call of "
        f"a hundred, made by another process; {runs} runs of {found.seconds:g} s. Milliseconds from the moment that was meant; "
        "p99.9 over all streams of the runs together.",
        "",
        *header(
            "",
            "large calls",
            "first byte p50",
            "first byte p99",
            "first byte p99.9",
            "whole stream p99.9",
            "large call p50",
            "failed",
        ),
    ]
    for name in SHOWN:
        for beside in (False, True):
            got = found.runs.get((name, beside))
            if not got:
                continue
            first = [value for seen in got for value in seen.first_us]
            whole = [value for seen in got for value in seen.took_us]
            others = found.large.get(name, []) if beside else []
            out.append(
                row(
                    name,
                    "one in a hundred" if beside else "none",
                    *(spread([quantile_ms(seen.first_us, share) for seen in got]) for share in (0.5, 0.99)),
                    number(quantile_ms(first, 0.999)),
                    number(quantile_ms(whole, 0.999)),
                    spread([seen.ms(0.5) for seen in others if seen.took_us]),
                    str(sum(seen.failed + seen.broken + seen.unanswered for seen in [*got, *others])),
                )
            )
    return out
