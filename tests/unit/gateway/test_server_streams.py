"""Event streams: every piece leaves when it comes, and the record waits for the real end, not for its picture."""

from __future__ import annotations

import asyncio
import gzip

import orjson
import pytest

from aforo.policy.exchange import Exchange
from aforo.policy.pipeline import Pipeline
from aforo.policy.services import ForwardOptions
from tests.support.gateway import Gate, gate, story, until

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHAT = b'{"messages":[],"stream":true}'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def chat(body: bytes = CHAT, version: bytes = b"2024-10-21") -> bytes:
    return (
        b"POST /echo/chat/completions?api-version=%b HTTP/1.1\r\nHost: gate\r\nContent-Length: %d\r\n\r\n%b"
        % (version, len(body), body)
    )


GET = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"


async def piece_by_piece(g: Gate, request: bytes, pieces: list[bytes]) -> tuple[bytes, list[int]]:
    """The body that the client gets, and after which pieces (as counted by the client) the record was there."""
    gaps = [asyncio.Event() for _ in pieces]
    script = [step for gap, piece in zip(gaps, pieces, strict=True) for step in (gap, chunk(piece))]
    g.backend.plays(HEAD, *script, b"0\r\n\r\n")
    client = await g.connect()
    await client.send(request)
    await client.reader.readuntil(b"\r\n\r\n")
    got = b""
    seen: list[int] = []
    for gap in gaps:
        gap.set()
        line = await client.reader.readuntil(b"\r\n")
        got += (await client.reader.readexactly(int(line, 16) + 2))[:-2]
        seen.append(len(g.records))
    assert await client.reader.readexactly(5) == b"0\r\n\r\n"
    await g.settled()
    return got, seen


@story
async def test_each_event_leaves_at_once() -> None:
    async with gate() as g:
        pieces = [b"data: 1\n\n", b"data: 2", b"\n\n", b"data: [DONE]\n\n"]
        got, seen = await piece_by_piece(g, GET, pieces)
        assert (got, seen) == (b"".join(pieces), [0, 0, 0, 1])
        (record,) = g.records
        assert (record.response.body, record.response.size, record.response.stream) == (got, len(got), True)


@pytest.mark.parametrize(
    "forged",
    [
        b'data: {"choices":[{"delta":{"content":"data: [DONE]"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\ndata: [DONE]\\n\\n"}}]}\n\n',
        b'event: response.created\ndata: {"metadata":{"type":"response.completed"}}\n\n',
        b'event: response.output_text.delta\ndata: {"delta":"event: response.completed"}\n\n',
        b": data: [DONE]\n\n",
    ],
)
@story
async def test_text_that_looks_like_the_end_is_not_the_end(forged: bytes) -> None:
    """Otherwise a prompt could make the gateway write its record and miss all that follows."""
    async with gate() as g:
        pieces = [forged, b"data: secret plans\n\n", b"data: [DONE]\n\n"]
        got, seen = await piece_by_piece(g, GET, pieces)
        assert seen == [0, 0, 1]
        assert g.records[0].response.body == got


@story
async def test_the_last_event_of_a_responses_stream_is_recorded_whole() -> None:
    async with gate() as g:
        pieces = [b"event: response.created\ndata: {}\n\n", b"event: response.comp", b"leted\nda",
                  b'ta: {"type":"response.completed","response":{"usage":', b'{"total_tokens":7}}}\n', b"\n"]  # fmt: skip
        got, seen = await piece_by_piece(g, GET, pieces)
        assert (got, seen) == (b"".join(pieces), [0, 0, 0, 0, 0, 1])
        assert g.records[0].response.body == got


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
EVENTS = [
    b'data: {"choices":[],"prompt_filter_results":[],"usage":null}',
    b'data: {"choices":[{"delta":{"content":"\\"usage\\": {}"}}],"usage":null}',
    USAGE,
    b"data: [DONE]",
]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
@story
async def test_usage_is_asked_for_recorded_and_hidden(end: bytes) -> None:
    async with gate() as g:
        g.backend.plays(HEAD, *(chunk(e + end) for e in EVENTS), b"0\r\n\r\n")
        answer = await g.call(chat())
        assert orjson.loads(g.backend.heard[0].body)["stream_options"] == {"include_usage": True}
        assert g.backend.heard[0].values("accept-encoding") == ["identity"]
        assert answer.body == end.join((*EVENTS[:2], EVENTS[3], b""))
        (record,) = g.records
        assert record.response.body == end.join((*EVENTS, b""))
        assert record.response.size == len(answer.body)
        assert (record.request.body, record.same_request, record.llm_wire) == (CHAT, False, "chat")


