"""An outage as a person sees it on a terminal: a few lines that stand still while their numbers change, and below them
what happened. The README's first picture is drawn from the same lines (docs/outage_picture.py)."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from aforo.cli import terminal
from aforo.cli.outage.story import CLIENTS, WORKERS, Now, Told
from aforo.control.lab import REGION_PORTS

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

_EVENTS_SHOWN = 8
_BAR = 26


class Picture:
    """A context: shows on the terminal."""

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
        self._live.update(drawn(now, self._events))

    def event(self, at_s: float, what: str) -> None:
        self._events.append((at_s, what))
        self._live.update(drawn(self._now, self._events))


def drawn(now: Now, events: list[tuple[float, str]], told: Told | None = None) -> RenderableType:
    """How it stands, and what happened so far; `told` when all is over."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", min_width=11)
    grid.add_column()
    grid.add_row("load", f"{CLIENTS} clients, {now.calls_s:.0f} calls a second, {now.done} answered")
    for name in REGION_PORTS:
        grid.add_row(f"region {name}", _region(now, name))
    for number in range(WORKERS):
        name = f"gateway-{number}"
        pid = now.workers.get(name)
        grid.add_row(name, Text("killed", "bold red") if pid is None else f"serves, process {pid}")
    grid.add_row("", "")
    grid.add_row("moved", f"{now.more_attempts} calls went on to the other region, within the call")
    grid.add_row("cut", f"{now.cut} answers broke off, and were asked for again")
    failed = Text.assemble(_count(now.failed), " calls")
    rows = Text(f"{now.rows} in the record so far")
    if told is not None:
        failed.append(f", of {told.seen.done}")
        found = told.found
        rows = Text.assemble(
            f"{found.rows}; lost ",
            _count(len(found.lost)),
            ", twice ",
            _count(len(found.doubled)),
        )
    grid.add_row("failed", failed)
    grid.add_row("rows", rows)
    happened = [_event(at_s, what) for at_s, what in events[-_EVENTS_SHOWN:]]
    if told is not None and told.well:
        happened += [Text(""), Text("No call failed. No row is lost, and none is there twice.", "bold green")]
    return Group(grid, Text(""), *happened)


def _region(now: Now, name: str) -> Text:
    from rich.text import Text

    whole = sum(now.regions.values())
    part = now.regions[name] / whole if whole else 0.0
    bar = "█" * round(_BAR * part)
    line = Text.assemble(f"{100 * part:3.0f}%  ", (f"{bar:<{_BAR}}", "cyan"))
    if name in now.down:
        line.append("  killed", "bold red")
    if workers := now.breakers.get(name, 0):
        line.append(f"  breaker open in {workers} of {len(now.workers)}", "yellow")
    return line


def _count(of: int) -> tuple[str, str]:
    """What is to be 0."""
    return str(of), "bold red" if of else "bold green"


def _event(at_s: float, what: str) -> Text:
    from rich.text import Text

    style = "red" if " is killed" in what else ""
    return Text.assemble((f"{at_s:6.1f} s  ", "dim"), (what, style))
