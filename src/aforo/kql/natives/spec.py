"""How a function in Python is declared, and the forms that values come in.

Canonical values as in `sql/dialect.py`: bool, int (long, and ticks for datetime and timespan), float, text (never None
for a string), JSON text or None for dynamic; any but a string may be None. A function never raises: what has no answer
is None; for what only this program has no answer to there is `UnansweredError`. `pure` JSON: `parsed` and `written` below.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson

from aforo.kql.types import KqlType


class UnansweredError(ValueError):
    """Ends the query: the function has an answer to these values, but not here. `what` is said to the author."""

    def __init__(self, what: str) -> None:
        # By these first words the outside knows that the rest is ours (`sql/duckdb/macros.py` begins so too).
        super().__init__(f"aforo: {what}")


@dataclass(frozen=True, slots=True)
class Native:
    """`operation` is what expressions call it. With `spread` the function gets one list, the JSON texts of all its
    arguments, whatever their types. `defaults` are numbers for parameters (from 0) that are not given; others are
    null."""

    operation: str
    parameters: tuple[KqlType, ...]
    result: KqlType
    function: Callable[..., Any]
    spread: bool = False
    defaults: Mapping[int, int] = field(default_factory=dict)


def native(
    operation: str,
    function: Callable[..., Any],
    result: KqlType,
    *parameters: KqlType,
    spread: bool = False,
    defaults: Mapping[int, int] = MappingProxyType({}),
) -> Native:
    return Native(operation, parameters, result, function, spread, defaults)


def parsed(text: str | None) -> Any:
    """A dynamic value as Python has it; None for null and for text that is no JSON."""
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def written(value: Any) -> str | None:
    """The canonical JSON text of a value; None for null, and for what is nested too deeply."""
    return None if value is None else dumped(value)


def dumped(value: Any, *, in_order: bool = False) -> str | None:
    """JSON text, with names `in_order` at every depth if so asked."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if in_order else None).decode()
    except TypeError:
        # More than 254 levels, which only the slower one writes.
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=in_order)
        except RecursionError:
            return None
