"""retry, wait, limit-concurrency and requests of policies, on a gateway with sockets."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.elements import send_one_way_request
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.scopes import Scope
from aforo.source import Source
from tests.support.gateway import Gate, gate, story, until
from tests.support.scripted_backend import CLOSE, RESET

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nbusy"
LARGE = 400_000


def policy(inbound: str = "", backend: str = "<forward-request/>", outbound: str = "") -> Pipeline:
    text = f"<policies><inbound>{inbound}</inbound><backend>{backend}</backend><outbound>{outbound}</outbound></policies>"
    result = compile_document(Source("policy.xml", text), Scope.GLOBAL, CompileContext())
    assert result.document is not None, result.diagnostics
    return result.document.bind(EMPTY)


def retrying(forward: str, count: int = 2) -> Pipeline:
    condition = "@(context.Response.StatusCode == 429)"
    return policy(backend=f'<retry condition="{condition}" count="{count}" interval="0">{forward}</retry>')


def request(body: bytes = b"", *, port: int = 0, extra: str = "") -> bytes:
    head = (
        f"POST /echo/a HTTP/1.1\r\nHost: gate\r\nx-port: {port}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


def to(path: str) -> str:
    """The URL of the scripted backend, as an expression: its port comes with the call."""
    return f'@("http://127.0.0.1:" + context.Request.Headers.GetValueOrDefault("x-port") + "{path}")'


def send(name: str, path: str, more: str = "") -> str:
    return (
        f'<send-request mode="new" response-variable-name="{name}" {more}><set-url>{to(path)}</set-url>'
        "<set-method>GET</set-method></send-request>"
    )


@story
async def test_a_retry_sends_the_body_again_and_reads_no_more_of_the_last_answer() -> None:
    body = b"x" * LARGE
    async with gate(retrying('<forward-request buffer-request-body="true"/>')) as g:
        # The first answer has come whole, of the second one only a part.
        g.backend.plays(BUSY)
        g.backend.plays(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 400\r\n\r\npart", asyncio.Event())
        answer = await g.call(request(body))
        assert answer.status == 200
        assert [h.body for h in g.backend.heard] == [body] * 3
        assert [h.connection for h in g.backend.heard] == [1, 1, 2]
        await g.settled()
        await until(lambda: g.backend.open == 1)
        assert g.records[0].status == 200


@story
async def test_a_body_that_has_streamed_away_is_not_sent_again() -> None:
    async with gate(retrying("<forward-request/>")) as g:
        g.backend.plays(BUSY)
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (LARGE, b"x" * LARGE)
        head = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\ntransfer-encoding: chunked\r\n\r\n"
        answer = await g.call(head + chunked)
        # What the only attempt brought, and why there was no other one.
        assert answer.raw == BUSY
        await g.settled()
        (error,) = g.records[0].errors
        assert "buffer-request-body" in str(error)


@story
async def test_a_retry_in_inbound_asks_again() -> None:
    inbound = (
        '<retry condition="@(((IResponse)context.Variables["r"]).StatusCode != 200)" count="3" interval="0">'
        f"{send('r', '/token')}</retry>"
        '<set-header name="x-token"><value>@(((IResponse)context.Variables["r"]).Body.As<string>())</value></set-header>'
    )
    async with gate(policy(inbound)) as g:
        g.backend.plays(BUSY)
        assert (await g.call(request(port=g.backend.port))).status == 200
        assert [h.line.split()[1] for h in g.backend.heard] == ["/token", "/token", "/base/a"]
        assert g.backend.heard[2].values("x-token") == ["ok"]


@story
async def test_a_place_is_held_until_the_answer_has_gone() -> None:
    limited = '<limit-concurrency key="k" max-count="1"><forward-request/></limit-concurrency>'
    async with gate(policy(backend=limited)) as g:
        rest = asyncio.Event()
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha", rest, b"lf")
        first = await g.connect()
        await first.send(request())
        await until(lambda: g.backend.heard)
        assert b"ha" in await first.reader.readuntil(b"ha")
        refused = await g.call(request())
        assert refused.status == 429
        assert b'"statusCode": 429' in refused.body
        rest.set()
        assert await first.reader.readexactly(2) == b"lf"
        await g.settled()
        assert (await g.call(request())).status == 200
        assert g.proxy._services.under_way == {}


@story
async def test_a_place_is_given_back_by_who_leaves() -> None:
    limited = '<limit-concurrency key="@(context.Request.Method)" max-count="1"><forward-request/></limit-concurrency>'
    async with gate(policy(backend=limited)) as g:
        g.backend.plays(asyncio.Event())
        first = await g.connect()
        await first.send(request())
        await until(lambda: g.backend.heard)
        assert g.proxy._services.under_way == {"POST": 1}
        first.leave()
        await g.settled()
        assert g.proxy._services.under_way == {}


@story
async def test_a_retry_does_not_stand_in_its_own_way() -> None:
    limited = '<limit-concurrency key="k" max-count="1"><forward-request buffer-request-body="true"/></limit-concurrency>'
    async with gate(retrying(limited)) as g:
        g.backend.plays(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 400\r\n\r\npart", asyncio.Event())
        assert (await g.call(request(b"hi"))).status == 200
        await g.settled()
        assert g.proxy._services.under_way == {}


async def both(g: Gate) -> None:
    await until(lambda: len(g.backend.heard) == 2)


@story
async def test_wait_asks_side_by_side() -> None:
    inbound = (
        f"<wait>{send('a', '/a')}{send('b', '/b')}</wait>"
        '<set-header name="x-sum"><value>@(((IResponse)context.Variables["a"]).StatusCode + ((IResponse)context.Variables["b"]).StatusCode)</value></set-header>'
    )
    async with gate(policy(inbound)) as g:
        # Neither is answered before both are asked.
        meet = asyncio.Event()
        for status in (b"201", b"202"):
            g.backend.plays(meet, b"HTTP/1.1 %b OK\r\ncontent-length: 0\r\n\r\n" % status)
        call = asyncio.ensure_future(g.call(request(port=g.backend.port)))
        await both(g)
        meet.set()
        assert (await call).status == 200
        assert g.backend.heard[2].values("x-sum") == ["403"]


@story
async def test_wait_for_the_first_gives_the_others_up() -> None:
    inbound = (
        f'<wait for="any">{send("a", "/a")}{send("b", "/b")}</wait>'
        '<set-header name="x-which"><value>@(context.Variables.ContainsKey("a") ? "a" : "b")</value></set-header>'
    )
    async with gate(policy(inbound)) as g:
        meet = asyncio.Event()
        g.backend.plays(asyncio.Event())
        g.backend.plays(meet, OK)
        call = asyncio.ensure_future(g.call(request(port=g.backend.port)))
        await both(g)
        slow = g.backend.heard[0].line.split()[1].strip("/")
        meet.set()
        assert (await call).status == 200
        assert g.backend.heard[2].values("x-which") == ["b" if slow == "a" else "a"]
        await until(lambda: g.backend.open == 1)


@story
async def test_branches_read_one_body() -> None:
    reads = '<when condition="@(context.Request.Body.As<string>(preserveContent: true).Length == 400000)"><set-variable name="{}" value="@(true)"/></when>'
    inbound = (
        "<wait>"
        + "".join(f"<choose>{reads.format(n)}</choose>" for n in "ab")
        + "</wait>"
        + '<set-header name="x-seen"><value>@(context.Variables.Count)</value></set-header>'.replace(
            "context.Variables.Count",
            'context.Variables.GetValueOrDefault<bool>("a") && context.Variables.GetValueOrDefault<bool>("b")',
        )
    )
    async with gate(policy(inbound)) as g:
        client = await g.connect()
        data = request(b"x" * LARGE)
        await client.send(data[:1000])
        await client.send(data[1000:])
        assert (await client.answer()).status == 200
        assert g.backend.heard[0].values("x-seen") == ["True"]


@story
async def test_a_failure_in_a_branch_ends_the_wait() -> None:
    inbound = f'<wait>{send("a", "/a")}<choose><when condition="true"><send-request mode="new" response-variable-name="b"><set-url>http://127.0.0.1:1/</set-url><set-method>GET</set-method></send-request></when></choose></wait>'
    async with gate(policy(inbound)) as g:
        g.backend.plays(asyncio.Event())
        answer = await g.call(request(port=g.backend.port))
        assert answer.status == 500
        await g.settled()
        error = g.records[0].errors[0]
        assert "BackendConnectionFailure" in str(error)
        assert "wait[1]/choose[1]/when[1]/send-request[1]" in str(error)
        await until(lambda: g.backend.open == 0)


@story
async def test_a_backend_that_hangs_up_is_tried_again() -> None:
    condition = "@(context.Response.StatusCode >= 500)"
    forward = '<forward-request buffer-request-body="true"/>'
    again = policy(backend=f'<retry condition="{condition}" count="2" interval="0">{forward}</retry>')
    body = b"x" * LARGE
    for last, status in ((OK, 200), (CLOSE, 500)):
        async with gate(again) as g:
            g.backend.plays(CLOSE)
            g.backend.plays(b"HTTP/1.1 200", RESET)
            g.backend.plays(last)
            assert (await g.call(request(body))).status == status
            assert [h.body for h in g.backend.heard] == [body] * 3
            await g.settled()
            errors = [str(e) for e in g.records[0].errors]
            assert len(errors) == (2 if status == 200 else 3)
            assert all("retry[1]/forward-request[1]" in e for e in errors)


@story
async def test_nobody_waits_for_a_one_way_request() -> None:
    one_way = f'<send-one-way-request mode="copy"><set-url>{to("/told")}</set-url></send-one-way-request>'
    async with gate(policy(one_way)) as g:
        held = asyncio.Event()
        # Which of the two comes first is not said: both have the same script.
        g.backend.always = (OK,)
        g.backend.plays(OK)
        answer = await g.call(request(b"hello", port=g.backend.port))
        assert answer.status == 200
        held.set()
        await until(lambda: len(g.backend.heard) == 2)
        told = next(h for h in g.backend.heard if "/told" in h.line)
        assert (told.line, told.body) == ("POST /told HTTP/1.1", b"hello")


@story
async def test_one_way_requests_that_hang_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_one_way_request, "MOST_UNDER_WAY", 3)
    one_way = f'<send-one-way-request mode="copy"><set-url>{to("/told")}</set-url></send-one-way-request>'
    inbound = one_way + "<return-response/>"
    async with gate(policy(inbound)) as g:
        held = asyncio.Event()
        for _ in range(3):
            g.backend.plays(held, OK)
        for _ in range(8):
            assert (await g.call(request(b"hello", port=g.backend.port))).status == 200
        await until(lambda: len(g.backend.heard) == 3)
        held.set()
        await until(lambda: not any(g.proxy._services.under_way.values()))
        await g.call(request(b"hello", port=g.backend.port))
        await until(lambda: len(g.backend.heard) == 4)


@story
async def test_the_answer_of_a_request_is_read_through_its_coding() -> None:
    data = gzip.compress(b'{"a": "seven"}')
    inbound = (
        send("r", "/zip")
        + '<return-response><set-header name="coding"><value>@(((IResponse)context.Variables["r"]).Headers.GetValueOrDefault("content-encoding", "none"))</value></set-header>'
        '<set-body>@((string)((IResponse)context.Variables["r"]).Body.As<JObject>()["a"])</set-body></return-response>'
    )
    async with gate(policy(inbound)) as g:
        g.backend.plays(
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(data) + data
        )
        answer = await g.call(request(port=g.backend.port))
        assert (answer.body, answer.values("coding")) == (b"seven", ["none"])


@story
async def test_a_request_that_takes_too_long_is_told_as_such() -> None:
    inbound = send("r", "/slow", 'timeout="1"')
    async with gate(policy(inbound)) as g:
        g.backend.plays(asyncio.Event())
        assert (await g.call(request(port=g.backend.port))).status == 500
        await g.settled()
        assert "Timeout" in str(g.records[0].errors[0])


@story
async def test_a_client_that_leaves_ends_all_branches() -> None:
    async with gate(policy(f"<wait>{send('a', '/a')}{send('b', '/b')}</wait>")) as g:
        g.backend.always = (asyncio.Event(),)
        client = await g.connect()
        await client.send(request(port=g.backend.port))
        await both(g)
        client.leave()
        await g.settled()
        await until(lambda: g.backend.open == 0)
