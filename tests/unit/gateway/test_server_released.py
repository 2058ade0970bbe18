"""Event streams that policies read: tokens leave as they come, the end when outbound has ended, the record has all."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from aforo.gateway import released
from aforo.gateway.arrival import FREE_BYTES
from aforo.gateway.crowd import Room
from aforo.gateway.released import ReleasedRelay
from aforo.gateway.traces import Traces
from aforo.identity.debug_token import DebugToken, make
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.scopes import Scope
from aforo.source import Source
from tests.support.gateway import Client, Gate, gate, story, until
from tests.support.metered import DONE, LIMIT, STREAM_HEAD, TEXT, TOLD, chunk, plain, policy, post, told
from tests.support.scripted_backend import CLOSE

READ = """<set-variable name="tokens" value="@((int)context.Response.Body.As<JObject>(true)["usage"]["total_tokens"])"/>"""
SAY = """<trace source="usage" severity="information"><message>@(context.Variables["tokens"].ToString())</message></trace>"""
ASK = (
    '<send-request mode="new" response-variable-name="asked" timeout="20">'
    '<set-url>@("http://" + context.Request.Headers.GetValueOrDefault("x-audit", "") + "/audit")</set-url>'
    "<set-method>POST</set-method><set-body>@(context.Response.Body.As<string>())</set-body></send-request>"
)
LATE = '<set-header name="x-late"><value>1</value></set-header>'
EARLY = '<set-header name="x-early"><value>1</value></set-header>'
EVENTS = [TEXT, TEXT, TOLD, DONE]
WHOLE = {
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"content": "abcdefgh" * 2}}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 30, "total_tokens": 50},
}


def events(outbound: str = READ + SAY, inbound: str = "", on_error: str = "") -> Any:
    return policy(inbound, EARLY + outbound + LATE, on_error)


def audited(g: Gate, *, stream: bool = True) -> bytes:
    """A call whose policies may send what they read to this gate's backend."""
    return post(stream=stream).replace(b"Host:", b"x-audit: 127.0.0.1:%d\r\nHost:" % g.backend.port)


async def head_of(client: Client) -> list[str]:
    text = (await client.reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
    return text.split("\r\n")


async def piece_of(client: Client) -> bytes:
    """The next chunk; b"" for the end."""
    size = int(await client.reader.readuntil(b"\r\n"), 16)
    return (await client.reader.readexactly(size + 2))[:-2]


def told_by(g: Gate) -> list[str]:
    return [t.message for t in g.records[-1].trace_records]


@story
async def test_tokens_leave_as_they_come_and_the_end_when_outbound_has_ended() -> None:
    async with gate(events(READ + SAY + ASK)) as g:
        gaps = [asyncio.Event() for _ in EVENTS]
        answered = asyncio.Event()
        steps = [s for gap, e in zip(gaps, EVENTS, strict=True) for s in (gap, chunk(e))]
        g.backend.plays(STREAM_HEAD, *steps, b"0\r\n\r\n")
        g.backend.plays(answered, plain(b"{}"))
        client = await g.connect()
        await client.send(audited(g))
        head = await head_of(client)
        assert "x-early: 1" in head
        assert "x-late: 1" not in head
        for gap in gaps[:2]:
            gap.set()
            assert await piece_of(client) == TEXT
        assert len(g.backend.heard) == 1
        for gap in gaps[2:]:
            gap.set()
        await until(lambda: len(g.backend.heard) == 2)
        # The whole answer has gone to the audit, and neither the end nor the record is there yet.
        sent = json.loads(g.backend.heard[1].body)
        assert {k: sent[k] for k in WHOLE} == WHOLE
        assert not client.reader._buffer  # type: ignore[attr-defined]
        assert g.records == []
        answered.set()
        assert [await piece_of(client), await piece_of(client)] == [DONE, b""]
        (record,) = g.records
        assert (record.response.body, record.aborted, record.errors) == (b"".join(EVENTS), "", [])
        assert record.response.size == len(b"".join((TEXT, TEXT, DONE)))
        assert told_by(g) == ["50"]
        await client.send(audited(g, stream=False))
        g.backend.plays(plain(json.dumps(WHOLE).encode()))
        g.backend.plays(plain(b"{}"))
        answer = await client.answer()
        assert (answer.status, answer.values("x-early"), answer.values("x-late")) == (200, ["1"], ["1"])


@pytest.mark.parametrize("at_once", [True, False])
@story
async def test_the_record_is_there_when_the_last_event_is(at_once: bool) -> None:
    async with gate(events()) as g:
        script = [b"".join(map(chunk, EVENTS))] if at_once else [chunk(e) for e in EVENTS]
        hold = asyncio.Event()
        g.backend.plays(STREAM_HEAD, *script, hold, b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True))
        await client.reader.readuntil(b"[DONE]")
        # The stream has not ended, but the model has said all.
        assert told_by(g) == ["50"]
        hold.set()
        assert (await client.reader.readuntil(b"0\r\n\r\n")).endswith(b"\n\n\r\n0\r\n\r\n")
        await g.settled()
        assert len(g.records) == 1
        await g.call(post())
        assert g.backend.accepted == 1


