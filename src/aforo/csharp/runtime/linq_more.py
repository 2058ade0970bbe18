"""Enumerable's ordering, joining and grouping, and its forms with comparers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cmp_to_key
from typing import Any, Final

from aforo.csharp.runtime.collections import Dictionary, HashSet, List, dictionary_add, each
from aforo.csharp.runtime.limits import count, work
from aforo.csharp.runtime.objects import Obj, TypeInfo
from aforo.csharp.runtime.ordering import compare_values
from aforo.csharp.runtime.strings import StringComparer, comparer_compare
from aforo.csharp.types import Declared, TypeDecl, declare, member

Map = Callable[[Any], Any]


class Grouping(List):
    """`IGrouping<K, T>`."""

    __slots__ = ("group_key",)
    group_key: Any


def group_key(group: Grouping) -> Any:
    return group.group_key


def key_of(value: Any) -> Any:
    """A hashable stand-in under which equal values meet."""
    try:
        hash(value)
    except TypeError:
        return id(value)
    return (type(value), value)


def _folded(comparer: StringComparer | None) -> Map:
    """The stand-in under a comparer."""
    if comparer is None or not comparer.ignore_case:
        return key_of
    return lambda value: value if value is None else comparer.fold(value)


# --- order ----------------------------------------------------------------------------------------------------------------------


class Ordered(list[Any]):
    """What `OrderBy` gives: `levels` are its keys, for `ThenBy`; `source` the elements as they came."""

    __slots__ = ("levels", "source")
    source: list[Any]
    levels: tuple[Any, ...]


def _ordered(source: list[Any], levels: tuple[Any, ...]) -> Ordered:
    items = list(source)
    # From the last key to the first: sorting keeps equal elements in their order, descending too.
    for key, descending, comparer in reversed(levels):
        items.sort(key=_sorter(key, comparer), reverse=descending)
    made = Ordered(items)
    made.source, made.levels = source, levels
    return made


def _sorter(key: Map, comparer: StringComparer | None) -> Map:
    if comparer is None:
        ranked = cmp_to_key(compare_values)
        return lambda x: ranked(key(x))

    def compare(left: Any, right: Any) -> int:
        work(1)
        return comparer_compare(comparer, left, right)

    by = cmp_to_key(compare)
    return lambda x: by(key(x))


def order_by(source: Any, key: Map, comparer: StringComparer | None = None) -> Ordered:
    return _ordered(each(source), ((key, False, comparer),))


def order_by_descending(source: Any, key: Map, comparer: StringComparer | None = None) -> Ordered:
    return _ordered(each(source), ((key, True, comparer),))


def then_by(source: Ordered, key: Map, comparer: StringComparer | None = None) -> Ordered:
    work(len(source))
    return _ordered(source.source, (*source.levels, (key, False, comparer)))


def then_by_descending(source: Ordered, key: Map, comparer: StringComparer | None = None) -> Ordered:
    work(len(source))
    return _ordered(source.source, (*source.levels, (key, True, comparer)))


# --- groups and joins ------------------------------------------------------------------------------------------------------------


def _groups(
    source: Any, key: Map, element: Map | None, comparer: StringComparer | None
) -> dict[Any, Grouping]:
    folded = _folded(comparer)
    groups: dict[Any, Grouping] = {}
    for x in each(source):
        found = key(x)
        at = folded(found)
        group = groups.get(at)
        if group is None:
            group = groups[at] = Grouping()
            group.group_key = found
        group.append(x if element is None else element(x))
    return groups


def group_by(source: Any, key: Map, comparer: StringComparer | None = None) -> list[Grouping]:
    return list(_groups(source, key, None, comparer).values())


def group_elements(
    source: Any, key: Map, element: Map, comparer: StringComparer | None = None
) -> list[Grouping]:
    return list(_groups(source, key, element, comparer).values())


class Lookup(Obj):
    """`ILookup<K, T>`"""

    __slots__ = ("folded", "groups")
    net_name = "System.Linq.Lookup`2"

    def __init__(self, groups: dict[Any, Grouping], folded: Map) -> None:
        self.groups = groups
        self.folded = folded

    def elements(self) -> list[Grouping]:
        return list(self.groups.values())


def to_lookup(source: Any, key: Map, comparer: StringComparer | None = None) -> Lookup:
    return Lookup(_groups(source, key, None, comparer), _folded(comparer))


def to_lookup_elements(source: Any, key: Map, element: Map, comparer: StringComparer | None = None) -> Lookup:
    return Lookup(_groups(source, key, element, comparer), _folded(comparer))


def lookup_at(lookup: Lookup, key: Any) -> list[Any]:
    return lookup.groups.get(lookup.folded(key)) or []


def lookup_has(lookup: Lookup, key: Any) -> bool:
    return lookup.folded(key) in lookup.groups


def lookup_size(lookup: Lookup) -> int:
    return len(lookup.groups)


def join(
    outer: Any, inner: Any, outer_key: Map, inner_key: Map, result: Callable[[Any, Any], Any]
) -> list[Any]:
    groups = _groups(inner, inner_key, None, None)
    out: list[Any] = []
    for x in each(outer):
        for y in groups.get(key_of(outer_key(x)), ()):
            work(1)
            out.append(result(x, y))
            count(len(out))
    return out


def group_join(
    outer: Any, inner: Any, outer_key: Map, inner_key: Map, result: Callable[[Any, Any], Any]
) -> list[Any]:
    groups = _groups(inner, inner_key, None, None)
    return [result(x, list(groups.get(key_of(outer_key(x)), ()))) for x in each(outer)]


# --- with comparers ----------------------------------------------------------------------------------------------------------------


def _unlike(source: Any, folded: Map) -> Iterator[tuple[Any, Any]]:
    seen = set()
    for x in each(source):
        at = folded(x)
        if at not in seen:
            seen.add(at)
            yield at, x


def distinct_by(source: Any, comparer: StringComparer | None) -> list[Any]:
    return [x for _, x in _unlike(source, _folded(comparer))]


def union_by(source: Any, other: Any, comparer: StringComparer | None) -> list[Any]:
    return distinct_by([*each(source), *each(other)], comparer)


def intersect_by(source: Any, other: Any, comparer: StringComparer | None) -> list[Any]:
    folded = _folded(comparer)
    wanted = {folded(x) for x in each(other)}
    return [x for at, x in _unlike(source, folded) if at in wanted]


def except_by(source: Any, other: Any, comparer: StringComparer | None) -> list[Any]:
    folded = _folded(comparer)
    gone = {folded(x) for x in each(other)}
    return [x for at, x in _unlike(source, folded) if at not in gone]


def sequence_equal_by(source: Any, other: Any, comparer: StringComparer | None) -> bool:
    folded = _folded(comparer)
    return [folded(x) for x in each(source)] == [folded(x) for x in each(other)]


def _dictionary(comparer: StringComparer | None) -> Dictionary:
    return Dictionary(comparer.fold if comparer is not None and comparer.ignore_case else None)


def to_dictionary_by(source: Any, key: Map, comparer: StringComparer | None) -> Dictionary:
    made = _dictionary(comparer)
    for x in each(source):
        dictionary_add(made, key(x), x)
    return made


def to_dictionary_elements(source: Any, key: Map, value: Map, comparer: StringComparer | None) -> Dictionary:
    made = _dictionary(comparer)
    for x in each(source):
        dictionary_add(made, key(x), value(x))
    return made


def to_hash_set_by(source: Any, comparer: StringComparer | None) -> HashSet:
    return HashSet(each(source), comparer.fold if comparer is not None and comparer.ignore_case else None)


# --- the rest ------------------------------------------------------------------------------------------------------------------------


def default_or_empty(source: Any, info: TypeInfo) -> list[Any]:
    return each(source) or [info.default]


def take_last(source: Any, number: int) -> list[Any]:
    return each(source)[-number:] if number > 0 else []


def skip_last(source: Any, number: int) -> list[Any]:
    return each(source)[:-number] if number > 0 else each(source)


def aggregate_into(source: Any, seed: Any, run: Callable[[Any, Any], Any], result: Map) -> Any:
    for x in each(source):
        seed = run(seed, x)
    return result(seed)


def long_count(source: Any, test: Callable[[Any], bool] | None = None) -> int:
    return len(each(source)) if test is None else sum(1 for x in each(source) if test(x))


def _orders() -> tuple[Declared, ...]:
    out = []
    for name, kind, run in (
        ("OrderBy", "IEnumerable", order_by), ("OrderByDescending", "IEnumerable", order_by_descending),
        ("ThenBy", "IOrderedEnumerable", then_by), ("ThenByDescending", "IOrderedEnumerable", then_by_descending),
    ):  # fmt: skip
        head = f"static IOrderedEnumerable<T> {name}<T, K>(this {kind}<T> source, Func<T, K> keySelector"
        out += [member(head + ")", run), member(head + ", IComparer<K> comparer)", run)]
    return tuple(out)


def select_many_pairs(source: Any, inner: Callable[[Any], Any], run: Callable[[Any, Any], Any]) -> list[Any]:
    """`SelectMany(x => x.Items, (x, item) => ...)`"""
    out: list[Any] = []
    for x in each(source):
        out.extend(run(x, y) for y in each(inner(x)))
        count(len(out))
    return out


def select_many_indexed(source: Any, inner: Callable[[Any, int], Any]) -> list[Any]:
    out: list[Any] = []
    for at, x in enumerate(each(source)):
        out.extend(each(inner(x, at)))
        count(len(out))
    return out


def group_results(source: Any, key: Callable[[Any], Any], run: Callable[[Any, Any], Any]) -> list[Any]:
    """`GroupBy(x => x.Key, (key, items) => ...)`"""
    return [run(group_key(group), group) for group in group_by(source, key)]


def group_element_results(
    source: Any, key: Callable[[Any], Any], element: Callable[[Any], Any], run: Callable[[Any, Any], Any]
) -> list[Any]:
    return [run(group_key(group), group) for group in group_elements(source, key, element)]


def _groupings() -> tuple[Declared, ...]:
    out = []
    for name, gives, plain, elements in (
        ("GroupBy", "IEnumerable<IGrouping<K, {}>>", group_by, group_elements),
        ("ToLookup", "ILookup<K, {}>", to_lookup, to_lookup_elements),
    ):
        head = f"static {gives.format('T')} {name}<T, K>(this IEnumerable<T> source, Func<T, K> keySelector"
        more = f"static {gives.format('E')} {name}<T, K, E>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, E> elementSelector"
        for signature, run in ((head, plain), (more, elements)):
            out += [member(signature + ")", run), member(signature + ", IEqualityComparer<K> comparer)", run)]
    return tuple(out)


MEMBERS: Final = (
    *_orders(),
    member("static IEnumerable<R> SelectMany<T, C, R>(this IEnumerable<T> source, Func<T, IEnumerable<C>> collectionSelector, Func<T, C, R> resultSelector)", select_many_pairs),
    member("static IEnumerable<R> SelectMany<T, R>(this IEnumerable<T> source, Func<T, int, IEnumerable<R>> selector)", select_many_indexed),
    member("static IEnumerable<R> GroupBy<T, K, R>(this IEnumerable<T> source, Func<T, K> keySelector, Func<K, IEnumerable<T>, R> resultSelector)", group_results),
    member("static IEnumerable<R> GroupBy<T, K, E, R>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, E> elementSelector, Func<K, IEnumerable<E>, R> resultSelector)", group_element_results),
    *_groupings(),
    *(
        member(
            f"static IEnumerable<R> {name}<T, U, K, R>(this IEnumerable<T> outer, IEnumerable<U> inner, Func<T, K> outerKeySelector, Func<U, K> innerKeySelector, Func<T, {second}, R> resultSelector)",
            run,
        )
        for name, second, run in (("Join", "U", join), ("GroupJoin", "IEnumerable<U>", group_join))
    ),
    member("static IEnumerable<T> Distinct<T>(this IEnumerable<T> source, IEqualityComparer<T> comparer)", distinct_by),
    *(
        member(f"static IEnumerable<T> {name}<T>(this IEnumerable<T> first, IEnumerable<T> second, IEqualityComparer<T> comparer)", run)
        for name, run in (("Union", union_by), ("Intersect", intersect_by), ("Except", except_by))
    ),
    member("static bool SequenceEqual<T>(this IEnumerable<T> first, IEnumerable<T> second, IEqualityComparer<T> comparer)", sequence_equal_by),
    member("static Dictionary<K, T> ToDictionary<T, K>(this IEnumerable<T> source, Func<T, K> keySelector, IEqualityComparer<K> comparer)", to_dictionary_by),
    member("static Dictionary<K, V> ToDictionary<T, K, V>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, V> elementSelector, IEqualityComparer<K> comparer)", to_dictionary_elements),
    member("static HashSet<T> ToHashSet<T>(this IEnumerable<T> source, IEqualityComparer<T> comparer)", to_hash_set_by),
    member("static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source)", default_or_empty, typed=True),
    member("static IEnumerable<T> TakeLast<T>(this IEnumerable<T> source, int count)", take_last),
    member("static IEnumerable<T> SkipLast<T>(this IEnumerable<T> source, int count)", skip_last),
    member("static R Aggregate<T, A, R>(this IEnumerable<T> source, A seed, Func<A, T, A> func, Func<A, R> resultSelector)", aggregate_into),
    member("static long LongCount<T>(this IEnumerable<T> source)", long_count),
    member("static long LongCount<T>(this IEnumerable<T> source, Func<T, bool> predicate)", long_count),
)  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare("IGrouping<K, T>", member("K Key", group_key), namespace="System.Linq", kind="interface", bases=("IEnumerable<T>",), python=Grouping),
    declare("IOrderedEnumerable<T>", namespace="System.Linq", kind="interface", bases=("IEnumerable<T>",), python=Ordered),
    declare(
        "ILookup<K, T>",
        member("IEnumerable<T> this[K key]", lookup_at),
        member("bool Contains(K key)", lookup_has),
        member("int Count", lookup_size),
        namespace="System.Linq",
        kind="interface",
        bases=("IEnumerable<IGrouping<K, T>>",),
        python=Lookup,
    ),
)  # fmt: skip
