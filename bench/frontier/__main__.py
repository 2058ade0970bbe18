"""`python -m bench.frontier [--write | --quick] [--only PART]`: all parts, one after the other, each with a time limit.

A part that fails or takes too long says so where its table would be cut short, and the rest goes on.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from bench import report, sections
from bench.frontier import bodies, https, mixed, rates, slow_disk, throughput, waiting
from bench.frontier.sides import Place, Scale
from bench.processes import can_measure

FULL = Scale(seconds=1.0, runs=5)
QUICK = Scale(seconds=0.5, runs=1, quick=True)


@dataclass(frozen=True, slots=True)
class Part:
    """`limit_s`: how long it may take, all its systems started and stopped."""

    name: str
    title: str
    limit_s: float
    found: Callable[[], Any]
    measure: Callable[[Place, Scale, Any], None]
    markdown: Callable[[Any], list[str]]


PARTS = (
    Part(
        "throughput",
        "Throughput frontier",
        740,
        throughput.Throughput,
        throughput.measure,
        throughput.markdown,
    ),
    Part("rates", "Latency at fixed rates", 240, rates.Rates, rates.measure, rates.markdown),
    Part("bodies", "Large bodies", 420, bodies.Bodies, bodies.measure, bodies.markdown),
    Part("mixed", "Small streams beside large bodies", 240, mixed.Mixed, mixed.measure, mixed.markdown),
    Part("waiting", "Slow upstreams", 240, waiting.Waiting, waiting.measure, waiting.markdown),
    Part("https", "TLS", 180, https.Encrypted, https.measure, https.markdown),
    Part("slow_disk", "A slow disk", 240, slow_disk.SlowDisk, slow_disk.measure, slow_disk.markdown),
)


class TooLongError(Exception):
    """A part reached its time limit."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """TooLongError in the block when it takes longer than that. Main thread only."""

    def over(_signal: int, _frame: FrameType | None) -> None:
        raise TooLongError(f"it took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(part: Part, scale: Scale) -> list[str]:
    """The part's lines, its title first; what was measured before it failed is among them."""
    found = part.found()
    failed = ""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aforo-bench-", ignore_cleanup_errors=True) as name:
        place = Place(Path(name))
        try:
            with limited(part.limit_s):
                part.measure(place, scale, found)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts go on and this one says it
            failed = sections.nameless(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
            print(f"{part.name}: {failed}", *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
    out = ["", f"### {part.title}", "", *part.markdown(found)]
    if failed:
        out += ["", f"**This part was not finished.** {failed}"]
    if place.absent:
        out += ["", *(f"- left out: {side} ({sections.nameless(why)})" for side, why in place.absent.items())]
    if place.rows:
        out += ["", f"Aforo answered {place.calls:,} calls, and {place.rows:,} rows were there at the end."]
    print(f"{part.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return out


def main() -> int:
    """Prints the tables; with `--write` they go into RESULTS.md."""
    parser = argparse.ArgumentParser(prog="bench.frontier", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="three minutes and one run, to see that it works; nothing is written",
    )
    parser.add_argument(
        "--only", choices=[part.name for part in PARTS], action="append", help="a part; may be repeated"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the section into RESULTS.md, in place of its own"
    )
    wanted = parser.parse_args()
    if not can_measure():
        return 1
    scale = QUICK if wanted.quick else FULL
    lines = [
        "",
        "## Frontier",
        "",
        "Open loops, large bodies, slow neighbours. nginx with log and limit writes request bodies into its access log and "
        "has `limit_req`; it cannot log answers. Envoy with log and limit has the local rate limit and writes both bodies, "
        "which a Lua filter keeps for the access log (streams are held back by it). Aforo checks the key, runs the lab's policy "
        f"and records both bodies; after each load its rows are counted. Everything is measured in {scale.runs} runs, the systems "
        "taking turns in each: a figure is the median of the runs, with the least and the greatest in parentheses; where a "
        "figure is set against another one, these are of the runs one by one.",
        "",
        *(f"- {line}" for line in report.machine()),
    ]
    for part in PARTS:
        if not wanted.only or part.name in wanted.only:
            lines += run(part, scale)
    print("\n".join(lines))
    if wanted.write and not wanted.quick:
        sections.write("Frontier", lines, "python -m bench.frontier")
    return 0


if __name__ == "__main__":
    sys.exit(main())