@story
async def test_nothing_waits_where_no_policy_in_force_reads() -> None:
    when = "<choose><when condition='@(context.Response.StatusCode == 429)'>{0}</when></choose>"
    async with gate(events(when.format(READ))) as g:
        hold = asyncio.Event()
        g.backend.plays(STREAM_HEAD, chunk(TEXT), hold, chunk(DONE), b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True))
        # Outbound has run to its end before the first event.
        assert {"x-early: 1", "x-late: 1"} <= set(await head_of(client))
        assert await piece_of(client) == TEXT
        hold.set()
        assert await piece_of(client) == DONE


@story
async def test_what_may_be_rewritten_is_held_back() -> None:
    length = '<set-variable name="v" value="@(context.Response.Body.As<string>(true).Length)"/>'
    async with gate(events(length + "<find-and-replace from='abcd' to='ABCD'/>")) as g:
        hold = asyncio.Event()
        g.backend.plays(STREAM_HEAD, chunk(TEXT), hold, chunk(DONE), b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True))
        await until(lambda: g.backend.heard)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not client.reader._buffer  # type: ignore[attr-defined]
        hold.set()
        answer = await client.answer()
        assert (answer.body, answer.values("x-late")) == ((TEXT + DONE).replace(b"abcd", b"ABCD"), ["1"])


@pytest.mark.parametrize(
    ("outbound", "reason"),
    [
        (
            READ + "<return-response><set-status code='403' reason='No'/></return-response>",
            "ResponseAlreadySent",
        ),
        (READ.replace("usage", "nothing"), "ExpressionValueEvaluationFailure"),
    ],
)
@story
async def test_another_answer_comes_too_late_and_is_recorded(outbound: str, reason: str) -> None:
    seen = (
        '<trace source="on-error" severity="error"><message>@(context.LastError.Reason)</message></trace>'
        "<set-body>never sent</set-body>"
    )
    async with gate(events(outbound, on_error=seen)) as g:
        g.backend.plays(STREAM_HEAD, *map(chunk, EVENTS), b"0\r\n\r\n")
        answer = await g.call(post(stream=True))
        assert (answer.status, answer.body) == (200, b"".join((TEXT, TEXT, DONE)))
        (record,) = g.records
        assert (record.status, [e.reason for e in record.errors]) == (200, [reason])
        assert record.same_response
        assert told_by(g) == ([reason] if "Expression" in reason else [])


@story
async def test_a_stream_that_breaks_off_goes_to_on_error() -> None:
    seen = '<trace source="on-error" severity="error"><message>@(context.LastError.Reason)</message></trace>'
    async with gate(events(on_error=seen)) as g:
        g.backend.plays(STREAM_HEAD, chunk(TEXT), CLOSE)
        answer = await g.call(post(stream=True))
        assert answer.body.startswith(TEXT + b'data: {"error":{"code":"BackendConnectionFailure"')
        await g.settled()
        (record,) = g.records
        assert ([e.reason for e in record.errors], record.aborted) == (
            ["BackendConnectionFailure"],
            "backend",
        )
        assert told_by(g) == ["BackendConnectionFailure"]


