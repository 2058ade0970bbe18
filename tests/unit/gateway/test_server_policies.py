"""What policies may do to a call, and what of it must not reach a wire."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aforo.messages import Headers
from aforo.policy.exchange import Body, Exchange, LastError, PolicyFailure, ResponseState, Returned
from aforo.policy.pipeline import Pipeline
from aforo.policy.services import ForwardOptions
from aforo.snapshot.snapshot import LogPlan
from tests.support.gateway import LOG_ALL, gate, story

GET = b"GET /echo/a?x=1 HTTP/1.1\r\nHost: gate\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


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
        exchange.response = ResponseState(418, "Short", Headers.of([(b"a", b"b")]), Body(b"tea"))
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
