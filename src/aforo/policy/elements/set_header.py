"""`set-header`: sets, adds to or removes a header of the request (inbound, backend) or the response."""

from __future__ import annotations

import ast

from aforo.messages import Headers
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.running import header_name, header_value, word
from aforo.policy.spec import Attribute, Child, Element, Text

ACTIONS = ("override", "skip", "append", "delete")
_WORDS = frozenset(ACTIONS)
_CONNECTION = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding"))
# Several values of these stay several fields, as API Management has it.
_SEPARATE = frozenset(
    (
        b"user-agent", b"www-authenticate", b"proxy-authenticate", b"cookie", b"set-cookie", b"warning", b"date",
        b"expires", b"if-modified-since", b"if-unmodified-since", b"last-modified", b"retry-after",
    )
)  # fmt: skip


def put(headers: Headers, name: bytes, action: str, values: tuple[str | None, ...]) -> None:
    """Any action with any values; null values are left out."""
    given = [header_value(v) for v in values if v is not None]
    if action == "delete":
        headers.remove(name)
        return
    if action == "skip" and name in headers:
        return
    if action == "append":
        given = [*headers.get_all(name), *given]
    if not given:
        headers.remove(name)
    elif name in _SEPARATE:
        headers.set(name, *given)
    else:
        headers.set(name, b",".join(given))


def write(use: Use, emit: Emitter) -> None:
    name = emit.value(use, "name")
    action = emit.value(use, "exists-action")
    values = [v for v in (emit.text(c) for c in use.children.get("value", ())) if v is not None]
    if name is None or action is None or len(values) != len(use.children.get("value", ())):
        return
    if name.const is not None and name.const.strip().lower() in _CONNECTION:
        emit.report(say.restricted_header(name.span, name.const.strip()))
        return
    if action.const is not None and action.const.strip().lower() != "delete" and not values:
        emit.report(say.no_values(use.span, use.name))
    emit.site(use, name, action, *values)
    if name.const is not None:
        try:
            target = emit.expr("N", N=header_name(name.const.strip()))
        except Exception:  # noqa: BLE001 - .NET's own words, for a name that is written out
            # API Management saves such documents, and their calls fail.
            emit.report(say.no_header_name(name.span, name.const))
            target = emit.expr("F(V)", F=header_name, V=name)
    else:
        target = emit.expr("F(V)", F=header_name, V=name)
    headers = emit.expr(f"{emit.message}.headers")
    act = (action.const or "").strip().lower()
    if act == "delete":
        emit.do("HEADERS.remove(NAME)", HEADERS=headers, NAME=target)
    elif act == "override" and len(values) == 1 and not values[0].nullable:
        emit.do("HEADERS.set(NAME, F(VALUE))", HEADERS=headers, NAME=target, F=header_value, VALUE=values[0])
    else:
        items = ast.Tuple([v.code for v in values], ast.Load())
        chosen = (
            emit.expr("A", A=act)
            if act
            else emit.expr("F(V, 'exists-action', W)", F=word, V=action, W=_WORDS)
        )
        emit.do(
            "F(HEADERS, NAME, ACTION, ITEMS)", F=put, HEADERS=headers, NAME=target, ACTION=chosen, ITEMS=items
        )


ELEMENT = Element(
    "set-header",
    "Sets, adds to or removes a header: of the request in inbound and backend, of the response in outbound and on-error.",
    write,
    attributes=(
        Attribute("name", "The header's name.", "name", required=True),
        Attribute(
            "exists-action",
            "What happens when the header is there: override replaces it, skip keeps it, append adds the value, delete removes it.",
            default="override",
            values=ACTIONS,
        ),
    ),
    children=(
        Child("value", "A value; several are joined with a comma.", many=True, text=Text("The value.")),
    ),
)
