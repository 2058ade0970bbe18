"""Plain calls over one connection after another: bytes in, bytes out, one record each."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from aforo.gateway import server
from tests.support.gateway import KEY, LOG_ALL, gate, story, until

GET = b"GET /echo/a?x=1 HTTP/1.1\r\nHost: gate\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
NOT_FOUND = b'{ "statusCode": 404, "message": "Resource not found" }'


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: gate\r\n\r\n".encode()


@story
async def test_a_call_is_forwarded_answered_and_recorded_once() -> None:
    async with gate() as g:
        answer = await g.call(GET)
        assert answer.raw == PLAIN
        assert g.backend.heard[0].head == f"GET /base/a?x=1 HTTP/1.1\r\nhost: 127.0.0.1:{g.backend.port}"
        (record,) = g.records
        assert (record.status, record.backend_status, record.aborted) == (200, 200, "")
        assert (record.response.body, record.response.size, record.same_response) == (b"ok", 2, True)
        assert record.url == "http://gate/echo/a?x=1"
        await g.settled()


@story
async def test_one_connection_here_one_connection_there() -> None:
    async with gate() as g:
        client = await g.connect()
        for _ in range(5):
            await client.send(GET)
            assert (await client.answer()).raw == PLAIN
        assert [h.connection for h in g.backend.heard] == [1] * 5
        assert len({r.call_id for r in g.records}) == 5


@story
async def test_pipelined_requests_are_answered_in_order() -> None:
    async with gate() as g:
        hold = asyncio.Event()
        g.backend.plays(hold, b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1")
        for n in (b"2", b"3", b"4"):
            g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + n)
        client = await g.connect()
        second = b"POST /echo/2 HTTP/1.1\r\nHost: gate\r\nContent-Length: 3\r\n\r\nabc"
        await client.send(get("/echo/1") + second + get("/echo/3") + get("/echo/4"))
        await until(lambda: g.backend.heard)
        assert len(g.backend.heard) == 1
        hold.set()
        assert [(await client.answer()).body for _ in range(4)] == [b"1", b"2", b"3", b"4"]
        assert g.backend.heard[1].body == b"abc"


@story
async def test_a_client_that_pipelines_without_end_is_held_back() -> None:
    async with gate() as g:
        hold = asyncio.Event()
        g.backend.plays(hold, PLAIN)
        client = await g.connect()
        await client.send(GET)
        await until(lambda: g.backend.heard)
        # One at a time: after the first that waits, the gateway reads no more.
        client.writer.write(GET)
        (connection,) = g.server.connections
        await until(lambda: connection._paused)
        for _ in range(20_000):
            client.writer.write(GET)
        await asyncio.sleep(0)
        assert len(connection._queue) == 1
        hold.set()
        assert (await client.answer()).raw == PLAIN
        client.leave()
        await g.settled()


@story
async def test_a_read_that_holds_hundreds_of_requests_is_answered_piece_by_piece() -> None:
    async with gate() as g:
        hold = asyncio.Event()
        g.backend.plays(hold, PLAIN)
        client = await g.connect()
        many = 2_000
        await client.send(
            GET * many + b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 40000\r\n\r\n"
        )
        client.writer.write(b"x" * 40_000)
        await until(lambda: g.backend.heard)
        (connection,) = g.server.connections
        piece = server.READ_BYTES // len(GET) + 1
        assert len(connection._queue) <= server.MAX_PIPELINED + piece
        hold.set()
        for _ in range(many + 1):
            assert (await client.answer()).raw == PLAIN
        assert g.backend.heard[-1].body == b"x" * 40_000
        await g.settled()
        assert len({r.call_id for r in g.records}) == many + 1


@story
async def test_head_204_and_304_have_no_body() -> None:
    async with gate() as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        g.backend.plays(b"HTTP/1.1 204 No Content\r\na: b\r\n\r\n")
        g.backend.plays(b'HTTP/1.1 304 Not Modified\r\netag: "x"\r\n\r\n')
        client = await g.connect()
        await client.send(b"HEAD /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n")
        assert (await client.answer(head_only=True)).raw == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
        await client.send(GET)
        assert (await client.answer()).raw == b"HTTP/1.1 204 No Content\r\na: b\r\n\r\n"
        await client.send(GET)
        assert (await client.answer()).raw == b'HTTP/1.1 304 Not Modified\r\netag: "x"\r\n\r\n'
        await client.send(GET)
        assert (await client.answer()).raw == PLAIN
        assert [r.response.size for r in g.records] == [0, 0, 0, 2]
        assert g.backend.accepted == 1


@story
async def test_http_1_0_closes_unless_asked() -> None:
    async with gate() as g:
        got = await g.transcript(b"GET /echo/a HTTP/1.0\r\n\r\n")
        assert got == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
        client = await g.connect()
        for _ in range(2):
            await client.send(b"GET /echo/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (await client.answer()).values("connection") == ["keep-alive"]
        assert {r.protocol for r in g.records} == {"HTTP/1.0"}


@story
async def test_http_1_0_gets_no_chunks() -> None:
    async with gate() as g:
        gap = asyncio.Event()
        g.backend.plays(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", gap, b"1\r\nc\r\n0\r\n\r\n"
        )
        client = await g.connect()
        await client.send(b"GET /echo/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        gap.set()
        assert b"chunked" not in head
        assert b"connection: close" in head
        assert await client.rest() == b"abc"


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/livez", 200, b"ok"),
        ("/readyz", 200, b"ok"),
        ("/status-0123456789abcdef", 200, b"ok"),
        ("/", 404, NOT_FOUND),
        ("/nothing", 404, NOT_FOUND),
        ("/echoes", 404, NOT_FOUND),
    ],
)
@story
async def test_what_the_gateway_answers_itself(path: str, status: int, body: bytes) -> None:
    async with gate() as g:
        answer = await g.call(get(path))
        assert (answer.status, answer.body) == (status, body)
        assert [r.errors[0].reason for r in g.records] == (["OperationNotFound"] if status == 404 else [])
        assert g.backend.heard == []


@story
async def test_a_client_that_asked_to_close_is_told_and_closed() -> None:
    async with gate() as g:
        got = await g.transcript(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")
        assert got == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
        assert g.backend.heard[0].values("connection") == []


@story
async def test_a_half_closed_client_counts_as_gone() -> None:
    async with gate() as g:
        g.backend.plays(asyncio.Event())
        client = await g.connect()
        await client.send(GET)
        await until(lambda: g.backend.heard)
        client.writer.write_eof()
        assert await client.rest() == b""
        await until(lambda: not g.server.connections and g.backend.open == 0)
        assert [r.aborted for r in g.records] == ["client"]


@story
async def test_what_was_handed_over_before_the_client_closed_its_side_arrives() -> None:
    async with gate() as g:
        body = b"x" * (256 << 10)
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        client = await g.connect()
        await client.send(GET)
        await until(lambda: g.records)
        client.writer.write_eof()
        assert (await client.answer()).body == body


@story
async def test_half_a_request_and_the_end_leave_nothing_behind() -> None:
    async with gate() as g:
        for part in (GET[:20], b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 9\r\n\r\nabc",
                     b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"):  # fmt: skip
            client = await g.connect()
            await client.send(part)
            await until(lambda: g.server.connections)
            client.writer.write_eof()
            assert await client.rest() == b""
            await until(lambda: not g.server.connections)
        await g.settled()
        assert not [h for h in g.backend.heard if h.size == 9]


@story
async def test_drain_lets_calls_end_and_closes_the_idle() -> None:
    async with gate() as g:
        hold = asyncio.Event()
        g.backend.plays(hold, PLAIN)
        idle, busy = await g.connect(), await g.connect()
        await busy.send(GET)
        await until(lambda: g.backend.heard and len(g.server.connections) == 2)
        draining = asyncio.ensure_future(g.server.drain(20))
        assert await idle.rest() == b""
        with pytest.raises(ConnectionError):
            await g.connect()
        hold.set()
        # So that a client with a pool of connections does not count on this one.
        assert await busy.rest() == PLAIN.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
        assert await draining == 0


@story
async def test_the_gateways_own_paths_are_no_wildcards() -> None:
    async with gate(path="", required=True) as g:
        for path in ("/livez", "/readyz", "/status-0123456789abcdef"):
            answer = await g.call(get(path))
            assert (answer.status, answer.body) == (200, b"ok")
        assert (await g.call(get("/livez/more"))).status == 401
        assert g.backend.heard == []


@story
async def test_drain_cuts_what_does_not_end_and_says_so() -> None:
    async with gate() as g:
        g.backend.plays(asyncio.Event())
        client = await g.connect()
        await client.send(GET)
        await until(lambda: g.backend.heard)
        assert await g.server.drain(0) == 1
        assert await client.rest() == b""
        await g.settled()
        assert [r.aborted for r in g.records] == ["client"]


@story
async def test_a_full_log_refuses_calls_and_a_broken_one_counts() -> None:
    async with gate(log=msgspec.structs.replace(LOG_ALL, on_full="count")) as g:
        g.spool.full = True
        assert (await g.call(GET)).raw == PLAIN
    async with gate() as g:
        g.spool.full = True
        answer = await g.call(GET)
        assert (answer.status, answer.values("retry-after")) == (503, ["5"])
        assert g.backend.heard == []
        # It had room, and took the record all the same not: this call does not end well.
        g.spool.full, g.spool.broken = False, True
        answer = await g.call(GET)
        assert (answer.status, answer.values("retry-after")) == (503, ["5"])
        assert b"did not take the record" in answer.body
        assert g.proxy.recorder.dropped == 1
        # As a disk that is full: not even the record of the refusal is taken.
        g.spool.full = True
        answer = await g.call(GET)
        assert (answer.status, answer.values("retry-after")) == (503, ["5"])
    async with gate(log=msgspec.structs.replace(LOG_ALL, on_full="count")) as g:
        g.spool.broken = True
        assert (await g.call(GET)).raw == PLAIN
        assert g.proxy.recorder.dropped == 1


@story
async def test_a_record_that_cannot_be_made_does_not_cost_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "aforo.gateway")
    async with gate() as g:

        def bug(record: object) -> None:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

        g.spool.on_append = bug
        assert (await g.call(GET)).raw == PLAIN
        assert g.proxy.recorder.dropped == 1


FROM_AFAR = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n"


def forwarded_proto(value: str) -> bytes:
    return f"GET /echo/a HTTP/1.1\r\nHost: gate\r\nX-Forwarded-Proto: {value}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("protocols", "request_bytes", "trusted", "status"),
    [
        (("http", "https"), GET, (), 200),
        (("http",), GET, (), 200),
        # What stays on this machine cannot be listened to.
        (("https",), GET, (), 200),
        (("https",), FROM_AFAR + GET, ("127.0.0.0/8",), 404),
        (("http",), FROM_AFAR + GET, ("127.0.0.0/8",), 200),
        (("https",), forwarded_proto("https"), ("127.0.0.0/8",), 200),
        (("https",), forwarded_proto("HTTPS, http"), ("127.0.0.0/8",), 200),
        (("https",), forwarded_proto("http"), ("127.0.0.0/8",), 404),
        (("http",), forwarded_proto("https"), ("127.0.0.0/8",), 404),
        (("http", "https"), forwarded_proto("http"), ("127.0.0.0/8",), 200),
    ],
)
def test_an_api_is_served_over_its_protocols_alone(
    protocols: tuple[str, ...], request_bytes: bytes, trusted: tuple[str, ...], status: int
) -> None:
    @story
    async def told() -> None:
        async with gate(protocols=protocols, trusted=trusted, required=True) as g:
            key = b"api-key: " + KEY.encode() + b"\r\n\r\n"
            answer = await g.call(request_bytes.removesuffix(b"\r\n") + key)
            assert answer.status == status
            (record,) = g.records
            assert record.api_id == "api"
            if status == 404:
                assert answer.body == NOT_FOUND
                assert g.backend.heard == []
                (error,) = record.errors
                assert (error.source, error.reason) == ("configuration", "OperationNotFound")
                assert f"not served over {'http' if protocols == ('https',) else 'https'}" in error.message

    told()
