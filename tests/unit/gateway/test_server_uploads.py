"""Request bodies: small ones wait, large ones stream, none becomes memory, none leaks into another call."""

from __future__ import annotations

import asyncio

import pytest

from aforo.gateway import call as call_module
from aforo.gateway import server
from aforo.gateway.call import WHOLE_BODY_BYTES
from aforo.policy.exchange import Exchange
from aforo.policy.pipeline import Effects, Pipeline
from aforo.policy.services import ForwardOptions
from tests.support.gateway import Client, Gate, gate, story, until
from tests.support.metered import policy
from tests.support.scripted_backend import CLOSE

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PIECE = b"x" * (1 << 18)


def post(*lines: bytes, path: bytes = b"/echo/a") -> bytes:
    return b"\r\n".join((b"POST " + path + b" HTTP/1.1", b"Host: gate", *lines, b"", b""))


async def stream(client: Client, pieces: int) -> None:
    for _ in range(pieces):
        await client.send(PIECE)


def largest_buffers(g: Gate) -> int:
    """Bytes of request bodies that the gateway holds now, in its own hands and in its sockets' buffers."""
    total = 0
    for connection in g.server.connections:
        call = connection.current
        if call is not None:
            total += sum(map(len, call.chunks))
            if call.arrival is not None and call.arrival.connection.transport is not None:
                total += call.arrival.connection.transport.get_write_buffer_size()
    return total


@pytest.mark.parametrize("chunked", [False, True])
@story
async def test_a_large_multipart_passes_with_bounded_memory(chunked: bool) -> None:
    pieces = 200  # 50 MB
    async with gate() as g:
        highest = 0
        client = await g.connect()
        length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (pieces * len(PIECE))
        await client.send(post(b"Content-Type: multipart/form-data; boundary=x", length))
        for _ in range(pieces):
            await client.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
            highest = max(highest, largest_buffers(g))
        if chunked:
            await client.send(b"0\r\n\r\n")
        assert (await client.answer()).raw == OK
        (heard,) = g.backend.heard
        assert heard.size == pieces * len(PIECE)
        assert heard.values("transfer-encoding") == (["chunked"] if chunked else [])
        assert highest < 4 << 20
        (record,) = g.records
        assert (record.request.size, record.request.body, record.request.cut) == (heard.size, b"", False)
        await client.send(post(b"Content-Length: 2") + b"hi")
        assert (await client.answer()).raw == OK


