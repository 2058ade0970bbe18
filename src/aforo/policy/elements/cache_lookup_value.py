"""`cache-lookup-value`: a value out of the cache into a variable, with the type that it had."""

from __future__ import annotations

import ast

from aforo.policy.caching.caches import CACHING_TYPE, where
from aforo.policy.caching.values import get
from aforo.policy.emit import Emitter, Use
from aforo.policy.running import pass_taint, taint
from aforo.policy.spec import Attribute, Element


def write(use: Use, emit: Emitter) -> None:
    key, name = emit.value(use, "key"), emit.value(use, "variable-name")
    given = use.attributes.get("default-value")
    declared = next(a for a in use.spec.attributes if a.name == "default-value")
    default = emit.compile(given, declared, "default-value", "object") if given is not None else None
    if key is None or name is None or name.const is None or (given is not None and default is None):
        return
    variable = name.const.strip()
    site = emit.site(use, key, default)
    found = emit.expr(
        "await GET(x, KEY, WHERE, NAME)", GET=get, KEY=key, WHERE=where(use, emit), NAME=variable
    )
    if default is None:
        emit.do("FOUND", FOUND=found)
        return
    missed = emit.block()
    missed.span = use.span
    missed.do("x.variables[NAME] = DEFAULT", NAME=variable, DEFAULT=default)
    if default.secret:
        missed.do("F(x, NAME)", F=taint, NAME=variable)
    else:
        missed.do("if x.tainted is not None:\n    F(x, NAME, SITE)", F=pass_taint, NAME=variable, SITE=site)
    emit.body.append(emit.place(ast.If(emit.expr("not FOUND", FOUND=found), missed.finished(), [])))


ELEMENT = Element(
    "cache-lookup-value",
    "Puts a value that `cache-store-value` has kept into a variable. Where there is none, the variable gets the default "
    "value; without one it stays as it is.",
    write,
    attributes=(
        Attribute("key", "The key of the value.", required=True),
        Attribute("variable-name", "The variable for the value.", "name", required=True, expressions=False),
        Attribute("default-value", "What the variable gets where the cache has nothing."),
        CACHING_TYPE,
    ),
)
