"""`set-variable`: keeps a value for the rest of the call, with its type."""

from __future__ import annotations

from aforo.policy import diagnostics as say
from aforo.policy.context.types import KEPT
from aforo.policy.emit import Emitter, Use
from aforo.policy.spec import Attribute, Element


def write(use: Use, emit: Emitter) -> None:
    name = emit.value(use, "name")
    given = use.attributes.get("value")
    if name is None or name.const is None or given is None:
        return
    declared = next(a for a in use.spec.attributes if a.name == "value")
    value = emit.compile(given, declared, "value", "object")
    if value is None:
        return
    if value.type_name.partition("<")[0].rstrip("?") not in KEPT:
        emit.report(say.variable_type(value.span, value.type_name))
    site = emit.site(use, value)
    key = name.const.strip()
    emit.do("x.variables[NAME] = VALUE", NAME=key, VALUE=value)
    emit.follow(site, key)


ELEMENT = Element(
    "set-variable",
    "Stores a value under a name; expressions read it as `context.Variables`. A literal is a string.",
    write,
    attributes=(
        Attribute("name", "The variable's name.", "name", required=True, expressions=False),
        Attribute("value", "The value; what an expression gives keeps its type.", required=True),
    ),
)