@story
async def test_a_client_that_leaves_is_recorded_with_what_came_and_charged() -> None:
    async with gate(events(inbound=LIMIT.format(100, "false"))) as g:
        g.backend.plays(STREAM_HEAD, chunk(TEXT), asyncio.Event())
        client = await g.connect()
        await client.send(post(stream=True))
        await client.reader.readuntil(b"\n\n")
        client.leave()
        await g.settled()
        await until(lambda: g.backend.open == 0)
        (record,) = g.records
        assert (record.aborted, record.response.body, record.errors) == ("client", TEXT, [])
        g.backend.plays(plain(json.dumps(WHOLE).encode()))
        # 10 tokens of prompt and 2 of what was said before; then 50.
        assert told(await g.call(post())) == (200, ["38"], ["50"])


@story
async def test_a_client_that_leaves_while_outbound_works() -> None:
    async with gate(events(READ + SAY + ASK)) as g:
        g.backend.plays(STREAM_HEAD, *map(chunk, EVENTS), b"0\r\n\r\n")
        g.backend.plays(asyncio.Event())
        client = await g.connect()
        await client.send(audited(g))
        await until(lambda: len(g.backend.heard) == 2)
        client.leave()
        await g.settled()
        (record,) = g.records
        assert (record.aborted, record.response.body, told_by(g)) == ("client", b"".join(EVENTS), ["50"])


@story
async def test_who_reads_a_stream_finds_its_tokens_counted() -> None:
    say = SAY.replace('"tokens"', '"consumed"')
    async with gate(events(READ + say, LIMIT.format(100, "false"))) as g:
        g.backend.plays(STREAM_HEAD, *map(chunk, EVENTS), b"0\r\n\r\n")
        answer = await g.call(post(stream=True))
        assert (answer.status, told_by(g)) == (200, ["50"])
        g.backend.plays(plain(json.dumps(WHOLE).encode()))
        assert told(await g.call(post())) == (200, ["0"], ["50"])


@story
async def test_a_count_by_the_answer_does_not_hold_the_stream_back() -> None:
    limit = (
        '<rate-limit-by-key calls="60" renewal-period="60" counter-key="k" remaining-calls-header-name="x-left" '
        'increment-count="@((int)context.Response.Body.As<JObject>(true)["usage"]["total_tokens"])"/>'
    )
    async with gate(policy(limit)) as g:
        hold = asyncio.Event()
        g.backend.plays(STREAM_HEAD, chunk(TEXT), hold, chunk(TOLD), chunk(DONE), b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True))
        await head_of(client)
        assert await piece_of(client) == TEXT
        hold.set()
        assert [await piece_of(client), await piece_of(client)] == [DONE, b""]
        g.backend.plays(plain(json.dumps(WHOLE).encode()))
        assert (await g.call(post())).values("x-left") == ["10"]


@story
async def test_pages_of_another_origin_may_read_it() -> None:
    cors = "<cors><allowed-origins><origin>https://app.example</origin></allowed-origins></cors>"
    async with gate(events(inbound=cors)) as g:
        g.backend.plays(STREAM_HEAD, *map(chunk, EVENTS), b"0\r\n\r\n")
        answer = await g.call(post(stream=True).replace(b"Host:", b"Origin: https://app.example\r\nHost:"))
        assert answer.values("access-control-allow-origin") == ["https://app.example"]


@pytest.mark.parametrize("framing", ["length", "close", "gzip"])
@story
async def test_other_event_streams_are_text_whatever_their_framing(framing: str) -> None:
    say = '<trace source="s" severity="information"><message>@(context.Response.Body.As<string>())</message></trace>'
    async with gate(events(say)) as g:
        text = b"event: tick\ndata: 1\n\nevent: tick\ndata: 2\n\n"
        sent = gzip.compress(text) if framing == "gzip" else text
        line = {
            "length": b"content-length: %d" % len(sent),
            "close": b"x: y",
            "gzip": b"content-encoding: gzip",
        }
        g.backend.plays(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n%b\r\n\r\n" % line[framing],
            sent[:20],
            sent[20:],
            CLOSE if framing != "length" else b"",
        )
        answer = await g.call(b"GET /echo/ticks HTTP/1.1\r\nHost: gate\r\n\r\n")
        assert (answer.body, answer.values("x-early"), answer.values("x-late")) == (sent, ["1"], [])
        assert told_by(g) == [text.decode()]
        assert g.records[0].response.body == text


