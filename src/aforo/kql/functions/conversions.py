"""Conversions between types, and tests of emptiness."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, REAL, STRING, TIMESPAN, KqlType


def _to(name: str, type_: KqlType, operation: str) -> Scalar:
    return scalar(
        name, "value:any", type_, f"The value as {type_.value}, null when it is none.",
        operation=operation, naming=Naming.FIRST_ARGUMENT,
    )  # fmt: skip


FUNCTIONS: tuple[Scalar, ...] = (
    _to("tobool", BOOL, "tobool"),
    _to("toboolean", BOOL, "tobool"),
    _to("toint", INT, "toint"),
    _to("tolong", LONG, "tolong"),
    _to("toreal", REAL, "toreal"),
    _to("todouble", REAL, "toreal"),
    _to("todecimal", DECIMAL, "todecimal"),
    _to("tostring", STRING, "tostring"),
    _to("todatetime", DATETIME, "todatetime"),
    _to("totimespan", TIMESPAN, "totimespan"),
    _to("totime", TIMESPAN, "totimespan"),
    _to("toguid", GUID, "toguid"),
    _to("todynamic", DYNAMIC, "parse_json"),
    _to("toobject", DYNAMIC, "parse_json"),
    _to("parse_json", DYNAMIC, "parse_json"),
    _to("parsejson", DYNAMIC, "parse_json"),
    scalar("isempty", "value:any", BOOL, "Whether the value is null or an empty text."),
    scalar("isnotempty", "value:any", BOOL, "Whether the value is neither null nor an empty text."),
    scalar(
        "notempty",
        "value:any",
        BOOL,
        "Whether the value is neither null nor an empty text.",
        operation="isnotempty",
    ),
    scalar("isnull", "value:any", BOOL, "Whether the value is null; a text never is."),
    scalar("isnotnull", "value:any", BOOL, "Whether the value is not null; a text never is null."),
    scalar("notnull", "value:any", BOOL, "Whether the value is not null.", operation="isnotnull"),
    scalar(
        "gettype",
        "value:any",
        STRING,
        "The name of the value's type.",
        naming=Naming.PREFIX_FIRST,
        prefix="type",
    ),
)
