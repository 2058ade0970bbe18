"""`choose`: the policies of the first `when` whose condition is true, else those of `otherwise`."""

from __future__ import annotations

import ast

from aforo.policy import diagnostics as say
from aforo.policy import limits
from aforo.policy.emit import Emitter, Use
from aforo.policy.spec import Attribute, Child, Element


def write(use: Use, emit: Emitter) -> None:
    whens = use.children.get("when", ())
    if len(whens) > limits.WHENS:
        emit.report(say.too_large(use.span, f"more than {limits.WHENS} conditions in one choose"))
        return
    conditions = [(when, emit.condition(when, "condition")) for when in whens]
    # Bodies that any condition reads are there before the first is asked.
    emit.span = use.span
    emit.await_bodies(*(c for _, c in conditions if c is not None))
    otherwise = use.child("otherwise")
    rest = _children(otherwise, emit) if otherwise is not None else []
    for when, condition in reversed(conditions):
        body = _children(when, emit)
        if condition is None:
            continue
        if condition.const == "true":
            rest = body
        elif condition.const != "false":
            marker = emit.block()
            marker.site(when, condition)
            emit.span = when.span
            test = ast.If(condition.code, body, rest)
            rest = [*_placed(marker), emit.place(test)]
    emit.body += rest


def _placed(marker: Emitter) -> list[ast.stmt]:
    # The bodies are awaited already; only the mark of the site is wanted.
    return marker.body[:1]


def _children(use: Use, emit: Emitter) -> list[ast.stmt]:
    inner = emit.block()
    inner.span = use.span
    for each in use.policies:
        inner.unit.compile_use(each, inner)
    return inner.finished()


ELEMENT = Element(
    "choose",
    "Runs the policies of the first `when` whose condition is true, or those of `otherwise`.",
    write,
    children=(
        Child(
            "when",
            "Policies under a condition.",
            required=True,
            many=True,
            attributes=(Attribute("condition", "A truth value.", "bool", required=True),),
            policies=True,
        ),
        Child("otherwise", "Policies for when no condition is true.", policies=True),
    ),
)
