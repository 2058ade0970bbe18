"""`set-query-parameter`: sets, adds to or removes a parameter of the URL that the backend gets."""

from __future__ import annotations

import ast

from aforo.messages import decode_component, encode_query
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import RequestState
from aforo.policy.running import word
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Child, Element, Text

ACTIONS = ("override", "skip", "append", "delete")
_WORDS = frozenset(ACTIONS)


def put(request: RequestState, name: str | None, action: str, values: tuple[str | None, ...]) -> None:
    """Other parameters stay byte for byte as they came, in their order."""
    wanted = name or ""
    parts = [p for p in request.query.split("&") if p]
    there = [p for p in parts if decode_component(p.partition("=")[0]).lower() == wanted.lower()]
    if action == "skip" and there:
        return
    added = [encode_query([(wanted, v)]) for v in values if v is not None] if action != "delete" else []
    if action == "append":
        request.query = "&".join([*parts, *added])
        return
    out: list[str] = []
    placed = False
    for part in parts:
        if part not in there:
            out.append(part)
        elif not placed:
            out += added
            placed = True
    if not placed:
        out += added
    request.query = "&".join(out)


def write(use: Use, emit: Emitter) -> None:
    name, action = emit.value(use, "name"), emit.value(use, "exists-action")
    given = use.children.get("value", ())
    values = [v for v in (emit.text(c) for c in given) if v is not None]
    if name is None or action is None or len(values) != len(given):
        return
    act = (action.const or "").strip().lower()
    if act and act != "delete" and not values:
        emit.report(say.no_values(use.span, use.name))
    emit.site(use, name, action, *values)
    items = ast.Tuple([v.code for v in values], ast.Load())
    chosen = (
        emit.expr("A", A=act) if act else emit.expr("F(V, 'exists-action', W)", F=word, V=action, W=_WORDS)
    )
    emit.do("F(x.request, NAME, ACTION, ITEMS)", F=put, NAME=name, ACTION=chosen, ITEMS=items)


ELEMENT = Element(
    "set-query-parameter",
    "Sets, adds to or removes a query parameter of the request to the backend.",
    write,
    sections=frozenset((Section.INBOUND, Section.BACKEND)),
    attributes=(
        Attribute("name", "The parameter's name.", "name", required=True),
        Attribute(
            "exists-action", "What happens when the parameter is there.", default="override", values=ACTIONS
        ),
    ),
    children=(Child("value", "A value.", many=True, text=Text("The value.")),),
)
