"""What the four validation policies have in common in a document: actions and the variable for their errors."""

from __future__ import annotations

from typing import Any

from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.spec import Attribute
from aforo.policy.validating.contract_check import action_of

_WORDS = ("ignore", "prevent", "detect")


def action(name: str, what: str, *, required: bool = True) -> Attribute:
    return Attribute(
        name,
        f"What is done about {what}: ignore it, prevent it, or detect it and go on.",
        required=required,
        values=_WORDS,
    )


ERRORS = Attribute(
    "errors-variable-name", "A variable that gets the errors, as an array.", "name", expressions=False
)


def action_code(use: Use, emit: Emitter, name: str, values: list[Value]) -> Any:
    """The action: a word when it is known, None when it is not given."""
    value = emit.value(use, name)
    if value is None:
        return None
    values.append(value)
    if value.const is not None:
        return value.const.strip().lower()
    return emit.expr("F(V, N)", F=action_of, V=value, N=name)


def variable(use: Use, emit: Emitter) -> str | None:
    value = emit.value(use, "errors-variable-name")
    return (value.const or "").strip() if value is not None else None


def named(use: Use | None, child: str, attribute: str, emit: Emitter, values: list[Value]) -> Any:
    """The actions of single names, as the parts of a dict display: lower-case name to action."""
    import ast

    keys: list[Any] = []
    actions: list[Any] = []
    for each in use.children.get(child, ()) if use is not None else ():
        name = emit.value(each, attribute)
        act = action_code(each, emit, "action", values)
        if name is None or act is None:
            continue
        values.append(name)
        keys.append(
            emit.expr("F(V)", F=_lower, V=name)
            if name.const is None
            else emit.part(name.const.strip().lower())
        )
        actions.append(emit.part(act))
    return emit.place(ast.Dict(keys, actions))


def _lower(text: str | None) -> str:
    return (text or "").strip().lower()
