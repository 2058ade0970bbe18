"""`check-header`: refuses a call without a header, or with another value of it than the listed ones."""

from __future__ import annotations

import ast

from aforo.policy.answers import answer
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.running import header_name, header_text
from aforo.policy.scopes import INBOUND, Scope
from aforo.policy.spec import Attribute, Child, Element, Text


def check(
    exchange: Exchange,
    name: str | None,
    values: tuple[str | None, ...],
    code: int,
    message: str | None,
    ignore_case: bool,
) -> None:
    """HeaderNotFound or HeaderValueNotAllowed; the answer carries the configured code and message."""
    raw = exchange.request.headers.joined(header_name(name))
    shown = name or ""
    if raw is None:
        reason, told = "HeaderNotFound", f"Header {shown} was not found in the request. Access denied."
    else:
        found = header_text(raw)
        if not values or any(
            found == v or (ignore_case and found.lower() == v.lower()) for v in values if v is not None
        ):
            return
        reason = "HeaderValueNotAllowed"
        told = f"Header {shown} value of {found[:256]} is not allowed. Access denied."
    error = LastError("check-header", reason, told, http_status=code)
    raise PolicyFailure(error, answer(code, message or ""))


def write(use: Use, emit: Emitter) -> None:
    name, code = emit.value(use, "name"), emit.value(use, "failed-check-httpcode")
    message = emit.value(use, "failed-check-error-message")
    given = use.children.get("value", ())
    values = [v for v in (emit.text(c) for c in given) if v is not None]
    if name is None or code is None or message is None or len(values) != len(given):
        return
    emit.site(use, name, code, message, *values)
    emit.do(
        "CHECK(x, HEADER, ITEMS, CODE, MESSAGE, CASE)",
        CHECK=check,
        HEADER=name,
        ITEMS=ast.Tuple([v.code for v in values], ast.Load()),
        CODE=emit.number(code, "failed-check-httpcode", 100, 999),
        MESSAGE=message,
        CASE=emit.flag(use, "ignore-case"),
    )


ELEMENT = Element(
    "check-header",
    "Refuses a call that lacks a header or carries a value that is not listed.",
    write,
    sections=INBOUND,
    scopes=frozenset((Scope.GLOBAL, Scope.PRODUCT, Scope.API, Scope.OPERATION)),
    attributes=(
        Attribute("name", "The header's name.", "name", required=True),
        Attribute("failed-check-httpcode", "The status code of the refusal.", "int", required=True),
        Attribute("failed-check-error-message", "The message of the refusal.", required=True),
        Attribute("ignore-case", "Whether the case of the value counts not.", "bool", default="false"),
    ),
    children=(
        Child(
            "value",
            "An allowed value; without any the header must only be there.",
            many=True,
            text=Text("The value."),
        ),
    ),
)
