"""Kusto's ten scalar types and how they widen. It knows nothing of any engine."""

from __future__ import annotations

from enum import StrEnum


class KqlType(StrEnum):
    """A scalar type; the value is the name that Kusto prints in a schema."""

    BOOL = "bool"
    INT = "int"
    LONG = "long"
    REAL = "real"
    DECIMAL = "decimal"
    STRING = "string"
    DATETIME = "datetime"
    TIMESPAN = "timespan"
    GUID = "guid"
    DYNAMIC = "dynamic"


BOOL = KqlType.BOOL
INT = KqlType.INT
LONG = KqlType.LONG
REAL = KqlType.REAL
DECIMAL = KqlType.DECIMAL
STRING = KqlType.STRING
DATETIME = KqlType.DATETIME
TIMESPAN = KqlType.TIMESPAN
GUID = KqlType.GUID
DYNAMIC = KqlType.DYNAMIC

INTEGERS = frozenset({INT, LONG})
NUMBERS = frozenset({INT, LONG, REAL, DECIMAL})
SCALARS = frozenset(KqlType)

# What may stand in a schema, a cast or `typeof(...)`.
TYPE_NAMES: dict[str, KqlType] = {t.value: t for t in KqlType} | {
    "boolean": BOOL,
    "int32": INT,
    "int64": LONG,
    "double": REAL,
    "date": DATETIME,
    "time": TIMESPAN,
    "uniqueid": GUID,
    "uuid": GUID,
}

# The CLR names that `getschema` prints beside the Kusto names.
CLR_NAMES: dict[KqlType, str] = {
    BOOL: "System.SByte",
    INT: "System.Int32",
    LONG: "System.Int64",
    REAL: "System.Double",
    DECIMAL: "System.Data.SqlTypes.SqlDecimal",
    STRING: "System.String",
    DATETIME: "System.DateTime",
    TIMESPAN: "System.TimeSpan",
    GUID: "System.Guid",
    DYNAMIC: "System.Object",
}

_RANK = {INT: 0, LONG: 1, REAL: 2, DECIMAL: 3}


def widest(a: KqlType, b: KqlType) -> KqlType | None:
    """The numeric type that holds both, None when one is not a number."""
    if a not in NUMBERS or b not in NUMBERS:
        return None
    return a if _RANK[a] >= _RANK[b] else b


def common(a: KqlType, b: KqlType) -> KqlType | None:
    """The type of a value that is one or the other (`iff`, `coalesce`), None when there is none."""
    if a is b:
        return a
    if (number := widest(a, b)) is not None:
        return number
    if DYNAMIC in (a, b):
        return DYNAMIC
    return None
