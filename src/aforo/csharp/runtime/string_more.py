"""Less used members of String: parts of searches, normal forms, copies of characters."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from aforo.csharp.runtime.collections import each
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
)
from aforo.csharp.runtime.limits import made, read, room, work
from aforo.csharp.runtime.strings import (
    compare_fold,
    concat_objects,
    ends_with,
    from_chars,
    index_of_from,
    join,
    length,
    replace,
    starts_with,
    substring,
    to_char_array,
)

# StringComparison.
ORDINAL, ORDINAL_IGNORE_CASE = 4, 5


def _range(at: int, size: int, whole: int, name: str = "startIndex") -> None:
    if not 0 <= at <= whole:
        raise ArgumentOutOfRangeException(f"Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: {name}")  # fmt: skip
    if size < 0 or at > whole - size:
        raise ArgumentOutOfRangeException("Count must be positive and count must refer to a location within the string/array/collection.\r\nParameter name: count")  # fmt: skip


def join_each(separator: str | None, values: Any) -> str:
    """`Join` of what can be enumerated."""
    if values is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: values")
    return join(separator, each(values))


def concat_each(values: Any) -> str:
    return concat_objects(each(values))


def join_part(separator: str | None, values: list[str] | None, at: int, size: int) -> str:
    if values is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    _range(at, size, len(values))
    return join(separator, values[at : at + size])


def starts_folded(text: str, value: str | None, fold: bool, _culture: object = None) -> bool:
    """With a culture behind it, which is the invariant one here."""
    return starts_with(text, value, ORDINAL_IGNORE_CASE if fold else ORDINAL)


def ends_folded(text: str, value: str | None, fold: bool, _culture: object = None) -> bool:
    return ends_with(text, value, ORDINAL_IGNORE_CASE if fold else ORDINAL)


def compare_part(left: str | None, at: int, right: str | None, to: int, size: int, fold: bool = False) -> int:
    if left is None or right is None:
        return int(left is not None) - int(right is not None)
    _range(at, 0, length(left), "indexA")
    _range(to, 0, length(right), "indexB")
    one = substring(left, at, min(size, length(left) - at))
    other = substring(right, to, min(size, length(right) - to))
    return compare_fold(one, other, fold)


def normalize(text: str) -> str:
    """Normal form C."""
    work(len(read(text)) >> 4)
    room(len(text))
    return unicodedata.normalize("NFC", text)


def is_normalized(text: str) -> bool:
    return unicodedata.is_normalized("NFC", read(text))


def replace_with(text: str, old: str | None, new: str | None, comparison: int) -> str:
    if comparison not in (1, 3, 5):
        return replace(text, old, new)
    if not old:
        raise ArgumentException("String cannot be of zero length.\r\nParameter name: oldValue")
    hits = len(re.findall(re.escape(old), read(text), re.IGNORECASE))
    room(len(text) + hits * len(new or ""))
    return re.sub(re.escape(old), lambda _: new or "", text, flags=re.IGNORECASE)


def index_of_part(text: str, value: str | None, at: int, size: int) -> int:
    _range(at, size, length(text))
    return index_of_from(substring(text, 0, at + size), value, at)


def index_of_any_from(text: str, values: list[str], at: int) -> int:
    units = to_char_array(text)
    _range(at, 0, len(units))
    return next((i for i in range(at, len(units)) if units[i] in values), -1)


def last_index_of_from(text: str, value: str | None, at: int) -> int:
    """Searches towards the start, from the character at `at`."""
    from aforo.csharp.runtime.strings import last_index_of

    size = length(text)
    if size == 0:
        return -1 if value else 0
    if not 0 <= at <= size:
        raise ArgumentOutOfRangeException("Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: startIndex")  # fmt: skip
    return last_index_of(substring(text, 0, min(size, at + 1)), value)


def last_index_of_any(text: str, values: list[str]) -> int:
    units = to_char_array(text)
    return next((i for i in range(len(units) - 1, -1, -1) if units[i] in values), -1)


def to_char_array_part(text: str, at: int, size: int) -> list[str]:
    _range(at, size, length(text))
    return to_char_array(substring(text, at, size))


def copy_to(text: str, at: int, target: list[str], to: int, size: int) -> None:
    _range(at, size, length(text), "sourceIndex")
    _range(to, size, len(target), "destinationIndex")
    target[to : to + size] = to_char_array(substring(text, at, size))


def from_chars_part(values: list[str] | None, at: int, size: int) -> str:
    if values is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    _range(at, size, len(values))
    return made(from_chars(values[at : at + size]))
