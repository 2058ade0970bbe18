"""Refusals in the form that the clients of a call's API read: OpenAI's where a model is asked. It decides nothing."""

from __future__ import annotations

import orjson

from aforo.gateway.call import Call
from aforo.messages import Headers
from aforo.policy import answers
from aforo.policy.exchange import Body, ResponseState


def in_clients_form(call: Call, status: int, code: str, kind: str, message: str) -> ResponseState:
    """OpenAI's error for operations of model services, API Management's for all others."""
    operation = call.operation_runtime
    if operation is None or not (operation.wire or operation.stateful is not None):
        return answers.answer(status, message)
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    headers = Headers.of(((b"content-type", b"application/json"),))
    return ResponseState(status, answers.reason_of(status), headers, Body(orjson.dumps(body)))
