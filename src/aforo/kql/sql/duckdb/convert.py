"""Explicit conversions in DuckDB, by target and source type. A failed one is NULL, or '' for text."""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql.sql import tree as t
from aforo.kql.sql.tree import Node
from aforo.kql.types import (
    BOOL,
    DATETIME,
    DECIMAL,
    DYNAMIC,
    GUID,
    INT,
    INTEGERS,
    LONG,
    NUMBERS,
    REAL,
    STRING,
    TIMESPAN,
    KqlType,
)

Conversion = Callable[[Node, KqlType], Node]


def _null(type_name: str) -> Node:
    return t.cast(t.null(), type_name)


def _to_string(node: Node, have: KqlType) -> Node:
    match have:
        case KqlType.STRING:
            return node
        case KqlType.DYNAMIC:
            return t.call("kql_dynamic_text", node)
        case KqlType.REAL:
            text = t.call("kql_real_text", node)
        case KqlType.DECIMAL:
            text = t.call("kql_decimal_text", node)
        case KqlType.DATETIME:
            text = t.call("kql_iso7", node)
        case KqlType.TIMESPAN:
            text = t.call("kql_timespan", node)
        case _:
            text = t.cast(node, "VARCHAR")
    return t.coalesce(text, t.text(""))


def _to_whole(type_name: str) -> Conversion:
    def convert(node: Node, have: KqlType) -> Node:
        match have:
            case KqlType.INT | KqlType.LONG | KqlType.BOOL:
                return t.try_cast(node, type_name)
            case KqlType.REAL | KqlType.DECIMAL:
                return t.try_cast(t.call("trunc", node), type_name)
            case KqlType.STRING:
                return t.try_cast(t.call("kql_text_long", node), type_name)
            case KqlType.DYNAMIC:
                return t.try_cast(t.call("kql_dynamic_long", node), type_name)
            case KqlType.DATETIME | KqlType.TIMESPAN:
                return t.try_cast(node, type_name)
            case _:
                return _null(type_name)

    return convert


def _to_real(node: Node, have: KqlType) -> Node:
    match have:
        case KqlType.STRING:
            return t.call("kql_text_real", node)
        case KqlType.DYNAMIC:
            return t.call("kql_dynamic_real", node)
        case KqlType.GUID:
            return _null("DOUBLE")
        case _:
            return t.cast(node, "DOUBLE")


def _to_decimal(node: Node, have: KqlType) -> Node:
    match have:
        case KqlType.STRING:
            return t.call("kql_text_decimal", node)
        case KqlType.DYNAMIC:
            return t.call("kql_dynamic_decimal", node)
        case KqlType.GUID | KqlType.BOOL:
            return _null("DECIMAL(38,12)")
        case KqlType.INT | KqlType.LONG:
            # Every long has its decimal. The mark says that what is cast may be added up first (`aggregates.py`).
            found = t.cast(node, "DECIMAL(38,12)")
            found.meta["whole"] = True
            return found
        case _:
            return t.try_cast(node, "DECIMAL(38,12)")


def _to_bool(node: Node, have: KqlType) -> Node:
    if have is STRING:
        return t.call("kql_text_bool", node)
    if have is DYNAMIC:
        return t.call("kql_dynamic_bool", node)
    if have is BOOL:
        return node
    return t.binary("NEQ", node, t.number(0)) if have in NUMBERS else _null("BOOLEAN")


def _to_datetime(node: Node, have: KqlType) -> Node:
    if have is STRING:
        return t.call("kql_text_moment", t.call("trim", node))
    if have is DYNAMIC:
        return t.call("kql_text_moment", t.call("trim", t.call("kql_dynamic_text", node)))
    if have in INTEGERS:
        return t.call("kql_moment", node)
    return node if have is DATETIME else _null("BIGINT")


def _to_timespan(node: Node, have: KqlType) -> Node:
    if have is STRING:
        return t.call("kql_text_span", t.call("trim", node))
    if have is DYNAMIC:
        return t.call("kql_text_span", t.call("trim", t.call("kql_dynamic_text", node)))
    if have is INT:
        return t.cast(node, "BIGINT")
    return node if have in (TIMESPAN, *INTEGERS) else _null("BIGINT")


def _to_guid(node: Node, have: KqlType) -> Node:
    if have is GUID:
        return node
    return t.call("kql_text_guid", _to_string(node, have))


def _parse_json(node: Node, have: KqlType) -> Node:
    if have is STRING:
        return t.call("kql_parse_json", node)
    if have is DYNAMIC:
        return t.call("kql_parse_dynamic", node)
    return _to_dynamic(node, have)


def _to_dynamic(node: Node, have: KqlType) -> Node:
    """JSON text of the value, NULL for null."""
    match have:
        case KqlType.DYNAMIC:
            return node
        case KqlType.STRING | KqlType.GUID:
            return t.cast(t.call("to_json", node), "VARCHAR")
        case KqlType.REAL:
            return t.call("kql_real_json", node)
        case KqlType.INT | KqlType.LONG | KqlType.BOOL:
            return t.cast(node, "VARCHAR")
        case KqlType.DECIMAL:
            return t.cast(t.call("to_json", t.call("kql_decimal_text", node)), "VARCHAR")
        case KqlType.DATETIME:
            return t.cast(t.call("to_json", t.call("kql_iso7", node)), "VARCHAR")
        case KqlType.TIMESPAN:
            return t.cast(t.call("to_json", t.call("kql_timespan", node)), "VARCHAR")


CONVERSIONS: dict[str, Conversion] = {
    "tostring": _to_string,
    "toint": _to_whole("INTEGER"),
    "tolong": _to_whole("BIGINT"),
    "toreal": _to_real,
    "todecimal": _to_decimal,
    "tobool": _to_bool,
    "todatetime": _to_datetime,
    "totimespan": _to_timespan,
    "toguid": _to_guid,
    "parse_json": _parse_json,
    "to_dynamic": _to_dynamic,
}
TYPE_NAMES: dict[KqlType, str] = {
    BOOL: "BOOLEAN", INT: "INTEGER", LONG: "BIGINT", REAL: "DOUBLE", DECIMAL: "DECIMAL(38,12)", STRING: "VARCHAR",
    DATETIME: "BIGINT", TIMESPAN: "BIGINT", GUID: "VARCHAR", DYNAMIC: "VARCHAR",
}  # fmt: skip
