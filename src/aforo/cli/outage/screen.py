"""An outage as lines one after the other, for a pipe, and what is said of it in the end."""

from __future__ import annotations

from aforo.cli.outage.story import Now, Told
from aforo.control.lab import REGION_PORTS

_HEAD = "  time  calls/s  east  west  breakers   workers        cut  failed   rows  2+ attempts"


class Silent:
    """Shows nothing: the whole comes as JSON in the end."""

    every_s = 1.0

    def now(self, now: Now) -> None:
        """Not shown."""

    def event(self, at_s: float, what: str) -> None:
        """Not shown."""


class Lines:
    """A line a second, and one for each event."""

    every_s = 1.0

    def __init__(self) -> None:
        print(_HEAD, flush=True)

    def now(self, now: Now) -> None:
        east, west = (_share(now, name) for name in REGION_PORTS)
        workers = " ".join(str(pid) for pid in now.workers.values())
        print(
            f"{now.at_s:6.1f} {now.calls_s:8.0f} {east:>5} {west:>5}  {_breakers(now):<9}  {workers:<13}"
            f" {now.cut:>4} {now.failed:>7} {now.rows:>6} {now.more_attempts:>12}",
            flush=True,
        )

    def event(self, at_s: float, what: str) -> None:
        print(f"{at_s:6.1f}  -- {what}", flush=True)


def print_end(told: Told) -> None:
    """What came of it, in a few sentences."""
    seen, found = told.seen, told.found
    twice = sum(n for attempts, n in found.attempts.items() if attempts > 1)
    refused = sum(1 for status in seen.answered.values() if status != 200)
    lines = [
        "",
        f"calls        {seen.done} answered; the slowest took {seen.slowest_s:.1f} s",
        f"attempts     {twice} calls were given to the next region within the same call",
        f"asked again  {seen.again} by the clients, as the SDKs do: {len(seen.cut)} whose connection was cut,"
        f" {len(seen.broken)} streams that ended with an error, {refused} refused",
        f"failed       {seen.failed}",
        f"rows         {found.rows} for {len(seen.answered)} answers, {told.rows_after_s:.1f} s after the last call;"
        f" {found.cut_with_row} of {len(seen.cut)} cut calls have one too",
        f"rows lost    {len(found.lost)}",
        f"rows twice   {len(found.doubled)}",
    ]
    print("\n".join(lines), flush=True)


def _share(now: Now, name: str) -> str:
    whole = sum(now.regions.values())
    return f"{100 * now.regions[name] / whole:.0f}%" if whole else "-"


def _breakers(now: Now) -> str:
    return " ".join(f"{name} {n}/{len(now.workers)}" for name, n in now.breakers.items()) or "-"