@story
async def test_the_last_event_of_a_responses_stream_waits() -> None:
    say = (
        '<trace source="s" severity="information"><message>@((string)context.Response.Body.As<JObject>()["id"])'
        "</message></trace>"
    )
    async with gate(events(say)) as g:
        pieces = [b"event: response.created\ndata: {}\n\n", b"event: response.comp", b"leted\nda",
                  b'ta: {"type":"response.completed","response":{"id":"r1"}}\n', b"\n"]  # fmt: skip
        g.backend.plays(STREAM_HEAD, *map(chunk, pieces), b"0\r\n\r\n")
        answer = await g.call(post(stream=True, path="/echo/responses"))
        assert (answer.body, told_by(g)) == (b"".join(pieces), ["r1"])


@story
async def test_old_clients_and_those_who_ask_for_the_head() -> None:
    async with gate(events('<set-variable name="v" value="@(context.Response.Body.As<string>())"/>')) as g:
        g.backend.plays(STREAM_HEAD, *map(chunk, EVENTS), b"0\r\n\r\n")
        raw = await g.transcript(post(stream=True).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert raw.endswith(b"\r\n\r\n" + b"".join((TEXT, TEXT, DONE)))
        g.backend.plays(STREAM_HEAD)
        answer = await g.call(b"HEAD /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n", head_only=True)
        assert answer.values("x-late") == ["1"]


@story
async def test_a_stream_that_is_too_large_to_read_still_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(released, "MAX_BUFFERED_ANSWER", 64)
    async with gate(events()) as g:
        g.backend.plays(STREAM_HEAD, *map(chunk, EVENTS), b"0\r\n\r\n")
        assert (await g.call(post(stream=True))).body == b"".join((TEXT, TEXT, DONE))
        assert [e.message for e in g.records[0].errors] == ["the answer is too large to read"]


@story
async def test_streams_that_policies_read_share_the_room_of_bodies() -> None:
    big = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 300_000 + b'"}}]}\n\n'
    sent = [chunk(piece) for piece in (big, big, TOLD, DONE)]
    async with gate(events()) as g:
        g.server.room = Room(2 << 20)
        hold = asyncio.Event()
        g.backend.plays(STREAM_HEAD, *sent[:2], hold, *sent[2:], b"0\r\n\r\n")
        calling = asyncio.create_task(g.call(post(stream=True)))
        await until(lambda: g.server.room.left < 2 << 20)
        left = g.server.room.left
        hold.set()
        assert (await calling).body == big + big + DONE
        await until(lambda: g.server.room.left == 2 << 20)
        assert (2 << 20) - left >= 300_000 - FREE_BYTES
        assert told_by(g) == ["50"]
        # Another call has the rest of it: the client gets its stream, the policies hear why they do not.
        g.server.room = Room(1_000)
        g.backend.plays(STREAM_HEAD, *sent, b"0\r\n\r\n")
        assert (await g.call(post(stream=True))).body.startswith(big + big)
        assert [e.message for e in g.records[1].errors] == ["other calls hold all the room for bodies"]
        assert g.server.room.left == 1_000


@story
async def test_a_last_event_without_end_is_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(released, "MAX_BUFFERED_ANSWER", 1 << 16)
    async with gate(events()) as g:
        hold = asyncio.Event()
        last = b"event: response.completed\ndata: " + b"x" * (1 << 17)
        g.backend.plays(STREAM_HEAD, chunk(TEXT), chunk(last), hold, chunk(b"\n\n"), b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True, path="/echo/responses"))
        await client.reader.readuntil(b"\n\n")
        got = b""
        while len(got) < 1 << 17:
            got += await client.reader.read(1 << 16)
        hold.set()
        await client.reader.readuntil(b"0\r\n\r\n")


