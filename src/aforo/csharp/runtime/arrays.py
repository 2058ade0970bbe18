"""Less used members of arrays and lists: searching, converting, copying, enumerators."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any, Final

from aforo.csharp.runtime.collections import (
    HashSet,
    List,
    array_copy_from,
    array_index_of,
    each,
    list_add,
    list_clear,
    list_remove,
)
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    IndexOutOfRangeException,
    InvalidOperationException,
    NotSupportedException,
)
from aforo.csharp.runtime.limits import count, room, work
from aforo.csharp.runtime.objects import Obj, TypeInfo, equals
from aforo.csharp.runtime.ordering import compare_values
from aforo.csharp.types import member

Test = Callable[[Any], bool]


class ReadOnlyList(List):
    """`ReadOnlyCollection<T>`, of `AsReadOnly()`."""

    __slots__ = ()
    net_name = "System.Collections.ObjectModel.ReadOnlyCollection`1"


class Enumerator(Obj):
    __slots__ = ("at", "items")
    net_name = "System.Collections.Generic.List`1+Enumerator"

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.at = -1


def enumerator(source: Any) -> Enumerator:
    return Enumerator(each(source))


def move_next(one: Enumerator) -> bool:
    one.at = min(one.at + 1, len(one.items))
    return one.at < len(one.items)


def current(one: Enumerator) -> Any:
    if not 0 <= one.at < len(one.items):
        raise InvalidOperationException("Enumeration has either not started or has already finished.")
    return one.items[one.at]


def reset(one: Enumerator) -> None:
    one.at = -1


def dispose(_one: Enumerator) -> None:
    """Nothing is held."""


# --- collections through their interfaces ---------------------------------------------------------------------------------


def is_fixed(items: Any) -> bool:
    """`IsReadOnly`: an array says so of itself as a collection."""
    return isinstance(items, ReadOnlyList) or not isinstance(items, (List, dict))


def _changeable(items: Any) -> Any:
    if is_fixed(items):
        what = (
            "Collection is read-only."
            if isinstance(items, ReadOnlyList)
            else "Collection was of a fixed size."
        )
        raise NotSupportedException(what)
    return items


def collection_add(items: Any, value: Any) -> None:
    if isinstance(items, HashSet):
        items.add(value)
    else:
        list_add(_changeable(items), value)


def collection_remove(items: Any, value: Any) -> bool:
    if isinstance(items, HashSet):
        return items.pop(value, items) is None
    return list_remove(_changeable(items), value)


def collection_clear(items: Any) -> None:
    list_clear(_changeable(items))


def collection_has(items: Any, value: Any) -> bool:
    return items.has(value) if isinstance(items, HashSet) else array_index_of(items, value) >= 0


def copy_to(items: Any, target: Any, at: int = 0) -> None:
    source = each(items)
    if target is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: dest")
    array_copy_from(source, 0, target, at, len(source))


# --- arrays ------------------------------------------------------------------------------------------------------------------


def clear_part(items: Any, at: int, size: int, default: Any = None) -> None:
    if min(at, size) < 0 or at > len(items) - size:
        raise IndexOutOfRangeException
    work(1 + (size >> 8))
    items[at : at + size] = bytes(size) if isinstance(items, bytearray) else [default] * size


def clear_array(info: TypeInfo, items: Any, at: int, size: int) -> None:
    clear_part(items, at, size, info.default)


def find(info: TypeInfo, items: list[Any], match: Test) -> Any:
    work(len(items))
    return next((x for x in items if match(x)), info.default)


def find_last(info: TypeInfo, items: list[Any], match: Test) -> Any:
    work(len(items))
    return next((x for x in reversed(items) if match(x)), info.default)


def find_in_list(items: list[Any], info: TypeInfo, match: Test) -> Any:
    return find(info, items, match)


def find_last_in_list(items: list[Any], info: TypeInfo, match: Test) -> Any:
    return find_last(info, items, match)


def find_all(items: list[Any], match: Test) -> list[Any]:
    work(len(items))
    return [x for x in items if match(x)]


def find_all_in_list(items: list[Any], match: Test) -> List:
    return List(find_all(items, match))


def find_index(items: list[Any], match: Test) -> int:
    work(len(items))
    return next((i for i, x in enumerate(items) if match(x)), -1)


def find_last_index(items: list[Any], match: Test) -> int:
    work(len(items))
    return next((i for i in range(len(items) - 1, -1, -1) if match(items[i])), -1)


def true_for_all(items: list[Any], match: Test) -> bool:
    work(len(items))
    return all(match(x) for x in items)


def convert_all(items: list[Any], run: Callable[[Any], Any]) -> list[Any]:
    work(len(items))
    room(len(items) * 8)
    return [run(x) for x in items]


def convert_list(items: list[Any], run: Callable[[Any], Any]) -> List:
    return List(convert_all(items, run))


def for_each(items: list[Any], run: Callable[[Any], None]) -> None:
    work(len(items))
    for x in list(items):
        run(x)


def index_of_from(items: list[Any], value: Any, at: int) -> int:
    if not 0 <= at <= len(items):
        raise ArgumentOutOfRangeException("Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: startIndex")  # fmt: skip
    work(len(items))
    return next((i for i in range(at, len(items)) if equals(items[i], value)), -1)


def last_index_of(items: list[Any], value: Any) -> int:
    work(len(items))
    return next((i for i in range(len(items) - 1, -1, -1) if equals(items[i], value)), -1)


def binary_search(items: list[Any], value: Any) -> int:
    """The place, or the complement of where it would stand."""
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        order = compare_values(items[middle], value)
        if order == 0:
            return middle
        if order < 0:
            low = middle + 1
        else:
            high = middle - 1
    return ~low


def copied(items: Any) -> Any:
    """`Clone()`"""
    room(len(items) * (1 if isinstance(items, bytearray) else 8))
    return items[:]


def length_of(items: Any, dimension: int) -> int:
    if dimension != 0:
        raise IndexOutOfRangeException
    return len(items)


def upper_bound(items: Any, dimension: int) -> int:
    return length_of(items, dimension) - 1


def lower_bound(items: Any, dimension: int) -> int:
    return length_of(items, dimension) * 0


def fill(items: Any, value: Any) -> None:
    work(len(items))
    items[:] = bytes((value,)) * len(items) if isinstance(items, bytearray) else [value] * len(items)


def rank(_items: Any) -> int:
    return 1


def value_at(items: Any, at: int) -> Any:
    if not 0 <= at < len(items):
        raise IndexOutOfRangeException
    return items[at]


def put_value(items: Any, value: Any, at: int) -> None:
    value_at(items, at)
    items[at] = value


def reverse_part(items: Any, at: int, size: int) -> None:
    _inside(items, at, size)
    items[at : at + size] = items[at : at + size][::-1]


def _inside(items: Any, at: int, size: int) -> None:
    if min(at, size) < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: index")
    if at > len(items) - size:
        raise ArgumentException(
            "Offset and length were out of bounds for the array or count is greater than the number of elements from index to the end of the source collection."
        )
    work(1 + size)


def sort_by(items: list[Any], compare: Callable[[Any, Any], int]) -> None:
    work(len(items))
    items.sort(key=cmp_to_key(compare))


def sort_with(items: list[Any], comparer: Any) -> None:
    from aforo.csharp.runtime.strings import comparer_compare

    work(len(items))

    def order(left: Any, right: Any) -> int:
        return comparer_compare(comparer, left, right)

    items.sort(key=cmp_to_key(order))


def empty() -> list[Any]:
    return []


# --- List ----------------------------------------------------------------------------------------------------------------------


def insert_range(items: list[Any], at: int, values: Any) -> None:
    more = each(values)
    if not 0 <= at <= len(items):
        raise ArgumentOutOfRangeException("Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: index")  # fmt: skip
    count(len(items) + len(more))
    work(1 + (len(items) >> 8))
    items[at:at] = more


def remove_range(items: list[Any], at: int, size: int) -> None:
    _inside(items, at, size)
    del items[at : at + size]


def resized(info: TypeInfo, items: Any, size: int) -> tuple[None, Any]:
    """`Array.Resize(ref items, size)`: another array, with what there is room for of the first."""
    if size < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: newSize")
    count(size)
    room(size * 8)
    if info.name == "byte":
        kept = bytearray(items or b"")[:size]
        return None, kept + bytearray(size - len(kept))
    some = list(items or ())[:size]
    return None, some + [info.default] * (size - len(some))


def get_range(items: list[Any], at: int, size: int) -> List:
    _inside(items, at, size)
    return List(items[at : at + size])


def remove_all(items: list[Any], match: Test) -> int:
    work(len(items))
    kept = [x for x in items if not match(x)]
    gone = len(items) - len(kept)
    items[:] = kept
    return gone


def as_read_only(items: list[Any]) -> ReadOnlyList:
    return ReadOnlyList(each(items))


def capacity(items: list[Any]) -> int:
    """What .NET would have set aside: 4, then twice as much each time."""
    room_for = 4 if items else 0
    while room_for < len(items):
        room_for *= 2
    return room_for


def trim(_items: list[Any]) -> None:
    """Nothing is set aside."""


MEMBERS: Final = (
    member("static void Resize<T>(ref T[] array, int newSize)", resized, typed=True),
    member("static void Clear<T>(T[] array, int index, int length)", clear_array, typed=True),
    member("static T? Find<T>(T[] array, Predicate<T> match)", find, typed=True),
    member("static T? FindLast<T>(T[] array, Predicate<T> match)", find_last, typed=True),
    member("static T[] FindAll<T>(T[] array, Predicate<T> match)", find_all),
    member("static int FindIndex<T>(T[] array, Predicate<T> match)", find_index),
    member("static int FindLastIndex<T>(T[] array, Predicate<T> match)", find_last_index),
    member("static bool TrueForAll<T>(T[] array, Predicate<T> match)", true_for_all),
    member("static R[] ConvertAll<T, R>(T[] array, Func<T, R> converter)", convert_all),
    member("static void ForEach<T>(T[] array, Action<T> action)", for_each),
    member("static int IndexOf<T>(T[] array, T value, int startIndex)", index_of_from),
    member("static int LastIndexOf<T>(T[] array, T value)", last_index_of),
    member("static int BinarySearch<T>(T[] array, T value)", binary_search),
    member("static void Reverse<T>(T[] array, int index, int length)", reverse_part),
    member("static void Sort<T>(T[] array, Comparison<T> comparison)", sort_by),
    member("static void Sort(string[] array, StringComparer comparer)", sort_with),
    member("static T[] Empty<T>()", empty),
    member("long LongLength", len),
    member("int Rank", rank),
    member("int GetLength(int dimension)", length_of),
    member("int GetUpperBound(int dimension)", upper_bound),
    member("int GetLowerBound(int dimension)", lower_bound),
    member("static void Fill<T>(T[] array, T value)", fill),
    member("static IReadOnlyList<T> AsReadOnly<T>(T[] array)", as_read_only),
    member("object GetValue(int index)", value_at),
    member("void SetValue(object value, int index)", put_value),
    member("object Clone()", copied),
)

LIST_MEMBERS: Final = (
    member("T? Find(Predicate<T> match)", find_in_list, typed="T"),
    member("T? FindLast(Predicate<T> match)", find_last_in_list, typed="T"),
    member("List<T> FindAll(Predicate<T> match)", find_all_in_list),
    member("int FindIndex(Predicate<T> match)", find_index),
    member("int FindLastIndex(Predicate<T> match)", find_last_index),
    member("bool TrueForAll(Predicate<T> match)", true_for_all),
    member("List<R> ConvertAll<R>(Func<T, R> converter)", convert_list),
    member("int IndexOf(T item, int index)", index_of_from),
    member("int LastIndexOf(T item)", last_index_of),
    member("int BinarySearch(T item)", binary_search),
    member("void Reverse(int index, int count)", reverse_part),
    member("void Sort(Comparison<T> comparison)", sort_by),
    member("void Sort(IComparer<T> comparer)", sort_with),
    member("void InsertRange(int index, IEnumerable<T> collection)", insert_range),
    member("void RemoveRange(int index, int count)", remove_range),
    member("int RemoveAll(Predicate<T> match)", remove_all),
    member("List<T> GetRange(int index, int count)", get_range),
    member("IReadOnlyList<T> AsReadOnly()", as_read_only),
    member("void CopyTo(T[] array)", copy_to),
    member("int Capacity", capacity),
    member("void TrimExcess()", trim),
)
