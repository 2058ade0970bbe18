"""Typed literals (`datetime(...)`, `dynamic(...)`, `long(null)`) to syntax. It knows no grammar beyond their insides."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.ticks import format_datetime, parse_datetime, parse_timespan
from aforo.kql.tokens import Token
from aforo.kql.types import TYPE_NAMES, KqlType
from aforo.source import Diagnostic
from aforo.stamps import timespan_text

_GUID = re.compile(
    r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.IGNORECASE
)
_INNER = re.compile(
    r"(datetime|date|timespan|time|guid|long|int|real|double|decimal|bool)\s*\(([^)]*)\)", re.IGNORECASE
)
_BARE_SPAN = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[a-z]+)\b", re.IGNORECASE)
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)


def typed_literal(token: Token) -> tuple[s.Literal, Diagnostic | None]:
    """The constant of `type(text)`; a null of that type with a mistake when the text is no such value."""
    type_ = TYPE_NAMES[token.text]
    text = str(token.value).strip()
    if text == "null" or (text == "" and type_ is not KqlType.DYNAMIC):
        return s.Literal(None, type_, token.span), None
    value = _dynamic(text) if type_ is KqlType.DYNAMIC else scalar_value(text, type_)
    if value is None and not (type_ is KqlType.DYNAMIC and text == "null"):
        return s.Literal(None, type_, token.span), say.bad_literal(type_.value, text[:80], token.span)
    return s.Literal(value, type_, token.span), None


def scalar_value(text: str, type_: KqlType) -> object | None:
    """The constant of a type that a text stands for, None when it stands for none."""
    bare = text.strip().strip("'\"")
    match type_:
        case KqlType.BOOL:
            return {"true": True, "false": False, "1": True, "0": False}.get(bare.lower())
        case KqlType.INT | KqlType.LONG:
            return _integer(bare, 31 if type_ is KqlType.INT else 63)
        case KqlType.REAL:
            try:
                return float(bare.replace("+inf", "inf"))
            except ValueError:
                return None
        case KqlType.DECIMAL:
            try:
                return Decimal(bare)
            except InvalidOperation:
                return None
        case KqlType.STRING:
            return text
        case KqlType.DATETIME:
            return parse_datetime(text)
        case KqlType.TIMESPAN:
            return parse_timespan(text)
        case KqlType.GUID:
            m = _GUID.fullmatch(bare)
            return "-".join(m.groups()).lower() if m else None
        case KqlType.DYNAMIC:
            return _dynamic(text)


def _integer(text: str, bits: int) -> int | None:
    try:
        value = int(text, 16) if text.lower().startswith(("0x", "-0x")) else int(text)
    except ValueError:
        return None
    return value if -(1 << bits) <= value < (1 << bits) else None


def _dynamic(text: str) -> object | None:
    """JSON as Kusto writes it: with single quotes, and with typed literals inside."""
    out: list[str] = []
    at = 0
    while at < len(text):
        if m := _STRING.match(text, at):
            out.append(_json_string(m.group()))
            at = m.end()
        elif m := _INNER.match(text, at):
            value = scalar_value(m.group(2), TYPE_NAMES[m.group(1).lower()])
            if value is None and m.group(2).strip() != "null":
                return None
            out.append(_json_typed(value, TYPE_NAMES[m.group(1).lower()]))
            at = m.end()
        elif (m := _BARE_SPAN.match(text, at)) and (ticks := parse_timespan(m.group())) is not None:
            out.append(_json_typed(ticks, KqlType.TIMESPAN))
            at = m.end()
        else:
            if text[at] in "]}":
                _drop_last_comma(out)
            out.append(text[at])
            at += 1
    joined = "".join(out)
    try:
        value = json.loads(joined) if joined.strip() else None
        # A lone surrogate, written as an escape, is no character.
        json.dumps(value, ensure_ascii=False).encode()
        return _Json(value) if joined.strip() else None
    except (ValueError, RecursionError):
        return None


def _drop_last_comma(out: list[str]) -> None:
    """Kusto allows one before a closing bracket; a comma inside a text is not a part of its own here."""
    last = next((i for i in range(len(out) - 1, -1, -1) if not out[i].isspace()), -1)
    if last >= 0 and out[last] == ",":
        del out[last]


@dataclass(frozen=True, slots=True)
class _Json:
    """Wraps a JSON value so that JSON's null is told from no value."""

    value: object


def json_text(value: object) -> str | None:
    """Canonical JSON of a dynamic constant, None for null."""
    inner = value.value if isinstance(value, _Json) else value
    return None if inner is None else json.dumps(inner, ensure_ascii=False, separators=(",", ":"))


def json_value(value: object) -> object:
    """The plain JSON value of a dynamic constant."""
    return value.value if isinstance(value, _Json) else value


def _json_string(quoted: str) -> str:
    body = quoted[1:-1]
    if quoted[0] == "'":
        body = body.replace("\\'", "'").replace('"', '\\"')
    return f'"{body}"'


def _json_typed(value: object, type_: KqlType) -> str:
    if value is None:
        return "null"
    match type_:
        case KqlType.DATETIME:
            assert isinstance(value, int)
            return json.dumps(format_datetime(value))
        case KqlType.TIMESPAN:
            assert isinstance(value, int)
            return json.dumps(timespan_text(value))
        case KqlType.GUID:
            return json.dumps(value)
        case KqlType.DECIMAL:
            return str(value)
        case _:
            return json.dumps(value)
