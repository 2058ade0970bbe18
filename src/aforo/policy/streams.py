"""Answers that come as event streams, as policies see them: assembled, and after their head has left. It knows no socket.

Whoever runs the sections (gateway/released.py, rehearsing/trial.py) says when the head leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from aforo.llm.catalog import WIRES
from aforo.llm.digest import assemble
from aforo.llm.spent import spent
from aforo.llm.wire import Json
from aforo.policy.bound import decorate
from aforo.policy.exchange import Exchange, LastError, ResponseState
from aforo.policy.owing import promised
from aforo.policy.tracing import trace

# The Responses API names its counts otherwise.
_COUNTS: Final = {"responses": ("input_tokens", "output_tokens")}


def view(wire: str, request: bytes) -> Callable[[bytes], bytes]:
    """What expressions see of an event stream (`Body.view`): on a model's wire the answer that the call would have given
    without a stream, as JSON; the text of the stream where it is no model's. `request` is the body that asked for it."""

    def shown(data: bytes) -> bytes:
        known = WIRES.get(wire)
        if known is None:
            return data
        try:
            answer, _ = assemble(known, data)
            if not answer:
                return data
            if "usage" not in answer and "error" not in answer:
                _estimate(wire, answer, request, data)
            return orjson.dumps(answer)
        except (RecursionError, orjson.JSONEncodeError):  # nested deeper than anything that means something
            return data

    return shown


def _estimate(wire: str, answer: Json, request: bytes, data: bytes) -> None:
    """The usage that the model did not tell, marked as ours."""
    found = spent(wire, request, data, stream=True)
    if found is not None:
        usage = found.usage
        prompt, completion = _COUNTS.get(wire, ("prompt_tokens", "completion_tokens"))
        answer["usage"] = {
            prompt: usage.prompt,
            completion: usage.completion,
            "total_tokens": usage.total,
            "estimated": True,
        }


def leaves(exchange: Exchange, response: ResponseState, cors: Sequence[Any]) -> ResponseState:
    """The head of this response goes to the client now, with what it would have got at the end of outbound; a copy of it.
    Whatever policies do to the response from here on comes too late."""
    promised(exchange)
    if cors:
        decorate(exchange, cors, response)
    if exchange.trace is not None:
        trace.released(exchange, response)
    return ResponseState(response.status, response.reason, response.headers.copy(), response.body)


def too_late(exchange: Exchange, released: ResponseState) -> None:
    """The sections are over: a policy that has answered in place of what the client has got is told in the record. What
    failed is there already."""
    if exchange.response is not released and exchange.last_error is None:
        message = (
            "The answer cannot be replaced: it is an event stream, and left when a policy read its body."
        )
        exchange.errors.append(LastError("gateway", "ResponseAlreadySent", message, section=exchange.section))
