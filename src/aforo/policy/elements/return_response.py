"""`return-response`: ends the pipeline and answers the caller."""

from __future__ import annotations

from typing import Any

from aforo.csharp.runtime.exceptions import InvalidCastException, KeyNotFoundException
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Body, Exchange, ResponseState, Returned
from aforo.policy.spec import Attribute, Child, Element


def from_variable(exchange: Exchange, name: str | None) -> ResponseState:
    """A copy of the response that a variable holds; the statements change the copy."""
    held: Any = exchange.variables.get(name or "")
    if held is None:
        raise KeyNotFoundException(f"There is no response in the variable '{name}'.")
    if not isinstance(held, ResponseState):
        raise InvalidCastException(f"The variable '{name}' holds no response.")
    body = Body(held.body.data, held.body.load)
    body.changed = held.body.changed
    return ResponseState(held.status, held.reason, held.headers.copy(), body)


def write(use: Use, emit: Emitter) -> None:
    response = emit.local("response")
    name = emit.value(use, "response-variable-name")
    emit.site(use, name)
    if name is not None:
        known = name if name.const is None else name.const.strip()
        emit.do(f"{response} = F(x, NAME)", F=from_variable, NAME=known)
    else:
        emit.do(f"{response} = F()", F=ResponseState.empty)
    inner = emit.block(response)
    for child in ("set-status", "set-header", "set-body"):
        for each in use.children.get(child, ()):
            inner.unit.compile_use(each, inner)
    emit.body += inner.body
    emit.span = use.span
    emit.do(f"x.response = {response}")
    emit.do("raise END()", END=Returned)


ELEMENT = Element(
    "return-response",
    "Ends the pipeline here and answers the caller: 200 without a body unless the statements inside say otherwise.",
    write,
    attributes=(
        Attribute(
            "response-variable-name",
            "A variable with a response to start from, as send-request leaves it.",
            "name",
        ),
    ),
    children=(
        Child("set-status", "The status.", same_as="set-status"),
        Child("set-header", "A header.", many=True, same_as="set-header"),
        Child("set-body", "The body.", same_as="set-body"),
    ),
)
