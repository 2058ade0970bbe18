"""The fragment `allowed-models` that is carried along: a product calls the models of its list, however they are asked for."""

from __future__ import annotations

import json

import pytest

from aforo.control.carried_fragments import CARRIED_FRAGMENTS, carried_fragment
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.scopes import Scope
from aforo.source import Source
from tests.support.gateway import gate, story

LIST = '<set-variable name="allowed-models" value="gpt-4o, Embed" />'


def product(before: str = LIST) -> Pipeline:
    fragments = {name: carried_fragment(name) for name in CARRIED_FRAGMENTS}
    text = (
        f'<policies><inbound>{before}<include-fragment fragment-id="allowed-models" /></inbound>'
        "<backend><forward-request /></backend></policies>"
    )
    made = compile_document(Source("policy.xml", text), Scope.GLOBAL, CompileContext(fragments=fragments))
    assert made.document is not None, made.diagnostics
    return made.document.bind(EMPTY)


def post(body: bytes, kind: str = "application/json", method: str = "POST") -> bytes:
    head = f"{method} /echo/v1/chat HTTP/1.1\r\nHost: gate\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        (b'{"model": "gpt-4o", "t": 1.10}', None),
        (b'{"model":"EMBED","text":"the \\"model\\" of 2024-01-01T00:00:00Z"}', None),
        # A backend that takes the first of two names gets the one that was looked at.
        (b'{"model": "gpt-5", "model": "gpt-4o"}', {"model": "gpt-4o"}),
        (b'{"\\u006dodel": "gpt-5", "model": "gpt-4o"}', {"model": "gpt-4o"}),
    ],
)
@story
async def test_a_model_of_the_list(body: bytes, heard: object) -> None:
    async with gate(product()) as g:
        assert (await g.call(post(body))).status == 200
        (got,) = g.backend.heard
        if heard is None:
            assert got.body == body
        else:
            assert got.body.count(b"model") == 1
            assert json.loads(got.body) == heard


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b'{"model": "gpt-5"}', "application/json", "'gpt-5' may not be called"),
        (b'{"model": "gpt-4o", "model": "gpt-5"}', "application/json", "'gpt-5' may not be called"),
        (b'{"model": "gpt-4o", "Model": "gpt-5"}', "application/json", "names no model"),
        (b'{"model": ""}', "application/json", "names no model"),
        (b'{"model": null}', "application/json", ""),
        (b"{}", "application/json", "names no model"),
        (b'{"model": ', "application/json", "names no model"),
        (b'["gpt-4o"]', "application/json", "names no model"),
        (b"model=gpt-4o", "multipart/form-data; boundary=x", "names no model"),
    ],
)
@story
async def test_any_other_model_is_refused(body: bytes, kind: str, says: str) -> None:
    async with gate(product()) as g:
        got = await g.call(post(body, kind))
        assert got.status == 403
        error = json.loads(got.body)["error"]
        assert (error["code"], error["param"]) == ("ModelNotAllowed", "model")
        assert says in error["message"]
        assert g.backend.heard == []


@story
async def test_without_a_list_nothing_may_be_called_and_reading_may_go_on() -> None:
    async with gate(product("")) as g:
        assert (await g.call(post(b'{"model": "gpt-4o"}'))).status == 403
        assert (await g.call(b"GET /echo/v1/models HTTP/1.1\r\nHost: gate\r\n\r\n")).status == 200