@story
async def test_usage_is_hidden_in_a_stream_that_a_policy_has_rewritten() -> None:
    async def outbound(exchange: Exchange) -> None:
        assert exchange.response is not None
        exchange.response.body.replace((await exchange.response.body.read()).replace(b"delta", b"DELTA"))

    rewriting = Pipeline(plain_forward=ForwardOptions(), outbound=outbound)
    async with gate(rewriting) as g:
        g.backend.plays(HEAD, *(chunk(e + b"\n\n") for e in EVENTS), b"0\r\n\r\n")
        answer = await g.call(chat())
        whole = b"\n\n".join((*EVENTS, b"")).replace(b"delta", b"DELTA")
        assert answer.body == whole.replace(USAGE + b"\n\n", b"")
        (record,) = g.records
        assert record.response.body == whole


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b'{"messages":[],"stream":true,"stream_options":{"include_usage":true}}', b"2024-10-21"),
        (CHAT, b"2023-05-15"),
        (b'{"messages":[],"stream":false}', b"2024-10-21"),
    ],
)
@story
async def test_who_asked_or_may_not_ask_gets_all(body: bytes, version: bytes) -> None:
    async with gate() as g:
        g.backend.plays(HEAD, *(chunk(e + b"\n\n") for e in EVENTS), b"0\r\n\r\n")
        answer = await g.call(chat(body, version))
        assert g.backend.heard[0].body == body
        assert answer.body == b"\n\n".join((*EVENTS, b""))


@story
async def test_a_compressed_stream_passes_untouched_and_is_recorded_plain() -> None:
    async with gate() as g:
        text = b"\n\n".join((*EVENTS, b""))
        zipped = gzip.compress(text)
        head = HEAD.replace(b"transfer-", b"content-encoding: gzip\r\ntransfer-")
        g.backend.plays(head, *(chunk(zipped[n : n + 20]) for n in range(0, len(zipped), 20)), b"0\r\n\r\n")
        answer = await g.call(chat())
        assert answer.body == zipped
        assert (g.records[0].response.body, g.records[0].response.size) == (text, len(zipped))


@story
async def test_what_is_no_event_stream_is_not_held_for_ever() -> None:
    async with gate() as g:
        client = await g.connect()
        gap = asyncio.Event()
        g.backend.plays(HEAD, *(chunk(b"x" * (1 << 16)) for _ in range(20)), gap, b"0\r\n\r\n")
        await client.send(chat())
        await client.reader.readuntil(b"\r\n\r\n")
        first = await client.reader.readuntil(b"\r\n")
        assert int(first, 16) > 1 << 20
        gap.set()
        client.leave()
        await g.settled()


@story
async def test_a_client_that_leaves_after_the_record_is_not_recorded_twice() -> None:
    async with gate() as g:
        g.backend.plays(HEAD + chunk(b"data: [DONE]\n\n"), asyncio.Event())
        client = await g.connect()
        await client.send(GET)
        await client.reader.readuntil(b"[DONE]")
        assert len(g.records) == 1
        client.leave()
        await g.settled()
        await until(lambda: g.backend.open == 0)
        assert len(g.records) == 1