@story
async def test_what_follows_the_last_event_waits_at_its_source() -> None:
    async with gate(events(READ + SAY + ASK)) as g:
        answered = asyncio.Event()
        more = [chunk(b": " + b"x" * (1 << 16) + b"\n\n") for _ in range(100)]
        g.backend.plays(STREAM_HEAD, *map(chunk, EVENTS), *more, b"0\r\n\r\n")
        g.backend.plays(answered, plain(b"{}"))
        client = await g.connect()
        await client.send(audited(g))
        await until(lambda: len(g.backend.heard) == 2)
        (connection,) = g.server.connections
        call = connection.current
        assert call is not None
        assert isinstance(call.relay, ReleasedRelay)
        assert call.arrival is not None
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert sum(map(len, call.relay._held)) < 1 << 20
        answered.set()
        answer = await client.answer()
        assert len(answer.body) > 100 << 16
        await g.settled()
        assert len(g.records) == 1


@pytest.mark.parametrize("outbound", ["{0}{1}", "{1}{0}"])
@story
async def test_a_cache_keeps_the_stream_and_not_what_policies_see(outbound: str) -> None:
    lookup = '<cache-lookup vary-by-developer="false" vary-by-developer-groups="false"/>'
    say = '<trace source="s" severity="information"><message>@(context.Response.Body.As<string>())</message></trace>'
    async with gate(events(outbound.format("<cache-store duration='60'/>", say), lookup)) as g:
        text = b"data: 1\n\ndata: 2\n\n"
        g.backend.plays(STREAM_HEAD, chunk(text), b"0\r\n\r\n")
        get = b"GET /echo/ticks HTTP/1.1\r\nHost: gate\r\n\r\n"
        assert (await g.call(get)).body == text
        assert (await g.call(get)).body == text
        assert [r.cache for r in g.records] == ["miss", "hit"]
        assert len(g.backend.heard) == 1


@story
async def test_a_trace_says_what_came_too_late(tmp_path: Path) -> None:
    text = (
        "<policies><inbound/><backend><forward-request/></backend>"
        f"<outbound>{EARLY}{READ}{LATE}</outbound><on-error/></policies>"
    )
    document = compile_document(Source("p.xml", text), Scope.GLOBAL, CompileContext()).document
    assert document is not None
    async with gate(document=document) as g:
        g.proxy.traces = Traces(tmp_path, b"k" * 32, lambda: 1.0)
        g.backend.plays(STREAM_HEAD, *map(chunk, EVENTS), b"0\r\n\r\n")
        token = make(b"k" * 32, DebugToken("api", 60))
        asked = post(stream=True).replace(b"Host:", b"Apim-Debug-Authorization: %b\r\nHost:" % token.encode())
        (name,) = (await g.call(asked)).values("apim-trace-id")
        file = tmp_path / f"{name}.json"
        await until(file.exists)
        early, read, late = json.loads(file.read_bytes())["traceEntries"]["outbound"]
        assert early["data"]["changes"] == [{"what": "response header", "name": "x-early", "value": "1"}]
        assert read["data"]["expressions"][0]["value"] == "50"
        assert late["data"]["changes"] == [
            {"what": "response header", "name": "x-late", "value": "1", "tooLate": True}
        ]


@story
async def test_a_response_that_is_kept_as_a_value_is_read() -> None:
    keep = "<cache-store-value key='k' value='@(context.Response)' duration='60'/>"
    async with gate(events(keep)) as g:
        hold = asyncio.Event()
        g.backend.plays(STREAM_HEAD, chunk(TEXT), hold, chunk(DONE), b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True))
        assert "x-early: 1" in await head_of(client)
        assert await piece_of(client) == TEXT
        hold.set()
        assert await piece_of(client) == DONE


@pytest.mark.parametrize("buffer", ["true", "false"])
@story
async def test_nothing_is_buffered_whatever_buffer_response_says(buffer: str) -> None:
    text = f'<policies><inbound/><backend><forward-request buffer-response="{buffer}"/></backend><outbound/></policies>'
    document = compile_document(Source("p.xml", text), Scope.GLOBAL, CompileContext()).document
    assert document is not None
    async with gate(document=document) as g:
        for head in (STREAM_HEAD, STREAM_HEAD.replace(b"text/event-stream", b"application/json")):
            hold = asyncio.Event()
            g.backend.plays(head, chunk(b"a"), hold, chunk(b"b"), b"0\r\n\r\n")
            client = await g.connect()
            await client.send(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n")
            await head_of(client)
            assert await piece_of(client) == b"a"
            hold.set()
            assert [await piece_of(client), await piece_of(client)] == [b"b", b""]
