"""`set-status`: the status code and reason of the response."""

from __future__ import annotations

from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import ResponseState
from aforo.policy.spec import Attribute, Element


def put(response: ResponseState, code: int, reason: str | None) -> None:
    response.status = code
    # A line end in the reason would end the status line.
    response.reason = "".join(c for c in reason or "" if c.isprintable())


def write(use: Use, emit: Emitter) -> None:
    code, reason = emit.value(use, "code"), emit.value(use, "reason")
    if code is None:
        return
    emit.site(use, code, reason)
    number = emit.number(code, "code", 100, 999)
    target = emit.message if not emit.message.startswith("x.request") else "answer(x)"
    emit.do("F(RESPONSE, CODE, REASON)", F=put, RESPONSE=emit.expr(target), CODE=number, REASON=reason)


ELEMENT = Element(
    "set-status",
    "Sets the status code and the reason phrase of the response.",
    write,
    attributes=(
        Attribute("code", "The status code.", "int", required=True),
        Attribute("reason", "The reason phrase.", default=""),
    ),
)
