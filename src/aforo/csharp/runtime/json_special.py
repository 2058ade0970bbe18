"""NaN and the infinities in JSON that is written: Newtonsoft gives their names as texts (`FloatFormatHandling.String`, its
default), `orjson` null. Exponents as .NET writes them (`1E-05`). And the ends of lines that Newtonsoft escapes. It knows no
tree: it is told what becomes of a node.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite, isnan
from typing import Any, Final

import orjson

from aforo.csharp.runtime.formatting import double_text

_SIMPLE = frozenset((str, int, bool, orjson.Fragment))
_EXPONENT: Final = re.compile(r"[0-9]e[+-]|\b0\.0000[0-9]")


def differs(text: str, value: Any, plain: Callable[[Any], Any]) -> bool:
    """Whether .NET would write numbers of it otherwise. Most texts have no such letters and are not looked at."""
    if "null" in text and there(value, plain):
        return True
    return ("e+" in text or "e-" in text or "0.0000" in text) and _EXPONENT.search(text) is not None


def there(value: Any, plain: Callable[[Any], Any]) -> bool:
    """Whether there is such a number in it."""
    waiting = [value]
    while waiting:
        at = waiting.pop()
        kind = type(at)
        if kind is dict:
            waiting += at.values()
        elif kind is list:
            waiting += at
        elif isinstance(at, float):
            if not isfinite(at):
                return True
        elif at is not None and kind not in _SIMPLE:
            try:
                waiting.append(plain(at))
            except TypeError:
                continue
    return False


def named(value: Any, plain: Callable[[Any], Any]) -> Any:
    """The same with their names."""
    if isinstance(value, float):
        if isfinite(value):
            written = double_text(value)
            return orjson.Fragment(written if "." in written or "E" in written else written + ".0")
        return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: named(each, plain) for name, each in value.items()}
    if isinstance(value, list):
        return [named(each, plain) for each in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))  # beyond orjson; what would write it instead knows no fragments
    if value is None or type(value) in _SIMPLE:
        return value
    return named(plain(value), plain)


def escaped(text: str) -> str:
    """The ends of lines that JSON takes as they are and JavaScript did not."""
    if not text.isascii():
        for end in "\u0085\u2028\u2029":
            if end in text:
                text = text.replace(end, f"\\u{ord(end):04x}")
    return text
