"""Arrays: choose, shift, split, sort, search, sets. What is no array where one is needed comes to null."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from aforo.kql.natives.spec import Native, dumped, native, parsed, written
from aforo.kql.types import BOOL, DYNAMIC, LONG, REAL

# No array becomes longer than Kusto's.
MOST_ELEMENTS = 1_048_576


def _list(json: str | None) -> list[Any] | None:
    value = parsed(json)
    return value if isinstance(value, list) else None


def key(value: Any) -> object:
    """What two equal JSON values share: 1 and 1.0 are one number, `true` is none."""
    match value:
        case bool():
            return ("bool", value)
        case int() | float():
            return ("number", value)
        case list() | dict():
            return ("json", dumped(value, in_order=True))
        case _:
            return ("text", value)


def array_iff(conditions: str | None, yes: str | None, no: str | None) -> str | None:
    chosen = _list(conditions)
    if chosen is None:
        return None
    sides = parsed(yes), parsed(no)
    out: list[Any] = []
    for i, condition in enumerate(chosen):
        if not isinstance(condition, bool | int | float):
            out.append(None)
            continue
        side = sides[0] if condition else sides[1]
        if isinstance(side, list):
            side = side[i] if i < len(side) else None
        out.append(side)
    return written(out)


def array_index_of(
    json: str | None, value: str | None, start: int | None, length: int | None, occurrence: int | None
) -> int | None:
    """From 0. A negative start counts from the end; a length of -1 has no end."""
    array = _list(json)
    if array is None:
        return None
    start, length = 0 if start is None else start, -1 if length is None else length
    occurrence = 1 if occurrence is None else occurrence
    if length < -1 or occurrence < 1:
        return None
    if start < 0:
        start = max(len(array) + start, 0)
    wanted = key(parsed(value))
    for i in range(start, len(array) if length < 0 else min(start + length, len(array))):
        if key(array[i]) == wanted:
            occurrence -= 1
            if not occurrence:
                return i
    return -1


def _shift(json: str | None, by: int | None, default: str | None) -> str | None:
    array = _list(json)
    if array is None or by is None:
        return None
    filler = parsed(default)
    if filler is None and array and all(isinstance(v, str) for v in array):
        filler = ""
    by = max(-len(array), min(by, len(array)))
    return written(array[by:] + [filler] * by if by >= 0 else [filler] * -by + array[:by])


def array_shift_left(json: str | None, by: int | None, default: str | None) -> str | None:
    return _shift(json, by, default)


def array_shift_right(json: str | None, by: int | None, default: str | None) -> str | None:
    return _shift(json, None if by is None else -by, default)


def array_split(json: str | None, at: str | None) -> str | None:
    array, places = _list(json), parsed(at)
    places = places if isinstance(places, list) else [places]
    if array is None or not all(isinstance(p, int) and not isinstance(p, bool) for p in places):
        return None
    borders = [min(max(p + len(array) if p < 0 else p, 0), len(array)) for p in places]
    return written([array[a:b] for a, b in zip([0, *borders], [*borders, len(array)], strict=True)])


def _rank(value: Any) -> int:
    match value:
        case None:
            return 4
        case bool() | list() | dict():
            return 3
        case int() | float():
            return 1
        case _:
            return 2


def _compare(a: Any, b: Any) -> int:
    """Numbers before texts before all else; numbers by value, texts by their code points."""
    first, second = _rank(a), _rank(b)
    if first == second == 3:
        a, b = dumped(a) or "", dumped(b) or ""
    if first != second:
        return first - second
    return 0 if first == 4 else (a > b) - (a < b)


_ORDER = cmp_to_key(_compare)


def _sorted(*, descending: bool) -> Callable[[list[str]], str | None]:
    """The first array in order, the others moved along; JSON's last element says whether nulls go last.

    The answer is an array of arrays. An array of another length than the first is null."""

    def sort(given: list[str]) -> str | None:
        arrays = [_list(json) for json in given[:-1]]
        first = arrays[0]
        if first is None:
            return written([None] * len(arrays))
        full = [i for i, v in enumerate(first) if v is not None]
        null = [i for i, v in enumerate(first) if v is None]
        full.sort(key=lambda i: _ORDER(first[i]), reverse=descending)
        order = full + null if given[-1] == "true" else null + full
        return written(
            [[a[i] for i in order] if a is not None and len(a) == len(first) else None for a in arrays]
        )

    return sort


def zip_arrays(given: list[str]) -> str | None:
    values = [parsed(json) for json in given]
    arrays = [v if isinstance(v, list) else [] if v is None else [v] for v in values]
    if all(v is None for v in values):
        return None
    longest = max(map(len, arrays))
    if longest * len(arrays) > MOST_ELEMENTS:
        return None
    return written([[a[i] if i < len(a) else None for a in arrays] for i in range(longest)])


# -- sets ------------------------------------------------------------------------------------------------


def _distinct(array: list[Any]) -> dict[object, Any]:
    out: dict[object, Any] = {}
    for value in array:
        out.setdefault(key(value), value)
    return out


def set_union(given: list[str]) -> str | None:
    arrays = [_list(json) for json in given]
    if all(a is None for a in arrays):
        return None
    return written(list(_distinct([v for a in arrays if a is not None for v in a]).values()))


def set_intersect(given: list[str]) -> str | None:
    arrays = [_list(json) for json in given]
    first = arrays[0]
    if first is None or any(a is None for a in arrays):
        return None
    others = [{key(v) for v in a} for a in arrays[1:] if a is not None]
    return written([v for k, v in _distinct(first).items() if all(k in o for o in others)])


def set_difference(given: list[str]) -> str | None:
    first = _list(given[0])
    if first is None:
        return None
    gone = {key(v) for json in given[1:] for v in _list(json) or ()}
    return written([v for k, v in _distinct(first).items() if k not in gone])


def set_has_element(json: str | None, value: str | None) -> bool | None:
    array = _list(json)
    wanted = key(parsed(value))
    return None if array is None else any(key(v) == wanted for v in array)


def set_equals(a: str | None, b: str | None) -> bool | None:
    one, other = _list(a), _list(b)
    return None if one is None or other is None else {key(v) for v in one} == {key(v) for v in other}


def jaccard_index(a: str | None, b: str | None) -> str | None:
    one, other = _list(a), _list(b)
    if one is None or other is None:
        return None
    first, second = {key(v) for v in one}, {key(v) for v in other}
    every = len(first | second)
    return '"NaN"' if not every else written(len(first & second) / every)


def array_sum(json: str | None) -> float | None:
    """The sum of the numbers; null where another element stands among them."""
    array = _list(json)
    if array is None:
        return None
    numbers = [v for v in array if isinstance(v, int | float) and not isinstance(v, bool)]
    return float(sum(numbers)) if len(numbers) == len(array) else None


NATIVES: tuple[Native, ...] = (
    native("array_iff", array_iff, DYNAMIC, DYNAMIC, DYNAMIC, DYNAMIC),
    native("array_index_of", array_index_of, LONG, DYNAMIC, DYNAMIC, LONG, LONG, LONG),
    native("array_shift_left", array_shift_left, DYNAMIC, DYNAMIC, LONG, DYNAMIC),
    native("array_shift_right", array_shift_right, DYNAMIC, DYNAMIC, LONG, DYNAMIC),
    native("array_split", array_split, DYNAMIC, DYNAMIC, DYNAMIC),
    native("arrays_sorted_asc", _sorted(descending=False), DYNAMIC, spread=True),
    native("arrays_sorted_desc", _sorted(descending=True), DYNAMIC, spread=True),
    native("zip", zip_arrays, DYNAMIC, spread=True),
    native("set_union", set_union, DYNAMIC, spread=True),
    native("set_intersect", set_intersect, DYNAMIC, spread=True),
    native("set_difference", set_difference, DYNAMIC, spread=True),
    native("set_has_element", set_has_element, BOOL, DYNAMIC, DYNAMIC),
    native("set_equals", set_equals, BOOL, DYNAMIC, DYNAMIC),
    native("array_sum", array_sum, REAL, DYNAMIC),
    native("jaccard_index", jaccard_index, DYNAMIC, DYNAMIC, DYNAMIC),
)
