"""Names that somebody may have meant, for the hints of mistakes. It words nothing."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], limit: int = 3, cutoff: float = 0.6) -> list[str]:
    """The known names closest to `name`, best first; case counts last. None where nothing is close."""
    # Imported here: only mistakes need it, and a gateway makes few.
    from difflib import get_close_matches

    by_folded = {n.lower(): n for n in known}
    return [by_folded[found] for found in get_close_matches(name.lower(), by_folded, limit, cutoff)]
