"""What policies owe a call after their element has run: headers, checks, counts, and the tokens that it spent.

Whoever runs the sections (gateway/proxy.py, rehearsing/trial.py) calls these at the four moments that they are named after; a
call in which no policy owes anything comes here never.
"""

from __future__ import annotations

import logging

from aforo.errors import Refusal
from aforo.llm.digest import read_object
from aforo.llm.spent import prompt_tokens, spent
from aforo.llm.usage import ESTIMATED
from aforo.llm.usage import Usage as Counts
from aforo.messages import is_event_stream
from aforo.policy.exchange import Exchange, Owed, PolicyFailure, ResponseState
from aforo.policy.services import Usage

log = logging.getLogger("aforo.policy")


class MeteredUsage(Usage, frozen=True):
    """A call's usage with what it was read from: all counts of the answer, its tier of service, its id and those of its
    items."""

    counts: Counts = Counts(0, 0, 0, ESTIMATED)
    tier: str = ""
    answer_id: str = ""
    item_ids: tuple[str, ...] = ()


def owed(exchange: Exchange) -> Owed:
    """To write down what is owed."""
    known = exchange.owed
    if known is None:
        known = exchange.owed = Owed()
    return known


async def answered(exchange: Exchange, wire: str) -> None:
    """A backend's answer is here and outbound is next. What is metered is read whole, but for event streams.

    PolicyFailure when a policy refuses the answer.
    """
    promised(exchange)
    response = exchange.response
    if exchange.meters is not None and response is not None and not is_event_stream(response.headers):
        usage = None
        if 200 <= response.status < 300 and _is_json(response):
            usage = usage_of(exchange, wire, await response.body.read(), stream=False)
        await metered(exchange, usage)
    if exchange.owed is not None:
        for check in exchange.owed.checks:
            await check(exchange)


def promised(exchange: Exchange) -> None:
    """There is an answer: it gets the headers that inbound policies have for it, once."""
    if exchange.owed is not None and exchange.response is not None:
        heads, exchange.owed.heads = exchange.owed.heads, []
        for head in heads:
            head(exchange)


async def closed(exchange: Exchange) -> None:
    """The sections are over: the answer is final, and it may be read. What fails here changes it no more."""
    promised(exchange)
    if exchange.owed is None:
        return
    for end in exchange.owed.ends:
        try:
            await end(exchange)
        except PolicyFailure as failure:
            exchange.errors.append(failure.error)
        except Refusal as refusal:
            log.error("what a policy does at the end of a call failed: %s", refusal)


async def metered(exchange: Exchange, usage: Usage | None) -> None:
    """The tokens of the call are known, or known not to be; who waits for them is told once."""
    meters, exchange.meters = exchange.meters, None
    for meter in meters or ():
        await meter(exchange, usage)


def usage_of(exchange: Exchange, wire: str, answer: bytes, *, stream: bool) -> Usage | None:
    """What a successful answer spent, in the model's words or estimated; None when it is no model's, or one that was
    only looked at again (a stored response tells what it has cost once)."""
    if exchange.request.original_method != "POST":
        return None
    found = spent(wire, exchange.request.body.data or b"", answer, stream=stream)
    if found is None:
        return None
    known = found.usage
    return MeteredUsage(
        known.prompt,
        known.completion,
        known.total,
        found.model,
        known.source == ESTIMATED,
        known,
        found.tier,
        found.id,
        found.items,
    )


def usage_of_prompt(exchange: Exchange) -> Usage:
    """What a call has spent whose client left before the answer: its prompt, as far as that can be told."""
    prompt = prompt_tokens(read_object(exchange.request.body.data or b""))
    return Usage(prompt, 0, prompt, "", True)


def _is_json(response: ResponseState) -> bool:
    content_type = response.headers.get(b"content-type") or b""
    return b"json" in content_type.lower()
