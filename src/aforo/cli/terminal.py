"""What a person sees: consoles, tables, progress. Colour and motion only on a terminal, plain text in a pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

# Kusto's types that are numbers: aligned to the right, drawn in charts.
NUMBERS = frozenset({"int", "long", "real", "decimal"})
# Longest cell on a terminal; the whole value is in `--format json`.
CELL_WIDTH = 60
# A column of text is not cut below this.
LEAST_WIDTH = 24


def out() -> Console:
    """The console on stdout. Rich itself obeys NO_COLOR and TERM=dumb."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def err() -> Console:
    """The console on stderr: progress, remarks, mistakes."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def is_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout.isatty()


def print_json(value: object) -> None:
    """One JSON document on stdout: indented for a person, one line for a script."""
    print(printable(json.dumps(value, ensure_ascii=False, indent=2 if is_terminal() else None, default=str)))


def text_of(value: Any) -> str:
    """A cell as text: null is empty, lists and objects are JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    numeric: Sequence[bool] = (),
    nothing: str = "no rows",
) -> bool:
    """A table on stdout. On a terminal long cells are cut, and the answer says whether one was.

    In a pipe nothing is cut: columns are aligned with two spaces between them, line ends in values are written
    as `\\n`, so that one row stays one line.
    """
    numeric = tuple(numeric) or (False,) * len(columns)
    if not is_terminal():
        _print_plain(columns, rows, numeric)
        return False
    console = out()
    if not rows:
        console.print(f"[dim]{nothing}[/dim]")
        return False
    cells = [[_one_line(text_of(value)) for value in row] for row in rows]
    widths = _widths(columns, cells, numeric, console.width)
    if widths is None:
        return _print_records(console, columns, cells)
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Cells are Text, never markup: what is printed here may have been written by an attacker.
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name, is_number, width in zip(columns, numeric, widths, strict=True):
        justify: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(Text(name), justify=justify, no_wrap=True, min_width=width, max_width=width)
    cut = False
    for line in cells:
        cut = cut or any(len(text) > width for text, width in zip(line, widths, strict=True))
        table.add_row(*(Text(_cut(text, width)) for text, width in zip(line, widths, strict=True)))
    console.print(table)
    return cut


def _widths(
    columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], room: int
) -> list[int] | None:
    """Widths that fit into `room`: numbers and short columns whole, long ones cut; None when that cannot be."""
    whole = [max([len(name), *(len(line[i]) for line in cells)]) for i, name in enumerate(columns)]
    widths = [min(w, CELL_WIDTH) for w in whole]
    least = [w if is_number else min(w, LEAST_WIDTH) for w, is_number in zip(widths, numeric, strict=True)]
    room -= 3 * len(columns) + 1
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widest = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: widths[i])
        widths[widest] -= 1
    return widths


def _print_records(console: Console, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> bool:
    """Rows with more columns than a terminal has room for, one below the other; empty values are left out."""
    from rich.text import Text

    name_width = max(map(len, columns))
    room = max(LEAST_WIDTH, console.width - name_width - 3)
    cut = False
    for number, line in enumerate(cells, 1):
        console.print(Text(f"row {number}", style="bold"))
        for name, text in zip(columns, line, strict=True):
            if text:
                cut = cut or len(text) > room
                console.print(Text(f"  {name:<{name_width}} {_cut(text, room)}"), no_wrap=True)
    return cut


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _print_plain(columns: Sequence[str], rows: Sequence[Sequence[Any]], numeric: Sequence[bool]) -> None:
    cells = [[_one_line(text_of(v)) for v in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]
    for line in ([_one_line(c) for c in columns], *cells):
        parts = [
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(parts).rstrip())


def _one_line(text: str) -> str:
    """The text without anything that moves a cursor: a logged prompt must not write to somebody's terminal."""
    text = text.replace("\\", "\\\\") if "\n" in text else text
    text = text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
    return printable(text)


def printable(text: str) -> str:
    """The text with control characters made visible, line ends and tabs kept."""
    if text.isprintable():
        return text
    # JSON's escapes, so that a JSON document stays the same document.
    return "".join(c if c.isprintable() or c in "\n\t" else json.dumps(c)[1:-1] for c in text)


@contextmanager
def progress(message: str) -> Iterator[None]:
    """A spinner with a message on stderr while the block runs; nothing in a pipe, nor where codes are unwanted."""
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") in (None, "", "dumb"):
        yield
        return
    with err().status(message):
        yield
