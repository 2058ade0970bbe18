"""How a function in Python is declared, and the forms that values come in.

Canonical values as in `sql/dialect.py`: bool, int (long, and ticks for datetime and timespan), float, text (never None
for a string), JSON text or None for dynamic; any but a string may be None. A function never raises: what has no answer
is None. `pure` JSON: `parsed` and `written` below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from aforo.kql.types import KqlType


@dataclass(frozen=True, slots=True)
class Native:
    """`operation` is what expressions call it. With `spread` the function gets one list, the JSON texts of all its
    arguments, whatever their types."""

    operation: str
    parameters: tuple[KqlType, ...]
    result: KqlType
    function: Callable[..., Any]
    spread: bool = False


def native(
    operation: str, function: Callable[..., Any], result: KqlType, *parameters: KqlType, spread: bool = False
) -> Native:
    return Native(operation, parameters, result, function, spread)


def parsed(json: str | None) -> Any:
    """A dynamic value as Python has it; None for null and for text that is no JSON."""
    if json is None:
        return None
    try:
        return orjson.loads(json)
    except orjson.JSONDecodeError:
        return None


def written(value: Any) -> str | None:
    """The canonical JSON text of a value; None for null."""
    return None if value is None else orjson.dumps(value).decode()
