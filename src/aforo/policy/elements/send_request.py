"""`send-request`: a request of the policy's own, whose answer a variable keeps."""

from __future__ import annotations

from aforo.errors import Refusal
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.outgoing import CHILDREN, COMMON, Draft, request
from aforo.policy.running import taint, untaint
from aforo.policy.spec import Attribute, Element


async def send(exchange: Exchange, made: Draft, timeout_s: float, ignore: bool) -> ResponseState | None:
    """The answer; None when there is none and that is to be ignored."""
    try:
        return await exchange.services.send(made.outbound(timeout_s))
    except Refusal as refusal:
        if ignore:
            return None
        error = LastError("send-request", "BackendConnectionFailure", refusal.message)
        raise PolicyFailure(error) from refusal
    except PolicyFailure:
        if ignore:
            return None
        raise


def write(use: Use, emit: Emitter) -> None:
    name = emit.value(use, "response-variable-name")
    if name is None:
        return
    first = len(emit.unit.sites)
    made = request(use, emit, name)
    if made is None:
        return
    target, seconds = made
    key = emit.expr("N", N=name.const.strip()) if name.const is not None else emit.expr("V", V=name)
    emit.do(
        f"x.variables[NAME] = await SEND(x, {target}, SECONDS, IGNORE)",
        NAME=key,
        SEND=send,
        SECONDS=seconds,
        IGNORE=emit.flag(use, "ignore-error"),
    )
    emit.do("if x.tainted is not None:\n    UNTAINT(x, NAME)", UNTAINT=untaint, NAME=key)
    secret = any(s.secret for s in emit.unit.sites[first:]) or any(
        c.startswith("authentication-") for c in use.children
    )
    if name.const is None and secret:
        # Where the name is written out, the compiler follows it.
        emit.do("TAINT(x, NAME)", TAINT=taint, NAME=key)


ELEMENT = Element(
    "send-request",
    "Sends a request of its own and keeps the answer in a variable. Any status is an answer, not an error.",
    write,
    attributes=(
        *COMMON,
        Attribute("response-variable-name", "The variable for the answer.", "name", required=True),
        Attribute(
            "ignore-error", "true: the variable is null when there is no answer.", "bool", default="false"
        ),
    ),
    children=CHILDREN,
)
