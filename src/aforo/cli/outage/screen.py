"""An outage as a person sees it: a few lines that change on a terminal, one line after the other in a pipe."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from aforo.cli import terminal
from aforo.cli.outage.story import Now, Told
from aforo.control.lab import REGION_PORTS

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_EVENTS_SHOWN = 8
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


class Picture:
    """A context: the lines stand still and their numbers change, what happened stands below."""

    every_s = 0.25

    def __init__(self) -> None:
        from rich.live import Live

        self._events: list[tuple[float, str]] = []
        self._now = Now(0.0)
        self._live: Live = Live(console=terminal.out(), refresh_per_second=8, transient=False)

    def __enter__(self) -> Picture:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, at)

    def now(self, now: Now) -> None:
        self._now = now
        self._live.update(self._drawn())

    def event(self, at_s: float, what: str) -> None:
        self._events.append((at_s, what))
        self._live.update(self._drawn())

    def _drawn(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        now = self._now
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        grid.add_column()
        bad = "bold red" if now.failed else "bold green"
        grid.add_row("time", f"{now.at_s:.1f} s")
        grid.add_row("calls", f"{now.calls_s:.0f}/s, {now.done} done")
        for name in REGION_PORTS:
            workers = now.breakers.get(name, 0)
            held = (
                Text(f"  breaker open in {workers} of {len(now.workers)} workers", "yellow")
                if workers
                else ""
            )
            whole = sum(now.regions.values())
            bar = "█" * round(30 * now.regions[name] / whole) if whole else ""
            grid.add_row(f"region {name}", Text.assemble(f"{_share(now, name):>5} {bar:<30}", held))
        grid.add_row("workers", "  ".join(f"{name} {pid}" for name, pid in now.workers.items()))
        grid.add_row("attempts", f"{now.more_attempts} calls took more than one")
        grid.add_row("cut", f"{now.cut} (asked again)")
        grid.add_row("failed", Text(str(now.failed), bad))
        grid.add_row("rows", str(now.rows))
        happened = [Text(f"{at:6.1f} s  {what}") for at, what in self._events[-_EVENTS_SHOWN:]]
        return Group(grid, Text(""), *happened)


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
