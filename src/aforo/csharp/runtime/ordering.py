"""`Comparer<T>.Default`: the order that sorting, Min and Max go by."""

from __future__ import annotations

from typing import Any

from aforo.csharp.runtime.exceptions import ArgumentException
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.numbers import compare
from aforo.csharp.runtime.strings import compare_culture


def compare_values(left: Any, right: Any) -> int:
    """Null first, then the values' own order."""
    work(1)
    if left is None or right is None:
        return int(left is not None) - int(right is not None)
    if isinstance(left, str) and isinstance(right, str):
        return compare_culture(left, right)
    try:
        return compare(left, right)
    except TypeError:
        raise ArgumentException("At least one object must implement IComparable.") from None
