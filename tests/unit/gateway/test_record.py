"""What is written down: no key in any form, true sizes, stated caps, equal bodies once, before the last bytes."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import msgspec
import pytest

from aforo.gateway import logged_messages
from aforo.gateway import record as record_module
from aforo.gateway.record import masked_target
from aforo.gateway.server import ServerConnection
from aforo.messages import Headers
from aforo.policy.exchange import Exchange
from aforo.policy.masking import CREDENTIAL_HEADERS
from aforo.policy.pipeline import Pipeline
from aforo.policy.services import ForwardOptions
from aforo.snapshot.snapshot import BackendEntry, LogPlan, MessageLog
from tests.support.gateway import KEY, LOG_ALL, gate, story, until

NAMES = (
    "authorization",
    "api-key",
    "x-team",
    "cookie",
    "set-cookie",
    "x-pass",
    "content-type",
    "proxy-authorization",
)
NOSY = MessageLog(NAMES, None)
NOSY_PLAN = LogPlan(True, 100.0, True, True, NOSY, NOSY, NOSY, NOSY, True, True)
SECRET = "canary-backend-secret"


def post(body: bytes, *lines: bytes, path: bytes = b"/echo/a") -> bytes:
    head = b"\r\n".join(
        (b"POST " + path + b" HTTP/1.1", b"Host: gate", b"Content-Length: %d" % len(body), *lines)
    )
    return head + b"\r\n\r\n" + body


REQUESTS = {
    "header": post(b"hi", b"x-team: " + KEY.encode()),
    "header twice": post(b"hi", b"x-team: " + KEY.encode(), b"x-team: " + KEY.encode()),
    "query": post(b"hi", path=b"/echo/a?team-key=" + KEY.encode() + b"&b=1"),
    "encoded query": post(b"hi", path=b"/echo/a?%74eam-key=" + KEY.encode()),
    "query in capitals": post(b"hi", b"x-team: " + KEY.encode(), path=b"/echo/a?TEAM-KEY=" + KEY.encode()),
    "bearer": post(b"hi", b"Authorization: Bearer " + KEY.encode()),
    "cookie": post(b"hi", b"x-team: " + KEY.encode(), b"Cookie: k=" + KEY.encode()),
    "other usual names": post(b"hi", b"x-team: " + KEY.encode(), b"Api-Key: " + KEY.encode(),
                              path=b"/echo/a?subscription-key=%b&api-key=%b&code=%b&sig=%b" % ((KEY.encode(),) * 4)),
    "no operation": post(b"hi", path=b"/nothing?api-key=" + KEY.encode()),
    "not for this api": post(b"hi", b"x-team: nope", path=b"/echo/a?team-key=" + KEY.encode()),
}  # fmt: skip


@pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS.keys())
@story
async def test_no_key_reaches_a_record(data: bytes) -> None:
    def backends(port: int) -> dict[str, BackendEntry]:
        return {"b": BackendEntry("b", f"http://127.0.0.1:{port}", (("X-Pass", (SECRET,)),),
                                  (("pass", (SECRET,)),), ("Bearer", SECRET))}  # fmt: skip

    async def inbound(exchange: Exchange) -> None:
        exchange.backend_id = "b"

    pipeline = Pipeline(inbound=inbound, plain_forward=ForwardOptions())
    async with gate(pipeline, log=NOSY_PLAN, required=True, bearer=True, key_header="x-team", key_query="team-key",
                    backends=backends) as g:  # fmt: skip
        g.backend.plays(
            b"HTTP/1.1 200 OK\r\nset-cookie: s=%b\r\ncontent-length: 2\r\n\r\nok" % SECRET.encode()
        )
        await g.call(data)
        (record,) = g.records
        written = msgspec.msgpack.encode(record)
        assert KEY.encode() not in written
        assert SECRET.encode() not in written
        if record.status == 200:
            assert SECRET in g.backend.heard[0].line
            assert record.backend_url.endswith("pass=*****")


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/a", "/a"),
        ("/a?b=c", "/a?b=c"),
        ("/key?b=key", "/key?b=key"),
        ("/a?api-key=s&b=c&api-key=t", "/a?api-key=*****&b=c&api-key=*****"),
        ("/a?own=s", "/a?own=*****"),
        ("/a?OWN=s", "/a?OWN=*****"),
        ("/a?o%77n=s", "/a?o%77n=*****"),
        ("/a?own", "/a?own"),
        ("/a?own=", "/a?own=*****"),
        ("/a?b=?own=s", "/a?b=?own=s"),
        ("/a?sig=%2F==", "/a?sig=*****"),
        ("/a?access_token=s", "/a?access_token=*****"),
    ],
)
def test_masked_targets(target: str, shown: str) -> None:
    assert masked_target(target, "Own") == shown


@pytest.mark.parametrize("name", sorted(CREDENTIAL_HEADERS))
def test_headers_that_are_credentials_to_policies_are_masked_in_the_log(name: str) -> None:
    field = name.encode()
    listed = logged_messages.fields_of(Headers.of(((field, b"s"), (b"a", b"b"))), frozenset((field, b"a")))
    assert listed == [(field, b"*****"), (b"a", b"b")]


def test_long_targets_are_not_remembered() -> None:
    before = record_module._masked.cache_info().currsize
    assert masked_target("/a?own=" + "s" * 5000, "own") == "/a?own=*****"
    assert record_module._masked.cache_info().currsize == before


def plan(size: int | None) -> LogPlan:
    part = MessageLog((), size)
    return msgspec.structs.replace(LOG_ALL, frontend_request=part, frontend_response=part,
                                   backend_request=part, backend_response=part)  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "kept", "cut"),
    [(0, b"", False), (3, b"abc", True), (6, b"abcdef", False), (None, b"abcdef", False)],
)
@story
async def test_caps_are_kept_and_marked(limit: int | None, kept: bytes, cut: bool) -> None:
    async with gate(log=plan(limit)) as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef")
        await g.call(post(b"abcdef"))
        (record,) = g.records
        assert (record.request.body, record.request.cut, record.request.size) == (kept, cut, 6)
        assert record.response.body == kept
        assert (record.response.cut, record.response.size) == (cut or limit == 0, 6)
        assert (record.same_request, record.same_response) == (True, True)
        assert record.backend_request.body == record.backend_response.body == b""
        assert record.backend_response.size == 6


@pytest.mark.parametrize(("limit", "kept"), [(0, b""), (3, b"NEW"), (None, b"NEW body")])
@story
async def test_changed_bodies_are_capped_too(limit: int | None, kept: bytes) -> None:
    async def change(exchange: Exchange) -> None:
        message: Any = exchange.response or exchange.request
        await message.body.read()
        message.body.replace(b"NEW body")

    async with gate(Pipeline(change, None, change, plain_forward=ForwardOptions()), log=plan(limit)) as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef")
        answer = await g.call(post(b"abcdef"))
        assert (g.backend.heard[0].body, answer.body) == (b"NEW body",) * 2
        (record,) = g.records
        assert (record.same_request, record.same_response) == (False, False)
        assert (record.backend_request.body, record.backend_request.size) == (kept, 8)
        assert (record.response.body, record.response.size) == (kept, 8)
        assert record.backend_response.size == 6
        assert record.backend_response.body == (b"" if limit == 0 else b"abcdef"[:limit])


@story
async def test_a_body_that_a_policy_read_is_counted_once() -> None:
    async def outbound(exchange: Exchange) -> None:
        assert exchange.response is not None
        assert await exchange.response.body.read() == b"abcdef"

    async with gate(Pipeline(plain_forward=ForwardOptions(), outbound=outbound)) as g:
        zipped = gzip.compress(b"abcdef")
        g.backend.plays(
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b"
            % (len(zipped), zipped)
        )
        answer = await g.call(post(b"hi"))
        assert answer.body == zipped
        (record,) = g.records
        assert (record.response.body, record.response.size, record.backend_response.size) == (
            b"abcdef",
            len(zipped),
            len(zipped),
        )


@story
async def test_the_cap_holds_after_decoding() -> None:
    async with gate(log=plan(100)) as g:
        zipped = gzip.compress(b"a" * 100_000)
        g.backend.plays(
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b"
            % (len(zipped), zipped)
        )
        await g.call(post(zipped, b"Content-Encoding: gzip"))
        (record,) = g.records
        for message in (record.request, record.response):
            assert (len(message.body), message.cut, message.size) == (100, True, len(zipped))


@pytest.mark.parametrize("sampling", [0.0, 100.0])
@story
async def test_samples_keep_errors(sampling: float) -> None:
    async with gate(log=msgspec.structs.replace(LOG_ALL, sampling=sampling)) as g:
        await g.call(post(b"hi"))
        g.backend.plays(b"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n")
        await g.call(post(b"hi"))
        assert [r.status for r in g.records] == ([429] if sampling == 0 else [200, 429])


SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "before"),
    [
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd"], b"abcd"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab", b"cd"], b"cd"),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", b"0\r\n\r\n"], b"0\r\n\r\n"),
        ([SSE + b"9\r\ndata: 1\n\n\r\n", b"e\r\ndata: [DONE]\n\n\r\n", b"0\r\n\r\n"], b"[DONE]"),
    ],
)
@story
async def test_the_record_stands_before_the_last_bytes_leave(
    parts: list[bytes], before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[bytes] = []
    write = ServerConnection.write

    def spy(self: ServerConnection, data: bytes) -> None:
        log.append(data)
        write(self, data)

    monkeypatch.setattr(ServerConnection, "write", spy)
    async with gate() as g:
        g.spool.on_append = lambda record: log.append(b"RECORD")
        gaps = [asyncio.Event() for _ in parts]
        g.backend.plays(*(step for pair in zip(parts, gaps, strict=True) for step in pair))
        client = await g.connect()
        await client.send(post(b"hi"))
        for n, gap in enumerate(gaps):
            await until(lambda n=n: len(g.backend.heard) and len([w for w in log if w != b"RECORD"]) > n)
            gap.set()
        answer = await client.answer()
        assert log.count(b"RECORD") == 1
        at = log.index(b"RECORD")
        assert before not in b"".join(log[:at])
        assert before in b"".join(log[at:])
        assert g.records[0].response.body == answer.body
        assert g.records[0].response.size == len(answer.body)
