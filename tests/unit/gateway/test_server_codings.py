"""Request bodies with a content coding: policies, meter and record see text, the backend the bytes that came."""

from __future__ import annotations

import gzip
import json
import random
import sys
import zlib
from collections.abc import Callable

import brotli
import pytest

from aforo.policy.exchange import Exchange
from aforo.policy.pipeline import Effects, Pipeline
from aforo.policy.services import ForwardOptions
from tests.support.gateway import gate, story

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = json.dumps({"messages": [{"role": "user", "content": "Hello! " * 40}]}).encode()
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
}


def request(coding: str, body: bytes, path: str = "/echo/a", *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: gate", f"Content-Encoding: {coding}", *more]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def reading(seen: list[bytes], *, replacement: bytes | None = None) -> Pipeline:
    """A policy that reads the request's body, as compiled ones do, and maybe puts another in its place."""

    async def inbound(exchange: Exchange) -> None:
        seen.append(await exchange.request.body.read())
        if replacement is not None:
            exchange.request.body.replace(replacement)

    return Pipeline(inbound=inbound, plain_forward=ForwardOptions(), effects=Effects(reads_request_body=True))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("repeat", [1, 300], ids=["small", "streaming"])
def test_a_policy_reads_text_and_the_backend_gets_what_came(coding: str, repeat: int) -> None:
    @story
    async def told() -> None:
        # Incompressible in part, so that a large one does not arrive in one piece.
        text = TEXT * repeat + random.Random(7).randbytes(1_000 * repeat)
        sent = CODINGS[coding](text)
        seen: list[bytes] = []
        async with gate(reading(seen)) as g:
            assert (await g.call(request(coding, sent))).status == 200
            assert seen == [text]
            (heard,) = g.backend.heard
            assert heard.values("content-encoding") == [coding]
            assert heard.size == len(sent)
            assert heard.values("content-length") == [str(len(sent))]
            if heard.body:
                assert heard.body == sent
            (record,) = g.records
            assert (record.request.body, record.request.size) == (text, len(sent))
            assert record.same_request

    told()


@story
async def test_what_a_policy_puts_in_its_place_goes_out_plain() -> None:
    seen: list[bytes] = []
    async with gate(reading(seen, replacement=b'{"other": 1}')) as g:
        await g.call(request("gzip", gzip.compress(TEXT)))
        assert seen == [TEXT]
        (heard,) = g.backend.heard
        assert heard.values("content-encoding") == []
        assert heard.body == b'{"other": 1}'
        (record,) = g.records
        assert (record.request.body, record.backend_request.body) == (TEXT, b'{"other": 1}')


@pytest.mark.parametrize(
    ("coding", "body", "status", "says"),
    [
        ("compress", b"x", 415, "'compress' is not known"),
        ("gzip, x-own", gzip.compress(TEXT, mtime=0), 415, "'x-own' is not known"),
        ("gzip", b"not gzip", 400, "not gzip"),
        ("zstd", b"not zstd", 400, "not zstd"),
        ("gzip", gzip.compress(bytes(80 * 1024 * 1024), mtime=0), 413, "past the limit"),
    ],
)
def test_what_a_policy_cannot_read_is_refused(coding: str, body: bytes, status: int, says: str) -> None:
    @story
    async def told() -> None:
        seen: list[bytes] = []
        async with gate(reading(seen)) as g:
            answer = await g.call(request(coding, body))
            told = json.loads(answer.body)
            assert (answer.status, told["statusCode"]) == (status, status)
            assert says in told["message"]
            assert answer.values("accept-encoding") == (["gzip, deflate, br, zstd"] if status == 415 else [])
            assert seen == []
            assert g.backend.heard == []
            (record,) = g.records
            assert record.status == status
            assert record.errors[0].message == told["message"]

    told()


@pytest.mark.parametrize("coding", ["compress", "gzip"])
@pytest.mark.parametrize("path", ["/echo/a", "/echo/chat/completions"])
def test_what_no_policy_reads_is_the_backends_to_judge(coding: str, path: str) -> None:
    @story
    async def told() -> None:
        async with gate() as g:
            assert (await g.call(request(coding, b"no such coding", path))).status == 200
            (heard,) = g.backend.heard
            assert (heard.values("content-encoding"), heard.body) == ([coding], b"no such coding")
            (record,) = g.records
            assert record.request.body == b"no such coding"

    told()


@story
async def test_a_stream_is_asked_for_its_usage_through_the_coding() -> None:
    body = json.dumps({"messages": [], "stream": True}).encode()
    async with gate() as g:
        path = "/echo/chat/completions?api-version=2024-10-21"
        await g.call(request("br", brotli.compress(body), path))
        (heard,) = g.backend.heard
        assert heard.values("content-encoding") == []
        assert json.loads(heard.body)["stream_options"] == {"include_usage": True}
        (record,) = g.records
        assert record.request.body == body


@story
async def test_a_model_call_that_is_no_stream_keeps_its_bytes() -> None:
    sent = gzip.compress(TEXT)
    async with gate() as g:
        await g.call(request("gzip", sent, "/echo/chat/completions?api-version=2024-10-21"))
        (heard,) = g.backend.heard
        assert (heard.values("content-encoding"), heard.body) == (["gzip"], sent)
        (record,) = g.records
        assert record.request.body == TEXT
