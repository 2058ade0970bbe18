"""`send-one-way-request`: a request of the policy's own that nobody waits for."""

from __future__ import annotations

from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.outgoing import CHILDREN, COMMON, Draft, request
from aforo.policy.spec import Element


def send(exchange: Exchange, made: Draft, timeout_s: float) -> None:
    """Hands it over. The call goes on, and does not hear of a failure."""
    exchange.services.spawn(_sent(exchange, made, timeout_s))


async def _sent(exchange: Exchange, made: Draft, timeout_s: float) -> None:
    await exchange.services.send(made.outbound(timeout_s))


def write(use: Use, emit: Emitter) -> None:
    made = request(use, emit)
    if made is not None:
        target, seconds = made
        emit.do(f"SEND(x, {target}, SECONDS)", SEND=send, SECONDS=seconds)


ELEMENT = Element(
    "send-one-way-request",
    "Sends a request of its own and goes on at once; what comes of it is not looked at.",
    write,
    attributes=COMMON,
    children=CHILDREN,
)
