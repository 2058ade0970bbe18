"""Calls per second while the 99th percentile stays under 1, 5, 10 and 50 ms: an open loop, searched for each system."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from statistics import median

from bench import open_loop
from bench.figures import header, number, ratio, row
from bench.frontier import sides
from bench.frontier.search import HIGHEST, LOWEST, Search
from bench.frontier.sides import Place, Scale, Side
from bench.open_loop import Seen

LIMITS_MS = (1.0, 5.0, 10.0, 50.0)
# Above this share of a processor the load generator is what is measured.
GENERATOR_SHARE = 0.85
# A generator that was later than this (p99 of a run) was kept from its work.
LATE_MS = 0.5
TRIES = 3
DISTURBED = 20
# Another search is not begun when it would end later than this.
ENOUGH_S = 660.0


@dataclass(slots=True)
class Throughput:
    """Searches by system, and the rates at which the generator itself was at its end."""

    searches: dict[str, list[Search]] = field(default_factory=dict)
    own_end: dict[str, set[float]] = field(default_factory=dict)
    behind_s: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    disturbed: int = 0
    seconds: float = 0.0


def measure(place: Place, scale: Scale, found: Throughput) -> None:
    """The systems take turns, rate by rate; several searches, each with other moments."""
    found.seconds = scale.seconds
    with place.sides(sides.ALL) as started:
        for side in started:
            warm(side)
        tries = 6 if scale.quick else 16
        searching = {side.name: Search(LIMITS_MS, tries=tries) for side in started}
        began = last = time.monotonic()
        for turn in range(scale.runs):
            if turn:
                # On a machine that others use too, one search may take the time of three.
                now = time.monotonic()
                took_s, last = now - last, now
                if now - began + took_s > ENOUGH_S:
                    break
                searching = {name: search.again() for name, search in searching.items()}
            if not turn:
                # What the first search has found counts also when it is cut off; of the others only whole ones.
                found.searches = {name: [search] for name, search in searching.items()}
            while _step(started, searching, found, turn):
                pass
            if turn:
                for name, search in searching.items():
                    found.searches[name].append(search)


def warm(side: Side) -> None:
    """A little load, that what is made on first use is there."""
    side.settle(open_loop.run(side.port, 300, 0.5, key=side.key).answered)


def _step(started: list[Side], searching: dict[str, Search], found: Throughput, turn: int) -> bool:
    """One rate for each system that is not done; whether there was any."""
    any_left = False
    for side in started:
        search = searching[side.name]
        rate = search.next()
        if rate is None:
            continue
        any_left = True
        seen = _undisturbed(side, rate, found, turn * 100 + len(search.points))
        print(f"{side.name}: {rate:,.0f}/s, p99 {seen.ms(0.99):.2f} ms", file=sys.stderr, flush=True)
        search.note(rate, seen.ms(0.99) if seen.is_whole else float("inf"))
        if seen.cpu_s > GENERATOR_SHARE * seen.elapsed_s:
            found.own_end.setdefault(side.name, set()).add(rate)
        else:
            found.late_ms.append(seen.late_p99_ms)
    return any_left


def _undisturbed(side: Side, rate: float, found: Throughput, seed: int) -> Seen:
    """One run; again when the generator was late though it had time, which is the machine's doing and not the system's."""
    for _ in range(TRIES):
        seen = open_loop.run(side.port, rate, found.seconds, key=side.key, seed=seed)
        behind_s = side.settle(seen.answered, seen.unanswered + seen.broken)
        if side.name == sides.AFORO:
            found.behind_s.append(behind_s)
        is_busy = seen.cpu_s > GENERATOR_SHARE * seen.elapsed_s
        if seen.late_p99_ms < LATE_MS or is_busy or found.disturbed >= DISTURBED:
            break
        found.disturbed += 1
    return seen


def _held(values: list[float]) -> str:
    """The rates of some searches; 0 stands for one in which no rate held."""

    def shown(value: float) -> str:
        return number(value, 0) if value >= LOWEST else f"below {LOWEST:g}"

    if len(values) < 2 or not any(values):
        return shown(values[0] if values else 0.0)
    return f"{shown(median(values))} ({shown(min(values))} to {shown(max(values))})"


def markdown(found: Throughput) -> list[str]:
    """The table."""
    out = [
        f"Highest calls per second whose p99 stayed under a limit, loads of {found.seconds:g} s at random moments (Poisson) "
        "over 64 kept connections; latency counts from the moment at which a call was meant. Here a run is a search of its own: "
        f"{max((len(s) for s in found.searches.values()), default=0)} of them, the systems taking turns rate by rate.",
        "",
        *header("", *(f"p99 under {limit:g} ms" for limit in LIMITS_MS)),
    ]
    rates = {
        name: [[s.held(limit) or 0.0 for s in searches if s.points] for limit in LIMITS_MS]
        for name, searches in found.searches.items()
    }
    for name, by_limit in rates.items():
        cells = []
        for limit, values in zip(LIMITS_MS, by_limit, strict=True):
            own = any(
                search.is_open(limit) or (search.broken(limit) or 0.0) in found.own_end.get(name, ())
                for search in found.searches[name]
            )
            text = _held(values)
            cells.append(("at least " if own else "") + text)
        out.append(row(name, *cells))
    if sides.AFORO in rates:
        out += [
            row(
                f"Aforo against {other}",
                *(ratio(a, b) for a, b in zip(rates[sides.AFORO], rates[other], strict=True)),
            )
            for other in (sides.NGINX_LOG, sides.ENVOY_LOG)
            if other in rates
        ]
    out += [
        "",
        f"`at least`: the load generator was at its end there, or {number(HIGHEST, 0)} calls/s were reached.",
    ]
    if found.late_ms:
        out.append(
            f"The generator was late by {number(max(found.late_ms))} ms at worst (p99 of a run); that is part of the latencies. "
            f"{found.disturbed} runs in which it was later than {LATE_MS:g} ms without being busy were made again."
        )
    if found.behind_s:
        out.append(
            "After a run Aforo's last row could be queried within "
            f"{number(max(found.behind_s), 1)} s; each call had its row."
        )
    return out
