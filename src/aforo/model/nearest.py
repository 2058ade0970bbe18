"""Names that somebody may have meant. It knows no kind."""

from __future__ import annotations

import difflib

from aforo.model.kind import Path, Problem


def nearest(name: str, known: list[str], limit: int = 3) -> list[str]:
    """The known names closest to `name`, best first; none when nothing is close."""
    folded = {k.lower(): k for k in known}
    return [folded[n] for n in difflib.get_close_matches(name.lower(), folded, limit, 0.55)]


def unknown(what: str, name: str, known: list[str], path: Path) -> Problem:
    """The problem of a name that is not declared: nearest names, or else all of them, as a hint."""
    close = nearest(name, known)
    hints: tuple[str, ...] = ()
    if close:
        hints = (f"did you mean {' or '.join(repr(c) for c in close)}?",)
    elif known:
        hints = (f"known here: {', '.join(sorted(known))}",)
    return Problem(path, f"{what} {name!r} is not known here", hints)
