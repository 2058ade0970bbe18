"""Texts: what SQL's functions over them lack."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Any

from aforo.kql.natives.spec import Native, native, parsed
from aforo.kql.types import DYNAMIC, LONG, REAL, STRING


def countof(text: str, search: str) -> int:
    """How often one text stands in another; they may overlap."""
    if not search:
        return 0
    count, at = 0, text.find(search)
    while at >= 0:
        count += 1
        at = text.find(search, at + 1)
    return count


def indexof(
    text: str, lookup: str, start: int | None, length: int | None, occurrence: int | None
) -> int | None:
    """The place of an occurrence, -1 when there is none; each is looked for in so many characters after the last one."""
    start, length = start or 0, -1 if length is None else length
    occurrence = 1 if occurrence is None else occurrence
    if length < -1 or occurrence < 1:
        return None
    at = max(len(text) + start, 0) if start < 0 else start
    found = -1
    for _ in range(occurrence):
        found = text.find(lookup, at, len(text) if length < 0 else at + length)
        if found < 0 or found > len(text):
            return -1
        at = found + 1
    return found


def translate(search: str, replacement: str, text: str) -> str:
    """The last character of the replacement stands for those that it lacks."""
    if not replacement:
        return text.translate({ord(c): None for c in search})
    table: dict[int, str] = {}
    for i, c in enumerate(search):
        table.setdefault(ord(c), replacement[min(i, len(replacement) - 1)])
    return text.translate(table)


@lru_cache(maxsize=64)
def _rewriter(lookups: str | None, rewrites: str | None) -> tuple[re.Pattern[str], dict[str, str]] | None:
    """What to look for, the earlier before the later, and what it becomes."""
    wanted, becomes = parsed(lookups), parsed(rewrites)
    if not isinstance(wanted, list) or not isinstance(becomes, list):
        return None
    table: dict[str, str] = {}
    for i, lookup in enumerate(wanted):
        if isinstance(lookup, str) and lookup:
            rewrite: Any = becomes[i] if i < len(becomes) else None
            table.setdefault(lookup, rewrite if isinstance(rewrite, str) else lookup)
    if not table:
        return None
    return re.compile("|".join(map(re.escape, table))), table


def replace_strings(text: str, lookups: str | None, rewrites: str | None) -> str:
    found = _rewriter(lookups, rewrites)
    if found is None:
        return text
    pattern, table = found
    return pattern.sub(lambda m: table[m.group()], text)


@lru_cache(maxsize=256)
def _term(text: str) -> re.Pattern[str]:
    start = r"(?<![^\W_])" if re.match(r"[^\W_]", text) else ""
    end = r"(?![^\W_])" if re.search(r"[^\W_]\Z", text) else ""
    return re.compile(start + re.escape(text) + end, re.IGNORECASE)


def has_any_index(text: str, values: str | None) -> int | None:
    """The place of the first value that stands in the text as a term."""
    wanted = parsed(values)
    if not isinstance(wanted, list):
        return None
    for i, value in enumerate(wanted):
        word = value if isinstance(value, str) else str(value)
        if value is not None and _term(word).search(text):
            return i
    return -1


UNITS = ("Bytes", "KB", "MB", "GB", "TB", "PB", "EB")


def format_bytes(size: float | None, digits: int | None, unit: str | None) -> str:
    """`19.08 MB`; the unit is the greatest of which there is at least one, unless it is given."""
    if size is None or size != size or size in (float("inf"), float("-inf")):
        return ""
    if unit:
        step = UNITS.index(unit)
    else:
        step = 0
        while step + 1 < len(UNITS) and abs(size) >= 1024 ** (step + 1):
            step += 1
    places = min(max(digits or 0, 0), 15)
    with localcontext(prec=400):
        number = Decimal(repr(size / 1024**step)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    shown = format(number, "f")
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return f"{'0' if shown == '-0' else shown} {UNITS[step]}"


NATIVES: tuple[Native, ...] = (
    native("countof", countof, LONG, STRING, STRING),
    native("indexof_nth", indexof, LONG, STRING, STRING, LONG, LONG, LONG),
    native("translate", translate, STRING, STRING, STRING, STRING),
    native("replace_strings", replace_strings, STRING, STRING, DYNAMIC, DYNAMIC),
    native("has_any_index", has_any_index, LONG, STRING, DYNAMIC),
    native("format_bytes", format_bytes, STRING, REAL, LONG, STRING),
)
