"""List, Dictionary, HashSet and arrays. An array is a Python list; byte[] is a bytearray."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Any

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    IndexOutOfRangeException,
    InvalidCastException,
    KeyNotFoundException,
    NullReferenceException,
    OverflowException,
)
from aforo.csharp.runtime.limits import count, made, nodes, room, work
from aforo.csharp.runtime.objects import Obj, TypeInfo, equals, to_string
from aforo.csharp.runtime.ordering import compare_values
from aforo.csharp.runtime.strings import StringComparer, characters


class List(list[Any]):
    """`List<T>`; a subclass, so that a cast can tell it from an array."""

    __slots__ = ()
    net_name = "System.Collections.Generic.List`1"


class Dictionary(dict[Any, Any]):
    """`Dictionary<K, V>`; with a comparer that folds keys, `names` holds each key as it was given."""

    __slots__ = ("fold", "names")
    net_name = "System.Collections.Generic.Dictionary`2"

    def __init__(self, fold: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self.fold = fold
        self.names: dict[Any, Any] = {}

    def key(self, key: Any) -> Any:
        if key is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: key")
        if self.fold is None:
            return key
        folded = self.fold(key)
        return self.names.setdefault(folded, key)


class HashSet(dict[Any, None]):
    """`HashSet<T>` in order of insertion."""

    __slots__ = ("fold",)
    net_name = "System.Collections.Generic.HashSet`1"

    def __init__(self, values: Iterable[Any] = (), fold: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self.fold = fold
        for each in values:
            self.add(each)

    def add(self, value: Any) -> bool:
        if self.has(value):
            return False
        count(len(self))
        self[value] = None
        return True

    def has(self, value: Any) -> bool:
        if self.fold is None or value is None:
            return value in self
        work(len(self))
        wanted = self.fold(value)
        return any(self.fold(each) == wanted for each in self)


class Pair(Obj):
    """`KeyValuePair<K, V>`."""

    __slots__ = ("pair",)
    net_name = "System.Collections.Generic.KeyValuePair`2"

    def __init__(self, key: Any, value: Any) -> None:
        self.pair = (key, value)

    def text(self, _spec: str | None = None) -> str:
        work(1)
        return made(f"[{to_string(self.pair[0])}, {to_string(self.pair[1])}]")


def pair_key(value: Pair) -> Any:
    return value.pair[0]


def pair_value(value: Pair) -> Any:
    return value.pair[1]


def each(source: Any) -> list[Any]:
    """The elements of anything that can be enumerated, as a Python list made now."""
    if type(source) is list:
        work(len(source))
        return source
    if source is None:
        raise NullReferenceException
    if isinstance(source, (list, bytearray, str, HashSet)):
        if isinstance(source, str):
            return characters(source)
        work(len(source))
        room(len(source) * 8)
        return list(source)
    if isinstance(source, dict):
        nodes(len(source))
        return [Pair(k, v) for k, v in source.items()]
    # A JObject gives pairs, other tokens their elements; so do the headers and the like of the caller's world.
    pairs = getattr(source, "pairs", None)
    if pairs is not None:
        found = [Pair(k, v) for k, v in pairs()]
        nodes(len(found))
        return found
    elements = getattr(source, "elements", None)
    if elements is not None:
        items = list(elements())
        work(len(items))
        return items
    raise InvalidCastException


def each_token(source: Any) -> list[Any]:
    """A JObject as IEnumerable<JToken>: its properties."""
    elements = getattr(source, "elements", None)
    return list(elements()) if elements is not None else each(source)


# --- arrays --------------------------------------------------------------------------------------------------------


def new_array(size: int, default: Any) -> list[Any]:
    if size < 0:
        raise OverflowException
    count(size)
    room(size * 8)
    return [default] * size


def new_bytes(size: int) -> bytearray:
    if size < 0:
        raise OverflowException
    count(size)
    room(size)
    return bytearray(size)


def bytes_of(values: list[int]) -> bytearray:
    room(len(values))
    return bytearray(values)


def array_at(items: list[Any], index: int) -> Any:
    if not 0 <= index < len(items):
        raise IndexOutOfRangeException
    return items[index]


def array_put(items: list[Any], index: int, value: Any) -> None:
    if not 0 <= index < len(items):
        raise IndexOutOfRangeException
    items[index] = value


def array_copy(source: list[Any], target: list[Any], size: int) -> None:
    array_copy_from(source, 0, target, 0, size)


def array_copy_from(source: list[Any], at: int, target: list[Any], to: int, size: int) -> None:
    if min(at, to, size) < 0 or at + size > len(source) or to + size > len(target):
        raise ArgumentException(
            "Source array was not long enough. Check srcIndex and length, and the array's lower bounds."
        )
    work(size)
    target[to : to + size] = source[at : at + size]


def array_reverse(items: list[Any]) -> None:
    work(len(items))
    items.reverse()


def array_sort(items: list[Any]) -> None:
    items.sort(key=cmp_to_key(compare_values))


def array_index_of(items: list[Any], value: Any) -> int:
    work(len(items))
    return next((i for i, x in enumerate(items) if equals(x, value)), -1)


def array_exists(items: list[Any], match: Callable[[Any], bool]) -> bool:
    work(len(items))
    return any(match(x) for x in items)


def array_find(items: list[Any], match: Callable[[Any], bool]) -> Any:
    work(len(items))
    return next((x for x in items if match(x)), None)


# --- List ------------------------------------------------------------------------------------------------------------


def new_list(source: Any = None) -> List:
    return List(each(source) if source is not None else ())


def new_list_capacity(capacity: int) -> List:
    if capacity < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: capacity")
    return List()


def list_at(items: list[Any], index: int) -> Any:
    if not 0 <= index < len(items):
        raise ArgumentOutOfRangeException(
            "Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: index"
        )
    return items[index]


def list_put(items: list[Any], index: int, value: Any) -> None:
    list_at(items, index)
    items[index] = value


def list_add(items: list[Any], value: Any) -> None:
    count(len(items) + 1)
    items.append(value)


def list_add_range(items: list[Any], values: Any) -> None:
    more = each(values)
    count(len(items) + len(more))
    items.extend(more)


def list_insert(items: list[Any], at: int, value: Any) -> None:
    if not 0 <= at <= len(items):
        raise ArgumentOutOfRangeException(
            "Index must be within the bounds of the List.\r\nParameter name: index"
        )
    count(len(items) + 1)
    work(1 + (len(items) >> 8))
    items.insert(at, value)


def list_remove(items: list[Any], value: Any) -> bool:
    at = array_index_of(items, value)
    if at >= 0:
        del items[at]
    return at >= 0


def list_remove_at(items: list[Any], at: int) -> None:
    list_at(items, at)
    del items[at]


def list_clear(items: list[Any]) -> None:
    items.clear()


def list_contains(items: list[Any], value: Any) -> bool:
    return array_index_of(items, value) >= 0


def list_for_each(items: list[Any], run: Callable[[Any], None]) -> None:
    work(len(items))
    for x in list(items):
        run(x)


def to_array(items: Any) -> list[Any]:
    return list(each(items))


# --- Dictionary ------------------------------------------------------------------------------------------------------


def new_dictionary(comparer: StringComparer | None = None) -> Dictionary:
    return Dictionary(comparer.fold if comparer is not None and comparer.ignore_case else None)


def copy_dictionary(source: Any) -> Dictionary:
    made = Dictionary()
    for pair in each(source):
        dictionary_add(made, pair.pair[0], pair.pair[1])
    return made


def _key(items: Any, key: Any) -> Any:
    if isinstance(items, Dictionary):
        return items.key(key)
    if key is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: key")
    return key


def dictionary_at(items: dict[Any, Any], key: Any) -> Any:
    try:
        return items[_key(items, key)]
    except KeyError:
        raise KeyNotFoundException from None


def dictionary_put(items: dict[Any, Any], key: Any, value: Any) -> None:
    count(len(items))
    items[_key(items, key)] = value


def dictionary_add(items: dict[Any, Any], key: Any, value: Any) -> None:
    real = _key(items, key)
    if real in items:
        raise ArgumentException("An item with the same key has already been added.")
    dictionary_put(items, key, value)


def dictionary_has(items: dict[Any, Any], key: Any) -> bool:
    return _key(items, key) in items


def dictionary_get(items: dict[Any, Any], info: TypeInfo, key: Any) -> tuple[bool, Any]:
    real = _key(items, key)
    return (True, items[real]) if real in items else (False, info.default)


def dictionary_remove(items: dict[Any, Any], key: Any) -> bool:
    real = _key(items, key)
    if real not in items:
        return False
    del items[real]
    return True


def dictionary_keys(items: dict[Any, Any]) -> list[Any]:
    work(len(items))
    return list(items)


def dictionary_values(items: dict[Any, Any]) -> list[Any]:
    work(len(items))
    return list(items.values())


def value_or_its_default(items: dict[Any, Any], info: TypeInfo, key: Any) -> Any:
    return items.get(_key(items, key), info.default)


def value_or_default(items: dict[Any, Any], key: Any, default: Any = None) -> Any:
    return items.get(_key(items, key), default)


# --- HashSet -----------------------------------------------------------------------------------------------------------


def new_set(source: Any = None, comparer: StringComparer | None = None) -> HashSet:
    fold = comparer.fold if comparer is not None and comparer.ignore_case else None
    return HashSet(each(source) if source is not None else (), fold)


def new_set_comparer(comparer: StringComparer | None) -> HashSet:
    return new_set(None, comparer)


def set_add(items: HashSet, value: Any) -> bool:
    return items.add(value)


def set_has(items: HashSet, value: Any) -> bool:
    return items.has(value)


def set_remove(items: HashSet, value: Any) -> bool:
    if value in items:
        del items[value]
        return True
    return False
