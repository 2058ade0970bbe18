"""The problem of a name that nobody knows. It knows no kind."""

from __future__ import annotations

from aforo.model.kind import Path, Problem
from aforo.nearest import nearest


def unknown(what: str, name: str, known: list[str], path: Path) -> Problem:
    """The problem of a name that is not declared: nearest names, or else all of them, as a hint."""
    close = nearest(name, known)
    hints: tuple[str, ...] = ()
    if close:
        hints = (f"did you mean {' or '.join(repr(c) for c in close)}?",)
    elif known:
        hints = (f"known here: {', '.join(sorted(known))}",)
    return Problem(path, f"{what} {name!r} is not known here", hints)
