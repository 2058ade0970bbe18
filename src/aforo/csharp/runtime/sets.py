"""HashSet algebra, and less used members of Dictionary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aforo.csharp.runtime.collections import (
    Dictionary,
    HashSet,
    array_index_of,
    dictionary_add,
    each,
    new_dictionary,
)
from aforo.csharp.runtime.exceptions import ArgumentOutOfRangeException
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.strings import StringComparer
from aforo.csharp.types import member


def _as_set(items: HashSet, other: Any) -> HashSet:
    """The other side under the comparer of this one."""
    if isinstance(other, HashSet) and other.fold == items.fold:
        return other
    return HashSet(each(other), items.fold)


def union_with(items: HashSet, other: Any) -> None:
    for value in each(other):
        items.add(value)


def intersect_with(items: HashSet, other: Any) -> None:
    wanted = _as_set(items, other)
    for value in each(items):
        if not wanted.has(value):
            del items[value]


def except_with(items: HashSet, other: Any) -> None:
    gone = _as_set(items, other)
    for value in each(items):
        if gone.has(value):
            del items[value]


def symmetric_except_with(items: HashSet, other: Any) -> None:
    theirs = each(_as_set(items, other))
    both = HashSet((v for v in theirs if items.has(v)), items.fold)
    union_with(items, [v for v in theirs if not both.has(v)])
    except_with(items, both)


def is_subset(items: HashSet, other: Any) -> bool:
    wanted = _as_set(items, other)
    return all(wanted.has(v) for v in each(items))


def is_superset(items: HashSet, other: Any) -> bool:
    return all(items.has(v) for v in each(other))


def is_proper_subset(items: HashSet, other: Any) -> bool:
    return is_subset(items, other) and len(items) < len(_as_set(items, other))


def is_proper_superset(items: HashSet, other: Any) -> bool:
    return is_superset(items, other) and len(items) > len(_as_set(items, other))


def overlaps(items: HashSet, other: Any) -> bool:
    return any(items.has(v) for v in each(other))


def set_equals(items: HashSet, other: Any) -> bool:
    return len(items) == len(_as_set(items, other)) and is_superset(items, other)


def remove_where(items: HashSet, match: Callable[[Any], bool]) -> int:
    gone = [v for v in each(items) if match(v)]
    for value in gone:
        del items[value]
    return len(gone)


# --- Dictionary ------------------------------------------------------------------------------------------------------------


def new_sized(capacity: int, comparer: StringComparer | None = None) -> Dictionary:
    if capacity < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: capacity")
    return new_dictionary(comparer)


def copy_comparing(source: Any, comparer: StringComparer | None) -> Dictionary:
    made = new_dictionary(comparer)
    for pair in each(source):
        dictionary_add(made, pair.pair[0], pair.pair[1])
    return made


def has_value(items: dict[Any, Any], value: Any) -> bool:
    work(len(items))
    return array_index_of(list(items.values()), value) >= 0


MEMBERS: Final = (
    member("void UnionWith(IEnumerable<T> other)", union_with),
    member("void IntersectWith(IEnumerable<T> other)", intersect_with),
    member("void ExceptWith(IEnumerable<T> other)", except_with),
    member("void SymmetricExceptWith(IEnumerable<T> other)", symmetric_except_with),
    member("bool IsSubsetOf(IEnumerable<T> other)", is_subset),
    member("bool IsSupersetOf(IEnumerable<T> other)", is_superset),
    member("bool IsProperSubsetOf(IEnumerable<T> other)", is_proper_subset),
    member("bool IsProperSupersetOf(IEnumerable<T> other)", is_proper_superset),
    member("bool Overlaps(IEnumerable<T> other)", overlaps),
    member("bool SetEquals(IEnumerable<T> other)", set_equals),
    member("int RemoveWhere(Predicate<T> match)", remove_where),
)
