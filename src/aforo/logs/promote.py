"""Values of a body that have plain columns of their own. It reads parsed JSON only."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from aforo.tables.schema import ColumnType, Promotion

_INT64 = 1 << 63
_TYPES: dict[ColumnType, type] = {ColumnType.STRING: str, ColumnType.LONG: int, ColumnType.BOOL: bool}

# What stands at each path, in the order of the declaration, then the flag.
Promoted = tuple[Any, ...]


class Promoter:
    """Reads the promoted paths of one body column."""

    def __init__(self, promotions: tuple[Promotion, ...]) -> None:
        paths = tuple((p.path, _TYPES[p.type]) for p in promotions)
        # Paths with the same way are neighbours: it is gone once.
        self._groups = tuple(
            (way, tuple((path[-1], path, kind) for path, kind in group))
            for way, group in groupby(paths, key=lambda each: each[0][:-1])
        )
        self.nothing: Promoted = (*(None for _ in promotions), False)
        self._unread: Promoted = (*(None for _ in promotions), True)
        # A text can be indexed too: a path that ends in a number would take a letter for its value.
        if any(isinstance(p.path[-1], int) for p in promotions):
            raise ValueError("a promoted path ends in a name")
        self._marks = tuple({str(p.path[0]).encode() for p in promotions})

    def of_object(self, value: dict[str, Any]) -> Promoted:
        """The values of a body that was parsed."""
        out: list[Any] = []
        odd = False
        for way, leaves in self._groups:
            parent: Any = value
            at: Any
            try:
                for step in way:
                    parent = parent[step]
            except (KeyError, IndexError, TypeError):
                parent = None
            known = type(parent) is dict
            for name, path, kind in leaves:
                if known:
                    at = parent.get(name)
                else:
                    at, crossed = _walk(value, path)
                    odd |= crossed
                other = type(at) is not kind
                if at is not None and (other or (kind is int and not -_INT64 <= at < _INT64)):
                    odd, at = True, None
                out.append(at)
        out.append(odd)
        return tuple(out)

    def of_text(self, body: bytes) -> Promoted:
        """For a body that nobody parsed: nothing, if it cannot have any of the paths; else the text is asked."""
        if b"\\u" in body or any(mark in body for mark in self._marks):
            return self._unread
        return self.nothing


def _walk(value: Any, path: tuple[str | int, ...]) -> tuple[Any, bool]:
    """What stands at a path, step by step, and whether the way crosses a text (which may itself be JSON)."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None, isinstance(value, str)
    return value, False