@pytest.mark.parametrize("length", [True, False])
@story
async def test_a_body_that_no_policy_reads_goes_on_as_it_comes(length: bool) -> None:
    """It is not waited for before inbound, whatever else the policies do, and it is recorded whole."""
    inbound = """<set-header name="x-in"><value>@(context.Request.Method)</value></set-header>
    <choose><when condition="@(context.Request.Headers.ContainsKey("nobody"))"><return-response/></when></choose>"""
    async with gate(policy(inbound, "<set-header name='x-out'><value>1</value></set-header>")) as g:
        pieces = [b"first" + b"x" * 1019, *(b"y" * 65536 for _ in range(15)), b"z" * 1020 + b"last"]
        came = asyncio.Event()

        async def take(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            got = b""
            while b"last" not in got[-64:]:
                got += await reader.read(65536)
                if b"first" in got[:64]:
                    came.set()

        g.backend.early = True
        g.backend.plays(take, OK)
        client = await g.connect()
        framing = b"Content-Length: %d" % sum(map(len, pieces)) if length else b"Transfer-Encoding: chunked"
        await client.send(post(framing, b"Content-Type: application/json"))
        for number, piece in enumerate(pieces):
            await client.send(piece if length else b"%x\r\n%b\r\n" % (len(piece), piece))
            if not number:
                await came.wait()
        await client.send(b"" if length else b"0\r\n\r\n")
        answer = await client.answer()
        assert (answer.body, answer.values("x-out")) == (b"ok", ["1"])
        assert g.backend.heard[0].values("x-in") == ["POST"]
        (record,) = g.records
        assert (record.request.body, record.request.cut) == (b"".join(pieces), False)


@story
async def test_a_slow_backend_holds_back_the_client() -> None:
    async with gate() as g:
        hold = asyncio.Event()

        async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await hold.wait()

        g.backend.early = True
        g.backend.plays(slowly, OK)
        client = await g.connect()
        pieces = 128
        await client.send(post(b"Content-Type: image/png", b"Content-Length: %d" % (pieces * len(PIECE))))
        sending = asyncio.ensure_future(stream(client, pieces))
        await until(lambda: [c for c in g.server.connections if c._paused])
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert largest_buffers(g) < 2 << 20
        assert not sending.done()
        hold.set()
        assert (await client.answer()).body == b"ok"
        sending.cancel()


@story
async def test_an_early_answer_ends_both_connections() -> None:
    """A backend that answers before the body is whole would read the next request as the rest of this one."""
    async with gate() as g:
        await g.call(post(b"Content-Length: 2") + b"hi")
        g.backend.early = True
        g.backend.plays(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        client = await g.connect()
        await client.send(
            post(b"Content-Type: image/png", b"Content-Length: %d" % (64 << 20)) + PIECE + PIECE
        )
        answer = await client.answer()
        assert (answer.status, answer.body, answer.values("connection")) == (413, b"big", ["close"])
        # What still comes must go nowhere: neither to a backend nor into a new request.
        await client.send(PIECE)
        g.backend.early = False
        assert (await g.call(post(b"Content-Length: 2", b"X-Next: 1") + b"ho")).raw == OK
        last = g.backend.heard[-1]
        assert (last.values("x-next"), last.body) == (["1"], b"ho")
        assert last.connection not in {h.connection for h in g.backend.heard[1:-1]}
        await g.settled()
        assert len(g.records) == 3


@story
async def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    async with gate(required=True) as g:
        client = await g.connect()
        await client.send(post(b"Content-Type: image/png", b"Content-Length: %d" % (8 << 20)))
        sending = asyncio.ensure_future(stream(client, 32))
        answer = await client.answer()
        assert answer.status == 401
        await sending
        client.writer.write_eof()
        await until(lambda: not g.server.connections)
        assert g.backend.heard == []


@story
async def test_a_client_that_never_stops_sending_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LINGER_S", -1.0)
    async with gate(required=True) as g:
        client = await g.connect()
        await client.send(post(b"Content-Type: image/png", b"Content-Length: %d" % (8 << 20)) + PIECE)
        assert (await client.answer()).status == 401
        g.server.sweep()
        await until(lambda: not g.server.connections)


@story
async def test_a_body_over_the_limit_is_refused_before_and_cut_while_it_comes() -> None:
    async with gate(max_body_bytes=1000) as g:
        for size in (1001, WHOLE_BODY_BYTES + 1, 10 << 20):
            client = await g.connect()
            await client.send(post(b"Content-Length: %d" % size) + b"x" * min(size, 1001))
            answer = await client.answer()
            assert (answer.status, answer.body) == (
                413,
                b'{ "statusCode": 413, "message": "Request body is too large" }',
            )
        assert g.backend.heard == []
        assert [r.errors[0].reason for r in g.records] == ["RequestBodyTooLarge"] * 3
        assert (await g.call(post(b"Content-Length: 1000") + b"x" * 1000)).raw == OK
    async with gate(max_body_bytes=1000) as g:
        client = await g.connect()
        await client.send(post(b"Transfer-Encoding: chunked", b"Content-Type: image/png"))
        await until(lambda: g.backend.heard)
        await client.send(b"400\r\n" + b"x" * 0x400 + b"\r\n")
        assert await client.rest() == b""
        await g.settled()
        assert [r.aborted for r in g.records] == ["gateway"]
        await until(lambda: g.backend.open == 0)


@pytest.mark.parametrize("size", [5, WHOLE_BODY_BYTES + 5, (8 << 20) + 5])
@pytest.mark.parametrize("behind", [False, True])
@story
async def test_expect_100_continue(size: int, behind: bool) -> None:
    async with gate() as g:
        client = await g.connect()
        first = post(b"Content-Length: 0") if behind else b""
        await client.send(first + post(b"Expect: 100-continue", b"Content-Length: %d" % size))
        if behind:
            assert (await client.answer()).raw == OK
        assert (await client.answer()).raw == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"x" * size)
        assert (await client.answer()).raw == OK
        assert (g.backend.heard[-1].size, g.backend.heard[-1].values("expect")) == (size, [])


@story
async def test_who_may_not_call_is_not_asked_for_a_body() -> None:
    async with gate(required=True) as g:
        client = await g.connect()
        await client.send(post(b"Expect: 100-continue", b"Content-Length: 5"))
        assert (await client.answer()).status == 401


@story
async def test_a_streamed_upload_takes_a_fresh_connection_and_no_second_try() -> None:
    async with gate() as g:
        await g.call(post(b"Content-Length: 2") + b"hi")
        client = await g.connect()
        g.backend.plays(CLOSE)
        await client.send(post(b"Content-Type: image/png", b"Transfer-Encoding: chunked") + b"2\r\nab\r\n")
        await until(lambda: len(g.backend.heard) == 2)
        await client.send(b"0\r\n\r\n")
        assert (await client.answer()).status == 500
        assert [h.connection for h in g.backend.heard] == [1, 2]


@story
async def test_a_streamed_body_is_not_sent_half_to_another_backend() -> None:
    async def backend(exchange: Exchange) -> None:
        await exchange.services.forward(exchange, ForwardOptions())
        await exchange.services.forward(exchange, ForwardOptions())

    async with gate(Pipeline(backend=backend)) as g:
        client = await g.connect()
        await client.send(post(b"Content-Type: image/png", b"Transfer-Encoding: chunked") + b"2\r\nab\r\n")
        await until(lambda: g.backend.heard)
        await client.send(b"0\r\n\r\n")
        assert (await client.answer()).status == 500
        assert len(g.backend.heard) == 1
        # A body that is at hand may be sent again.
        assert (await g.call(post(b"Content-Length: 2") + b"hi")).raw == OK
        assert [h.body for h in g.backend.heard[1:]] == [b"hi", b"hi"]
        assert g.records[1].attempts == 2


@story
async def test_a_body_that_must_be_whole_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "MAX_COLLECTED_BYTES", 1 << 20)
    async with gate() as g:
        chat = b"/echo/chat/completions"
        client = await g.connect()
        await client.send(post(b"Content-Length: %d" % (2 << 20), path=chat))
        assert (await client.answer()).status == 413
        client = await g.connect()
        await client.send(post(b"Transfer-Encoding: chunked", path=chat))
        sending = asyncio.ensure_future(client.send((b"40000\r\n" + PIECE + b"\r\n") * 8))
        assert await client.rest() == b""
        await asyncio.wait((sending,))
        await g.settled()
        assert [(r.status, r.aborted) for r in g.records] == [(413, ""), (0, "gateway")]
        assert g.backend.heard == []
        sending.exception()


@story
async def test_a_policy_that_reads_the_body_sees_all_of_it_and_may_change_it() -> None:
    async def inbound(exchange: Exchange) -> None:
        body = await exchange.request.body.read()
        exchange.request.body.replace(b"%d" % len(body))

    async with gate(Pipeline(inbound, None, None, None, Effects(True, True), ForwardOptions())) as g:
        client = await g.connect()
        await client.send(post(b"Transfer-Encoding: chunked"))
        await client.send(b"40000\r\n" + PIECE + b"\r\n40000\r\n" + PIECE + b"\r\n0\r\n\r\n")
        assert (await client.answer()).raw == OK
        (heard,) = g.backend.heard
        assert (heard.body, heard.values("content-length")) == (b"524288", ["6"])
        assert (g.records[0].same_request, g.records[0].backend_request.body) == (False, b"524288")
