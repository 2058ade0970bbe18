"""Value tuples, and what only the compiler calls: checked arithmetic and `bool?` operators."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from aforo.csharp.runtime.exceptions import OverflowException
from aforo.csharp.runtime.limits import room, work
from aforo.csharp.runtime.numbers import RANGES, truncate_to
from aforo.csharp.runtime.objects import Anonymous, to_string


class ValueTuple(Anonymous):
    """`(1, "x")`: its elements are Item1, Item2 and so on, whatever the text calls them."""

    __slots__ = ()
    net_name = "System.ValueTuple"

    def text(self, _spec: str | None = None) -> str:
        work(1)
        inner = ", ".join(to_string(v) for v in self.values)
        room(len(inner) + 2)
        return f"({inner})"


@lru_cache(maxsize=64)
def _names(size: int) -> tuple[str, ...]:
    return tuple(f"Item{i + 1}" for i in range(size))


def make_tuple(*values: Any) -> ValueTuple:
    return ValueTuple(_names(len(values)), *values)


def with_item(value: ValueTuple, at: int, item: Any) -> ValueTuple:
    """Tuples are values: a changed one is another one."""
    return ValueTuple(value.names, *value.values[:at], item, *value.values[at + 1 :])


def map_tuple(value: ValueTuple, convert: Callable[[Any], ValueTuple]) -> ValueTuple:
    return convert(value)


def check(value: int, name: str) -> int:
    """A checked result or conversion: the value, or OverflowException when the type cannot hold it."""
    low, high = RANGES[name]
    if low <= value <= high:
        return value
    raise OverflowException


def check_truncated(value: Any, name: str) -> int:
    """A checked conversion from a number with a fraction."""
    low, high = RANGES[name]
    if value != value or not low - 1 < value < high + 1:
        raise OverflowException
    return truncate_to(value, name)


def either(left: bool | None, right: bool | None) -> bool | None:
    """`|` over `bool?`: true with null is true."""
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def both(left: bool | None, right: bool | None) -> bool | None:
    """`&` over `bool?`: false with null is false."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True
