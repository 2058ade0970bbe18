"""Values that others send, made into what a column of a type holds, or refused: nothing is guessed and nothing lost.

datetime comes out as unix microseconds, timespan as ticks of 100 ns, dynamic as a JSON value. It knows no row, no
table and no format.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from aforo.errors import Invalid
from aforo.logs.timespan import moment_us

_WHOLE = re.compile(r"[+-]?\d{1,19}$")
_REAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")
_SPAN = re.compile(r"(-)?(?:(\d{1,8})\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?$")
_TICKS_PER_S = 10_000_000
_INT32, _INT64 = 1 << 31, 1 << 63
_WORDS = {"true": True, "1": True, "false": False, "0": False}


class UnfitError(ValueError):
    """A value is none of its column's type."""


def cell(value: Any, kind: str) -> Any:
    """A JSON value as a column of that Kusto type holds it; None for null. UnfitError when it is none."""
    return None if value is None else _MAKERS[kind](value)


def cell_of_text(text: str, kind: str) -> Any:
    """The same for a field of a text format: an empty one is null where the column is no string."""
    if kind == "string":
        return text
    if not text.strip():
        return None
    if kind == "dynamic":
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return cell(text, kind)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _whole(bound: int) -> Callable[[Any], int]:
    def make(value: Any) -> int:
        if (isinstance(value, float) and value.is_integer()) or (
            isinstance(value, str) and _WHOLE.match(value.strip())
        ):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not -bound <= value < bound:
            raise UnfitError
        return value

    return make


def _real(value: Any) -> float:
    if isinstance(value, str) and _REAL.match(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnfitError
    return float(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    found = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if isinstance(value, int) and value in (0, 1):
        found = bool(value)
    if found is None:
        raise UnfitError
    return found


def _datetime(value: Any) -> int:
    if not isinstance(value, str):
        raise UnfitError
    try:
        return moment_us(value)
    except Invalid as error:
        raise UnfitError from error


def _timespan(value: Any) -> int:
    match = _SPAN.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise UnfitError
    sign, days, hours, minutes, seconds, fraction = match.groups()
    whole = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    ticks = whole * _TICKS_PER_S + int((fraction or "0").ljust(7, "0"))
    return -ticks if sign else ticks


def _guid(value: Any) -> str:
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else _unfit()
    except ValueError as error:
        raise UnfitError from error


def _unfit() -> str:
    raise UnfitError


def _dynamic(value: Any) -> Any:
    return value


_MAKERS: Mapping[str, Callable[[Any], Any]] = {
    "string": _string,
    "int": _whole(_INT32),
    "long": _whole(_INT64),
    "real": _real,
    "bool": _bool,
    "datetime": _datetime,
    "timespan": _timespan,
    "guid": _guid,
    "dynamic": _dynamic,
}
