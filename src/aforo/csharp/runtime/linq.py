"""System.Linq.Enumerable. Results are lists made at once: laziness is not observable without side effects."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cmp_to_key
from typing import Any, Final

from aforo.csharp.runtime.collections import Dictionary, HashSet, List, dictionary_add, each, list_contains
from aforo.csharp.runtime.exceptions import (
    ArgumentOutOfRangeException,
    InvalidOperationException,
    OverflowException,
)
from aforo.csharp.runtime.limits import count, work
from aforo.csharp.runtime.linq_more import MEMBERS, key_of
from aforo.csharp.runtime.linq_more import TYPES as MORE
from aforo.csharp.runtime.numbers import RANGES, divide_decimal
from aforo.csharp.runtime.objects import TypeInfo, is_instance
from aforo.csharp.runtime.ordering import compare_values
from aforo.csharp.types import Declared, TypeDecl, declare, member

Test = Callable[[Any], bool]
Map = Callable[[Any], Any]
_EMPTY: Final = "Sequence contains no elements"
_NONE: Final = "Sequence contains no matching element"
_MORE: Final = "Sequence contains more than one element"


def select(source: Any, run: Map) -> list[Any]:
    return [run(x) for x in each(source)]


def select_indexed(source: Any, run: Callable[[Any, int], Any]) -> list[Any]:
    return [run(x, i) for i, x in enumerate(each(source))]


def select_many(source: Any, run: Map) -> list[Any]:
    out: list[Any] = []
    for x in each(source):
        out.extend(each(run(x)))
        count(len(out))
    return out


def where(source: Any, test: Test) -> list[Any]:
    return [x for x in each(source) if test(x)]


def where_indexed(source: Any, test: Callable[[Any, int], bool]) -> list[Any]:
    return [x for i, x in enumerate(each(source)) if test(x, i)]


def any_(source: Any, test: Test | None = None) -> bool:
    items = each(source)
    return bool(items) if test is None else any(test(x) for x in items)


def all_(source: Any, test: Test) -> bool:
    return all(test(x) for x in each(source))


def count_(source: Any, test: Test | None = None) -> int:
    return len(each(source)) if test is None else sum(1 for x in each(source) if test(x))


def first(source: Any, test: Test | None = None) -> Any:
    for x in each(source):
        if test is None or test(x):
            return x
    raise InvalidOperationException(_EMPTY if test is None else _NONE)


def first_or(source: Any, info: TypeInfo, test: Test | None = None) -> Any:
    return next((x for x in each(source) if test is None or test(x)), info.default)


def last(source: Any, test: Test | None = None) -> Any:
    for x in reversed(each(source)):
        if test is None or test(x):
            return x
    raise InvalidOperationException(_EMPTY if test is None else _NONE)


def last_or(source: Any, info: TypeInfo, test: Test | None = None) -> Any:
    return next((x for x in reversed(each(source)) if test is None or test(x)), info.default)


def single(source: Any, test: Test | None = None) -> Any:
    items = each(source) if test is None else where(source, test)
    if not items:
        raise InvalidOperationException(_EMPTY if test is None else _NONE)
    if len(items) > 1:
        raise InvalidOperationException(_MORE)
    return items[0]


def single_or(source: Any, info: TypeInfo, test: Test | None = None) -> Any:
    items = each(source) if test is None else where(source, test)
    if len(items) > 1:
        raise InvalidOperationException(_MORE)
    return items[0] if items else info.default


def element_at(source: Any, index: int) -> Any:
    items = each(source)
    if not 0 <= index < len(items):
        raise ArgumentOutOfRangeException(
            "Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: index"
        )
    return items[index]


def element_at_or(source: Any, info: TypeInfo, index: int) -> Any:
    items = each(source)
    return items[index] if 0 <= index < len(items) else info.default


def contains(source: Any, value: Any) -> bool:
    return source.has(value) if isinstance(source, HashSet) else list_contains(each(source), value)


def contains_comparer(source: Any, value: Any, comparer: Any) -> bool:
    return any(comparer.fold(x) == comparer.fold(value) for x in each(source) if x is not None)


def to_array(source: Any) -> Any:
    return bytearray(source) if isinstance(source, bytearray) else list(each(source))


def to_list(source: Any) -> List:
    return List(each(source))


def to_hash_set(source: Any) -> HashSet:
    return HashSet(each(source))


def to_dictionary(source: Any, key: Map, value: Map | None = None) -> Dictionary:
    made = Dictionary()
    for x in each(source):
        dictionary_add(made, key(x), x if value is None else value(x))
    return made


def concat(source: Any, other: Any) -> list[Any]:
    left, right = each(source), each(other)
    count(len(left) + len(right))
    work(len(left) + len(right))
    return [*left, *right]


def append(source: Any, value: Any) -> list[Any]:
    return [*each(source), value]


def prepend(source: Any, value: Any) -> list[Any]:
    return [value, *each(source)]


def distinct(source: Any) -> list[Any]:
    seen: dict[Any, Any] = {}
    for x in each(source):
        seen.setdefault(key_of(x), x)
    return list(seen.values())


def union(source: Any, other: Any) -> list[Any]:
    return distinct(concat(source, other))


def intersect(source: Any, other: Any) -> list[Any]:
    keys = {key_of(x) for x in each(other)}
    return [x for x in distinct(source) if key_of(x) in keys]


def except_(source: Any, other: Any) -> list[Any]:
    keys = {key_of(x) for x in each(other)}
    return [x for x in distinct(source) if key_of(x) not in keys]


def skip(source: Any, number: int) -> list[Any]:
    return each(source)[max(0, number) :]


def take(source: Any, number: int) -> list[Any]:
    return each(source)[: max(0, number)]


def skip_while(source: Any, test: Test) -> list[Any]:
    items = each(source)
    at = next((i for i, x in enumerate(items) if not test(x)), len(items))
    return items[at:]


def take_while(source: Any, test: Test) -> list[Any]:
    items = each(source)
    return items[: next((i for i, x in enumerate(items) if not test(x)), len(items))]


def reverse(source: Any) -> list[Any]:
    return each(source)[::-1]


def aggregate(source: Any, run: Callable[[Any, Any], Any]) -> Any:
    items = each(source)
    if not items:
        raise InvalidOperationException(_EMPTY)
    total = items[0]
    for x in items[1:]:
        total = run(total, x)
    return total


def aggregate_from(source: Any, seed: Any, run: Callable[[Any, Any], Any]) -> Any:
    for x in each(source):
        seed = run(seed, x)
    return seed


def zip_(source: Any, other: Any, run: Callable[[Any, Any], Any]) -> list[Any]:
    return [run(a, b) for a, b in zip(each(source), each(other), strict=False)]


def of_type(source: Any, info: TypeInfo) -> list[Any]:
    return [x for x in each(source) if is_instance(x, info.python)]


def cast(source: Any, info: TypeInfo) -> list[Any]:
    return [info.cast(x) for x in each(source)]


def default_if_empty(source: Any, value: Any) -> list[Any]:
    return each(source) or [value]


def sequence_equal(source: Any, other: Any) -> bool:
    return [key_of(x) for x in each(source)] == [key_of(x) for x in each(other)]


def _checked(total: int, name: str) -> int:
    low, high = RANGES[name]
    if not low <= total <= high:
        raise OverflowException
    return total


def sum_int(source: Any, run: Map | None = None) -> int:
    return _checked(sum(each(source) if run is None else map(run, each(source))), "int")


def sum_long(source: Any, run: Map | None = None) -> int:
    return _checked(sum(each(source) if run is None else map(run, each(source))), "long")


def sum_double(source: Any, run: Map | None = None) -> float:
    return float(sum(each(source) if run is None else map(run, each(source))))


def sum_decimal(source: Any, run: Map | None = None) -> Decimal:
    return sum(each(source) if run is None else map(run, each(source)), Decimal(0))


def _values(source: Any, run: Map | None) -> list[Any]:
    items = each(source) if run is None else [run(x) for x in each(source)]
    items = [x for x in items if x is not None]
    if not items:
        raise InvalidOperationException(_EMPTY)
    return items


def min_(source: Any, run: Map | None = None) -> Any:
    return min(_values(source, run), key=cmp_to_key(compare_values))


def max_(source: Any, run: Map | None = None) -> Any:
    return max(_values(source, run), key=cmp_to_key(compare_values))


def average(source: Any, run: Map | None = None) -> float:
    items = _values(source, run)
    return float(sum(items)) / len(items)


def range_(start: int, number: int) -> list[int]:
    if number < 0 or start + number - 1 > 2**31 - 1:
        raise ArgumentOutOfRangeException(
            "Specified argument was out of the range of valid values.\r\nParameter name: count"
        )
    count(number)
    work(number)
    return list(range(start, start + number))


def repeat(value: Any, number: int) -> list[Any]:
    if number < 0:
        raise ArgumentOutOfRangeException(
            "Specified argument was out of the range of valid values.\r\nParameter name: count"
        )
    count(number)
    work(number)
    return [value] * number


def empty() -> list[Any]:
    return []


def _present(source: Any, run: Map | None) -> list[Any]:
    items = each(source) if run is None else [run(x) for x in each(source)]
    return [x for x in items if x is not None]


def average_decimal(source: Any, run: Map | None = None) -> Decimal:
    items = _values(source, run)
    return divide_decimal(sum(items, Decimal(0)), Decimal(len(items)))


def average_nullable(source: Any, run: Map | None = None) -> float | None:
    items = _present(source, run)
    return average(items) if items else None


def average_decimal_nullable(source: Any, run: Map | None = None) -> Decimal | None:
    items = _present(source, run)
    return average_decimal(items) if items else None


def _nullable_sum(run: Map) -> Callable[..., Any]:
    def total(source: Any, of: Map | None = None) -> Any:
        return run(_present(source, of))

    total.__qualname__ = f"{run.__name__}_nullable"
    return total


def _sums() -> tuple[Declared, ...]:
    """Of numbers, and of numbers that may be null: those do not count."""
    out = []
    sums = (("int", sum_int), ("long", sum_long), ("double", sum_double), ("decimal", sum_decimal))
    means = (("int", average), ("long", average), ("double", average), ("decimal", average_decimal))
    for name, run in (*sums, *((f"{name}?", _nullable_sum(run)) for name, run in sums)):
        out.append(member(f"static {name} Sum(this IEnumerable<{name}> source)", run))
        out.append(member(f"static {name} Sum<T>(this IEnumerable<T> source, Func<T, {name}> selector)", run))
    for name, mean in means:
        maybe = average_decimal_nullable if name == "decimal" else average_nullable
        for mark, own in (("", mean), ("?", maybe)):
            gives = ("decimal" if name == "decimal" else "double") + mark
            out.append(member(f"static {gives} Average(this IEnumerable<{name}{mark}> source)", own))
            out.append(
                member(
                    f"static {gives} Average<T>(this IEnumerable<T> source, Func<T, {name}{mark}> selector)",
                    own,
                )
            )
    return tuple(out)


TYPES: Final[tuple[TypeDecl, ...]] = (
    *MORE,
    declare(
        "Enumerable",
        member("static IEnumerable<R> Select<T, R>(this IEnumerable<T> source, Func<T, R> selector)", select),
        member(
            "static IEnumerable<R> Select<T, R>(this IEnumerable<T> source, Func<T, int, R> selector)",
            select_indexed,
        ),
        member(
            "static IEnumerable<R> SelectMany<T, R>(this IEnumerable<T> source, Func<T, IEnumerable<R>> selector)",
            select_many,
        ),
        member("static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, bool> predicate)", where),
        member(
            "static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, int, bool> predicate)",
            where_indexed,
        ),
        member("static bool Any<T>(this IEnumerable<T> source)", any_),
        member("static bool Any<T>(this IEnumerable<T> source, Func<T, bool> predicate)", any_),
        member("static bool All<T>(this IEnumerable<T> source, Func<T, bool> predicate)", all_),
        member("static int Count<T>(this IEnumerable<T> source)", count_),
        member("static int Count<T>(this IEnumerable<T> source, Func<T, bool> predicate)", count_),
        member("static T First<T>(this IEnumerable<T> source)", first),
        member("static T First<T>(this IEnumerable<T> source, Func<T, bool> predicate)", first),
        member("static T? FirstOrDefault<T>(this IEnumerable<T> source)", first_or, typed=True),
        member(
            "static T? FirstOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
            first_or,
            typed=True,
        ),
        member("static T Last<T>(this IEnumerable<T> source)", last),
        member("static T Last<T>(this IEnumerable<T> source, Func<T, bool> predicate)", last),
        member("static T? LastOrDefault<T>(this IEnumerable<T> source)", last_or, typed=True),
        member(
            "static T? LastOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
            last_or,
            typed=True,
        ),
        member("static T Single<T>(this IEnumerable<T> source)", single),
        member("static T Single<T>(this IEnumerable<T> source, Func<T, bool> predicate)", single),
        member("static T? SingleOrDefault<T>(this IEnumerable<T> source)", single_or, typed=True),
        member(
            "static T? SingleOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
            single_or,
            typed=True,
        ),
        member("static T ElementAt<T>(this IEnumerable<T> source, int index)", element_at),
        member(
            "static T? ElementAtOrDefault<T>(this IEnumerable<T> source, int index)",
            element_at_or,
            typed=True,
        ),
        member("static bool Contains<T>(this IEnumerable<T> source, T value)", contains),
        member(
            "static bool Contains<T>(this IEnumerable<T> source, T value, IEqualityComparer<T> comparer)",
            contains_comparer,
        ),
        member("static T[] ToArray<T>(this IEnumerable<T> source)", to_array),
        member("static List<T> ToList<T>(this IEnumerable<T> source)", to_list),
        member("static HashSet<T> ToHashSet<T>(this IEnumerable<T> source)", to_hash_set),
        member(
            "static Dictionary<K, T> ToDictionary<T, K>(this IEnumerable<T> source, Func<T, K> keySelector)",
            to_dictionary,
        ),
        member(
            "static Dictionary<K, V> ToDictionary<T, K, V>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, V> elementSelector)",
            to_dictionary,
        ),
        member("static IEnumerable<T> Concat<T>(this IEnumerable<T> first, IEnumerable<T> second)", concat),
        member("static IEnumerable<T> Append<T>(this IEnumerable<T> source, T element)", append),
        member("static IEnumerable<T> Prepend<T>(this IEnumerable<T> source, T element)", prepend),
        member("static IEnumerable<T> Distinct<T>(this IEnumerable<T> source)", distinct),
        member("static IEnumerable<T> Union<T>(this IEnumerable<T> first, IEnumerable<T> second)", union),
        member(
            "static IEnumerable<T> Intersect<T>(this IEnumerable<T> first, IEnumerable<T> second)", intersect
        ),
        member("static IEnumerable<T> Except<T>(this IEnumerable<T> first, IEnumerable<T> second)", except_),
        member("static IEnumerable<T> Skip<T>(this IEnumerable<T> source, int count)", skip),
        member("static IEnumerable<T> Take<T>(this IEnumerable<T> source, int count)", take),
        member(
            "static IEnumerable<T> SkipWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
            skip_while,
        ),
        member(
            "static IEnumerable<T> TakeWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
            take_while,
        ),
        member("static IEnumerable<T> Reverse<T>(this IEnumerable<T> source)", reverse),
        *MEMBERS,
        member("static T Aggregate<T>(this IEnumerable<T> source, Func<T, T, T> func)", aggregate),
        member(
            "static A Aggregate<T, A>(this IEnumerable<T> source, A seed, Func<A, T, A> func)", aggregate_from
        ),
        member(
            "static IEnumerable<R> Zip<T, S, R>(this IEnumerable<T> first, IEnumerable<S> second, Func<T, S, R> resultSelector)",
            zip_,
        ),
        member("static IEnumerable<R> OfType<R>(this IEnumerable<object> source)", of_type, typed=True),
        member("static IEnumerable<R> Cast<R>(this IEnumerable<object> source)", cast, typed=True),
        member(
            "static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source, T defaultValue)",
            default_if_empty,
        ),
        member(
            "static bool SequenceEqual<T>(this IEnumerable<T> first, IEnumerable<T> second)", sequence_equal
        ),
        member("static IEnumerable<T> AsEnumerable<T>(this IEnumerable<T> source)", each),
        member("static T Min<T>(this IEnumerable<T> source)", min_),
        member("static K Min<T, K>(this IEnumerable<T> source, Func<T, K> selector)", min_),
        member("static T Max<T>(this IEnumerable<T> source)", max_),
        member("static K Max<T, K>(this IEnumerable<T> source, Func<T, K> selector)", max_),
        *_sums(),
        member("static IEnumerable<int> Range(int start, int count)", range_),
        member("static IEnumerable<T> Repeat<T>(T element, int count)", repeat),
        member("static IEnumerable<T> Empty<T>()", empty),
        namespace="System.Linq",
        kind="static",
    ),
)
