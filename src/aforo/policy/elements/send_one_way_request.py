"""`send-one-way-request`: a request of the policy's own that nobody waits for."""

from __future__ import annotations

import logging
from typing import Final

from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.outgoing import CHILDREN, COMMON, Draft, request
from aforo.policy.spec import Element

log = logging.getLogger("aforo.policy")

# A receiver that hangs holds a connection for each until the time-out: it must not use up what calls need.
MOST_UNDER_WAY: Final = 512
_UNDER_WAY: Final = "\0send-one-way-request"  # no key of `limit-concurrency` begins so


def send(exchange: Exchange, made: Draft, timeout_s: float) -> None:
    """Hands it over. The call goes on, and does not hear of a failure."""
    under_way = exchange.services.under_way
    number = under_way.get(_UNDER_WAY, 0)
    if number >= MOST_UNDER_WAY:
        log.warning("a one-way request is left out: %d are under way, and none of them ends", number)
        return
    under_way[_UNDER_WAY] = number + 1
    exchange.services.spawn(_sent(exchange, made, timeout_s))


async def _sent(exchange: Exchange, made: Draft, timeout_s: float) -> None:
    try:
        await exchange.services.send(made.outbound(timeout_s))
    finally:
        exchange.services.under_way[_UNDER_WAY] -= 1


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
