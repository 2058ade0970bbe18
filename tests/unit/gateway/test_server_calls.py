"""Plain calls over one connection after another: bytes in, bytes out, one record each."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aforo.gateway import server
from aforo.messages import Headers
from aforo.policy.exchange import Body, Exchange, LastError, PolicyFailure, ResponseState, Returned
from aforo.policy.pipeline import Pipeline
from aforo.policy.services import ForwardOptions
from aforo.snapshot.snapshot import LogPlan
from tests.support.gateway import LOG_ALL, gate, story, until

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
async def test_many_requests_at_once_in_one_read_end_the_connection() -> None:
    async with gate() as g:
        g.backend.plays(asyncio.Event())
        got = await g.transcript(GET * (server.MAX_PIPELINED + 2))
        assert got == b""
        await g.settled()


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
        assert await busy.rest() == PLAIN
        assert await draining == 0


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


def setting(*headers: tuple[bytes, bytes], reason: str = "OK", status: int = 200) -> Pipeline:
    async def outbound(exchange: Exchange) -> None:
        assert exchange.response is not None
        exchange.response.reason, exchange.response.status = reason, status
        for name, value in headers:
            exchange.response.headers.append(name, value)

    return Pipeline(plain_forward=ForwardOptions(), outbound=outbound)


@story
async def test_what_connection_names_goes_no_further_and_takes_nothing_of_a_policy() -> None:
    async def inbound(exchange: Exchange) -> None:
        exchange.request.headers.set(b"authorization", b"Bearer backend")

    async with gate(Pipeline(inbound=inbound, plain_forward=ForwardOptions())) as g:
        g.backend.plays(
            b"HTTP/1.1 200 OK\r\nconnection: keep-alive, X-In\r\nx-in: 1\r\nx-out: 2\r\ncontent-length: 0\r\n\r\n"
        )
        data = b"Connection: keep-alive, x-near, AUTHORIZATION\r\nX-Near: 1\r\nX-Far: 2\r\nAuthorization: client\r\n"
        answer = await g.call(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n" + data + b"\r\n")
        (heard,) = g.backend.heard
        names = ("x-near", "x-far", "authorization", "connection")
        assert [heard.values(n) for n in names] == [[], ["2"], ["Bearer backend"], []]
        assert [answer.values(n) for n in ("x-in", "x-out", "connection")] == [[], ["2"], []]


@story
async def test_line_breaks_that_policies_set_do_not_reach_the_client() -> None:
    evil = b"x\r\nset-cookie: a=b\r\n\r\n<script>\x00"
    async with gate(setting((b"a", evil), (b"b", b"1"), (b"b", evil), reason="OK\r\nx: y")) as g:
        answer = await g.call(GET)
        assert answer.values("set-cookie") == answer.values("x") == []
        assert answer.body == b"ok"
        assert b"\0" not in answer.raw
        assert answer.values("a") == ["x  set-cookie: a=b    <script>"]


@pytest.mark.parametrize("log", [LOG_ALL, LogPlan(True)])
@story
async def test_lengths_that_policies_set_do_not_count(log: LogPlan) -> None:
    lie = setting((b"transfer-encoding", b"chunked"), (b"connection", b"close"))
    lie.outbound  # noqa: B018 - made once, used below

    async def outbound(exchange: Exchange) -> None:
        assert lie.outbound is not None
        await lie.outbound(exchange)
        assert exchange.response is not None
        exchange.response.headers.set(b"content-length", b"1\r\n\r\nHTTP/1.1 200 Split")

    async with gate(Pipeline(plain_forward=ForwardOptions(), outbound=outbound), log=log) as g:
        gap = asyncio.Event()
        client = await g.connect()
        await client.send(GET)
        assert (await client.answer()).raw == PLAIN
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab", gap, b"cd")
        await client.send(GET)
        gap.set()
        assert (await client.answer()).body == b"abcd"
        await client.send(b"HEAD /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n")
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        assert (await client.answer(head_only=True)).values("content-length") == ["4"]
        await client.send(GET)
        assert (await client.answer()).raw == PLAIN


@story
async def test_decoded_text_in_a_path_does_not_become_a_request() -> None:
    async def inbound(exchange: Exchange) -> None:
        exchange.request.path = "/a b HTTP/1.1\r\nx: y\r\n\r\nGET /ü"
        exchange.request.headers.set(b"c", b"d\r\nx: y")
        exchange.request.headers.set(b"content-length", b"5")

    async with gate(Pipeline(inbound=inbound, plain_forward=ForwardOptions())) as g:
        assert (await g.call(GET)).status == 200
        (heard,) = g.backend.heard
        assert heard.line == "GET /base/a%20b%20HTTP/1.1%0D%0Ax:%20y%0D%0A%0D%0AGET%20/%C3%BC?x=1 HTTP/1.1"
        assert (heard.values("x"), heard.values("c"), heard.values("content-length")) == ([], ["d  x: y"], [])


@pytest.mark.parametrize("method", ["GET /evil HTTP/1.1\r\n", "", "GÉT"])
@story
async def test_a_method_that_is_none_is_not_sent(method: str) -> None:
    async def inbound(exchange: Exchange) -> None:
        exchange.request.method = method

    async with gate(Pipeline(inbound=inbound, plain_forward=ForwardOptions())) as g:
        assert (await g.call(GET)).status == 500
        assert g.backend.heard == []


@pytest.mark.parametrize("status", [0, 100, 101, 199, 1000])
@story
async def test_a_status_that_is_no_answer_becomes_500(status: int) -> None:
    async with gate(setting(status=status)) as g:
        assert (await g.call(GET)).status == 500
        assert [r.status for r in g.records] == [500]


@story
async def test_return_response_ends_the_call_without_a_backend() -> None:
    async def inbound(exchange: Exchange) -> None:
        exchange.response = ResponseState(418, "Short", Headers([(b"a", b"b")]), Body(b"tea"))
        raise Returned

    async with gate(Pipeline(inbound=inbound, plain_forward=ForwardOptions())) as g:
        answer = await g.call(GET)
        assert answer.raw == b"HTTP/1.1 418 Short\r\na: b\r\ncontent-length: 3\r\n\r\ntea"
        assert g.backend.heard == []
        (record,) = g.records
        assert (record.status, record.backend_status, record.response.body) == (418, 0, b"tea")


@story
async def test_nothing_forwarded_is_an_empty_200() -> None:
    async with gate(Pipeline()) as g:
        assert (await g.call(GET)).raw == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@story
async def test_on_error_sees_the_failure_and_may_answer() -> None:
    seen: list[LastError] = []

    async def inbound(exchange: Exchange) -> None:
        raise PolicyFailure(LastError("rate-limit", "RateLimitExceeded", "Slow down", http_status=429),
                            headers=((b"retry-after", b"7"),))  # fmt: skip

    async def on_error(exchange: Exchange) -> None:
        assert exchange.last_error is not None
        seen.append(exchange.last_error)
        assert exchange.response is not None
        exchange.response.headers.set(b"x-seen", b"1")

    async with gate(Pipeline(inbound=inbound, on_error=on_error)) as g:
        answer = await g.call(GET)
        assert (answer.status, answer.body) == (429, b'{ "statusCode": 429, "message": "Slow down" }')
        assert (answer.values("retry-after"), answer.values("x-seen")) == (["7"], ["1"])
        assert (seen[0].section, seen[0].reason) == ("inbound", "RateLimitExceeded")
        assert [e.reason for e in g.records[0].errors] == ["RateLimitExceeded"]


@story
async def test_a_bug_in_a_section_is_500_with_an_id(caplog: pytest.LogCaptureFixture) -> None:
    async def outbound(exchange: Exchange) -> None:
        raise ZeroDivisionError

    async def on_error(exchange: Exchange) -> None:
        raise KeyError("twice")

    caplog.set_level(logging.CRITICAL, "aforo.gateway")
    async with gate(Pipeline(plain_forward=ForwardOptions(), outbound=outbound, on_error=on_error)) as g:
        answer = await g.call(GET)
        assert answer.status == 500
        assert answer.body.startswith(
            b'{ "statusCode": 500, "message": "Internal server error", "activityId": "'
        )
        assert [e.section for e in g.records[0].errors] == ["outbound", "on-error"]
        # The backend's answer was whole and is not wanted: its connection is good for the next call.
        await g.call(GET)
        assert g.backend.accepted == 1


@story
async def test_a_full_log_refuses_calls_and_a_broken_one_counts() -> None:
    async with gate() as g:
        g.spool.full = True
        answer = await g.call(GET)
        assert (answer.status, answer.values("retry-after")) == (503, ["5"])
        assert g.backend.heard == []
        g.spool.full, g.spool.broken = False, True
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
