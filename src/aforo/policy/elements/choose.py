"""`choose`: the policies of the first `when` whose condition is true, else those of `otherwise`."""

from __future__ import annotations

import ast

from aforo.policy import diagnostics as say
from aforo.policy import limits
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.spec import Attribute, Child, Element

_TOGETHER = 8


def write(use: Use, emit: Emitter) -> None:
    whens = use.children.get("when", ())
    if len(whens) > limits.WHENS:
        emit.report(say.too_large(use.span, f"more than {limits.WHENS} conditions in one choose"))
        return
    _in_order(use, emit)
    conditions = [(when, emit.condition(when, "condition")) for when in whens]
    emit.span = use.span
    otherwise = use.child("otherwise")
    rest = _children(otherwise, emit) if otherwise is not None else []
    groups = [conditions[i : i + _TOGETHER] for i in range(0, len(conditions), _TOGETHER)]
    if len(groups) < 2:
        emit.body += _chain(conditions, rest, emit, "")
        return
    # Each `if` inside of the one before is a level deeper, and Python's compiler bears so many: long ones go in groups.
    open_ = emit.local("open")
    emit.do(f"{open_} = True")
    emit.body += _chain(groups[0], [], emit, open_)
    for group in groups[1:]:
        emit.span = use.span
        emit.do(f"if {open_}:\n    pass")
        _body_of(emit.body[-1])[:] = _chain(group, [], emit, open_) or emit.block().finished()
    if rest:
        emit.span = use.span
        emit.do(f"if {open_}:\n    pass")
        _body_of(emit.body[-1])[:] = rest


def _in_order(use: Use, emit: Emitter) -> None:
    """`otherwise` is the last one: a condition below it would look as if it were never asked."""
    last = next((e for e in use.element.elements if e.name == "otherwise"), None)
    for each in use.element.elements:
        if each.name == "when" and last is not None and each.span.start > last.span.start:
            emit.report(say.wrong_order(each.name_span, use.name, "when", "otherwise"))


def _chain(
    conditions: list[tuple[Use, Value | None]], rest: list[ast.stmt], emit: Emitter, open_: str
) -> list[ast.stmt]:
    """The conditions one after the other, then `rest`; `open_` is the name that says that none was true, or ""."""
    for when, condition in reversed(conditions):
        body = _children(when, emit, open_)
        if condition is None:
            continue
        if condition.const == "true":
            rest = body
        elif condition.const != "false":
            marker = emit.block()
            marker.site(when, condition)
            emit.span = when.span
            test = ast.If(condition.code, body, rest)
            # A body is waited for by the condition that reads it, when it is asked.
            rest = [*marker.body, emit.place(test)]
    return rest


def _body_of(statement: ast.stmt) -> list[ast.stmt]:
    assert isinstance(statement, ast.If)
    return statement.body


def _children(use: Use, emit: Emitter, open_: str = "") -> list[ast.stmt]:
    inner = emit.block()
    inner.span = use.span
    if open_:
        inner.do(f"{open_} = False")
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
