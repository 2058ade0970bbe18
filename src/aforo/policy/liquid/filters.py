"""The filters of Liquid templates in .NET's spelling (`Upcase`), each within what one evaluation may use up.

What a filter does is the engine's own; dates and money are .NET's. Ruby's spelling (`upcase`) is known too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from liquid import Environment
from liquid.exceptions import FilterArgumentError

from aforo.csharp.runtime import limits
from aforo.csharp.runtime.dates import DateTime, date_text, parse_date, utc_now
from aforo.csharp.runtime.exceptions import CsException
from aforo.csharp.runtime.formatting import number_text
from aforo.policy.liquid.values import Date, Real

# .NET's name and the engine's.
_NAMES: Final = {
    "Abs": "abs", "Append": "append", "AtLeast": "at_least", "AtMost": "at_most", "Capitalize": "capitalize",
    "Ceil": "ceil", "Compact": "compact", "Concat": "concat", "Default": "default", "DividedBy": "divided_by",
    "Downcase": "downcase", "Escape": "escape", "EscapeOnce": "escape_once", "First": "first", "Floor": "floor",
    "H": "escape", "Join": "join", "Last": "last", "Lstrip": "lstrip", "Map": "map", "Minus": "minus",
    "Modulo": "modulo", "NewlineToBr": "newline_to_br", "Plus": "plus", "Prepend": "prepend", "Remove": "remove",
    "RemoveFirst": "remove_first", "Replace": "replace", "ReplaceFirst": "replace_first", "Reverse": "reverse",
    "Round": "round", "Rstrip": "rstrip", "Size": "size", "Slice": "slice", "Sort": "sort", "Split": "split",
    "Strip": "strip", "StripHtml": "strip_html", "StripNewlines": "strip_newlines", "Times": "times",
    "Truncate": "truncate", "TruncateWords": "truncatewords", "Uniq": "uniq", "Upcase": "upcase",
    "UrlDecode": "url_decode", "UrlEncode": "url_encode",
}  # fmt: skip
_GROWING: Final = frozenset(
    ("replace", "replace_first", "newline_to_br", "escape", "escape_once", "url_encode")
)
_LARGEST: Final = 2**63


def register(environment: Environment) -> None:
    """Gives an environment these filters and no others."""
    known = dict(environment.filters)
    environment.filters.clear()
    for name, ruby in _NAMES.items():
        run = _within_limits(known[ruby], ruby)
        environment.add_filter(name, run)
        environment.add_filter(ruby, run)
    for name, own in (("Date", date), ("date", date), ("Currency", currency)):
        environment.add_filter(name, own)


def _within_limits(run: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The filter, charged before for what it looks at and may make, and with what it gives bounded."""

    def call(left: Any, *args: Any, **named: Any) -> Any:
        sizes = [_size(v) for v in (left, *args)]
        limits.work(1 + (sum(sizes) >> 6 if isinstance(left, str) else sum(sizes)))
        if name in _GROWING:
            limits.room((sizes[0] + 1) * (max(sizes[2:], default=6) + 1))
        if name in ("truncate", "slice", "round"):
            args = tuple(_small(a) for a in args)
        value = run(left, *args, **named)
        if isinstance(value, bool):
            return value
        if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise FilterArgumentError(f"{name}: the number is too large", token=None)
        if isinstance(value, float):
            return Real(value)
        limits.room(_size(value))
        return value

    # The engine asks the function whether it wants the context or the environment.
    for flag in ("with_context", "with_environment"):
        if getattr(run, flag, False):
            setattr(call, flag, True)
    return call


def _small(value: Any) -> Any:
    return max(-1_000_000, min(1_000_000, value)) if isinstance(value, int) else value


def _size(value: Any) -> int:
    if isinstance(value, str) or (isinstance(value, Sequence) and not isinstance(value, range)):
        return len(value)
    if isinstance(value, range):
        size = value.stop - value.start
        limits.count(size)
        return max(0, size)
    return 1


def date(value: Any, spec: Any = None) -> Any:
    """A date in a format of .NET; "now" and "today" are the time of the call. What is no date stays."""
    if isinstance(value, Date):
        found: DateTime = value.date
    elif isinstance(value, str) and value.strip().lower() in ("now", "today"):
        found = utc_now()
    elif isinstance(value, str):
        try:
            found = parse_date(value)
        except CsException:
            return value
    else:
        return value
    return date_text(found, str(spec)) if spec is not None and str(spec) else date_text(found, None)


def currency(value: Any, _culture: Any = None) -> Any:
    """`ToString("C")` of the invariant culture."""
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return value
    if not number.is_finite() or abs(number) > _LARGEST:
        return value
    sign = "-" if number < 0 else ""
    shown = "\u00a4" + number_text(abs(number), "N2")
    return f"({shown})" if sign else shown
