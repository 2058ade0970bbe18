"""Backends that are slow, rude or dying, and clients that leave: every call ends, and is recorded once."""

from __future__ import annotations

import asyncio

import pytest

from aforo.gateway import server
from aforo.policy.exchange import Exchange
from aforo.policy.pipeline import Pipeline
from aforo.policy.services import ForwardOptions
from tests.support.gateway import Gate, gate, story, until
from tests.support.scripted_backend import CLOSE, RESET

GET = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"
POST = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 2\r\n\r\nhi"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def failed(g: Gate, reason: str) -> None:
    """A call that the backend spoils is the gateway's 500, recorded with its reason; the next one is good."""
    answer = await g.call(POST)
    assert answer.status == 500
    assert b'"message": "Internal server error", "activityId": "' in answer.body
    await g.settled()
    (record,) = g.records
    assert (record.status, [e.reason for e in record.errors]) == (500, [reason])
    assert (await g.call(POST)).raw == OK


@pytest.mark.parametrize(
    "steps",
    [
        (CLOSE,),
        (RESET,),
        (b"HTTP/1.1 200", CLOSE),
        (b"SSH-2.0\r\n",),
        (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nab",),
    ],
)
@story
async def test_a_backend_that_dies_before_its_head_is_500(steps: tuple[str | bytes, ...]) -> None:
    async with gate() as g:
        g.backend.plays(*steps)
        await failed(g, "BackendConnectionFailure")


@story
async def test_a_backend_that_says_nothing_in_time_is_500() -> None:
    async with gate(Pipeline(plain_forward=ForwardOptions(timeout_s=0.0))) as g:
        g.backend.plays(asyncio.Event())
        client = await g.connect()
        await client.send(POST)
        await until(lambda: g.upstream.waiting)
        g.upstream.sweep()
        assert (await client.answer()).status == 500
        assert g.records[0].errors[0].reason == "Timeout"
        await until(lambda: g.backend.open == 0)
        assert not g.upstream.waiting


@story
async def test_nobody_listens_there() -> None:
    async with gate(service_url="http://127.0.0.1:1") as g:
        assert (await g.call(GET)).status == 500
        assert g.records[0].errors[0].reason == "BackendConnectionFailure"


@story
async def test_an_address_that_may_not_be_called() -> None:
    async with gate(service_url="http://169.254.169.254/latest") as g:
        assert (await g.call(GET)).status == 500
        assert "never allowed" in g.records[0].errors[0].message


@story
async def test_a_stale_connection_is_tried_once_again() -> None:
    async with gate() as g:
        await g.call(POST)
        g.backend.plays(CLOSE)
        assert (await g.call(POST)).raw == OK
        assert [h.connection for h in g.backend.heard] == [1, 1, 2]
        assert g.records[1].attempts == 1
        g.backend.plays(CLOSE)
        g.backend.plays(CLOSE)
        assert (await g.call(POST)).status == 500
        assert len(g.backend.heard) == 5


@story
async def test_half_an_answer_is_cut_not_completed() -> None:
    async with gate() as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", CLOSE)
        g.backend.plays(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"abc"), CLOSE)
        for _ in range(2):
            got = await g.transcript(GET)
            assert not got.endswith(b"0\r\n\r\n")
            await g.settled()
        assert [(r.aborted, r.response.body, r.response.size) for r in g.records] == [
            ("backend", b"abc", 3)
        ] * 2


@story
async def test_an_event_stream_that_breaks_ends_with_a_typed_error() -> None:
    async with gate() as g:
        g.backend.plays(STREAM + chunk(b"data: 1\n\n"), CLOSE)
        client = await g.connect()
        await client.send(GET)
        answer = await client.answer()
        assert answer.body.startswith(b'data: 1\n\ndata: {"error":{"code":"BackendConnectionFailure",')
        assert answer.body.endswith(b"}\n\n")
        assert await client.rest() == b""
        (record,) = g.records
        assert (record.aborted, record.response.body, record.response.size) == (
            "backend",
            b"data: 1\n\n",
            len(answer.body),
        )


@story
async def test_an_event_stream_that_breaks_inside_an_event_is_cut() -> None:
    async with gate() as g:
        g.backend.plays(STREAM + chunk(b'data: 1\n\ndata: {"ch'), CLOSE)
        got = await g.transcript(GET)
        assert b"error" not in got
        assert not got.endswith(b"0\r\n\r\n")
        assert [r.aborted for r in g.records] == ["backend"]


@pytest.mark.parametrize("begun", [False, True])
@story
async def test_a_client_that_leaves_takes_its_backend_connection_along(begun: bool) -> None:
    async with gate() as g:
        g.backend.plays(STREAM + chunk(b"data: 1\n\n") if begun else b"", asyncio.Event())
        client = await g.connect()
        await client.send(GET)
        await until(lambda: g.backend.heard)
        if begun:
            await client.reader.readuntil(b"data: 1")
        assert g.backend.open == 1
        client.leave()
        await until(lambda: g.backend.open == 0)
        await g.settled()
        (record,) = g.records
        assert record.aborted == "client"
        assert record.response.body == (b"data: 1\n\n" if begun else b"")
        assert not g.upstream.waiting


@story
async def test_a_client_that_leaves_while_a_policy_waits() -> None:
    started = asyncio.Event()

    async def outbound(exchange: Exchange) -> None:
        started.set()
        await asyncio.Event().wait()

    async with gate(Pipeline(plain_forward=ForwardOptions(), outbound=outbound)) as g:
        client = await g.connect()
        await client.send(GET)
        await started.wait()
        client.leave()
        await g.settled()
        assert [(r.aborted, r.backend_status) for r in g.records] == [("client", 200)]
        await until(lambda: g.backend.open == 0)


@story
async def test_leases_end_with_the_call_however_it_ends() -> None:
    given: list[str] = []

    async def inbound(exchange: Exchange) -> None:
        exchange.lent.append(lambda: given.append("back"))

    async with gate(Pipeline(inbound=inbound, plain_forward=ForwardOptions())) as g:
        g.backend.plays(CLOSE)
        await g.call(GET)
        await g.call(GET)
        g.backend.plays(asyncio.Event())
        client = await g.connect()
        await client.send(GET)
        await until(lambda: len(g.backend.heard) == 3)
        client.leave()
        await g.settled()
        assert given == ["back"] * 3


@story
async def test_bytes_behind_an_answer_belong_to_nobody() -> None:
    async with gate() as g:
        evil = b"HTTP/1.1 200 OK\r\nx-evil: 1\r\ncontent-length: 4\r\n\r\nevil"
        g.backend.plays(OK + evil)
        assert (await g.call(GET)).raw == OK
        assert (await g.call(GET)).raw == OK
        assert g.backend.accepted == 2


@story
async def test_a_slow_client_holds_back_the_backend() -> None:
    async with gate() as g:
        sent = 0

        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
            while sent < total:
                writer.write(b"x" * (1 << 16))
                await writer.drain()
                sent += 1 << 16

        total = 64 << 20
        g.backend.plays(flood)
        client = await g.connect(limit=1 << 16)
        await client.send(GET)
        await until(lambda: [c for c in g.server.connections if not c.writable()])
        (connection,) = g.server.connections
        before = -1
        while before != sent:
            before = sent
            # Each turn looks at all sockets: what could move has moved after so many.
            for _ in range(200):
                await asyncio.sleep(0)
        assert sent < total // 2
        assert connection.transport is not None
        assert connection.transport.get_write_buffer_size() < 2 << 20
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: %d" % total in head
        got = 0
        while got < total:
            got += len(await client.reader.read(1 << 20))
        await g.settled()
        (record,) = g.records
        assert (record.response.size, record.response.cut, len(record.response.body)) == (
            total,
            True,
            8 << 20,
        )


@story
async def test_a_client_that_takes_nothing_is_cut_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with gate() as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (32 << 20) + b"x" * (32 << 20))
        client = await g.connect(limit=1024)
        await client.send(GET)
        await until(lambda: [c for c in g.server.connections if not c.writable()])
        monkeypatch.setattr(server, "WRITE_TIMEOUT_S", -1.0)
        g.server.sweep()
        await until(lambda: (g.server.sweep(), not g.server.connections)[1])
        await g.settled()
        assert [r.aborted for r in g.records] == ["client"]


@story
async def test_an_answer_that_nobody_takes_yet_is_not_read() -> None:
    waiting, go = asyncio.Event(), asyncio.Event()
    size = 32 << 20

    async def outbound(exchange: Exchange) -> None:
        waiting.set()
        await go.wait()

    async with gate(Pipeline(plain_forward=ForwardOptions(), outbound=outbound)) as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, b"x" * size)
        client = await g.connect()
        await client.send(GET)
        await waiting.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        (arrival,) = (c.current.arrival for c in g.server.connections if c.current)
        assert arrival is not None
        assert sum(map(len, arrival.connection.chunks)) < 2 << 20
        go.set()
        assert len((await client.answer()).body) == size


@story
async def test_slow_heads_slow_bodies_and_idle_connections_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HEAD_TIMEOUT_S", "BODY_TIMEOUT_S", "IDLE_TIMEOUT_S"):
        monkeypatch.setattr(server, name, -1.0)
    async with gate() as g:
        for data in (b"", GET[:30], POST[:-1], GET):
            client = await g.connect()
            await client.send(data)
            await until(lambda: g.server.connections)
            if data == GET:
                await client.answer()
            g.server.sweep()
            await until(lambda: (g.server.sweep(), not g.server.connections)[1])
            assert await client.rest() == b""
        assert len(g.backend.heard) == 1


WAITS = ("HEAD_TIMEOUT_S", "BODY_TIMEOUT_S", "IDLE_TIMEOUT_S")


@pytest.mark.parametrize(
    ("own", "data"),
    [("HEAD_TIMEOUT_S", GET[:30]), ("BODY_TIMEOUT_S", POST[:-1]), ("IDLE_TIMEOUT_S", GET)],
    ids=["a head", "a body", "between calls"],
)
@story
async def test_each_kind_of_waiting_has_its_own_bound(
    own: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gate() as g:
        for ends in (False, True):
            client = await g.connect()
            await until(lambda: g.server.connections)
            (connection,) = g.server.connections
            for name in WAITS:
                # Where a connection is patient as this one has to be, nothing else about it is.
                monkeypatch.setattr(server, name, -1.0 if (name == own) is ends else 100.0)
            await client.send(data)
            if data == GET:
                await client.answer()
                await until(lambda connection=connection: connection.current is None)  # type: ignore[misc]
            elif data == GET[:30]:
                await until(lambda connection=connection: connection._head_bytes == 30)  # type: ignore[misc]
                for name in WAITS:
                    monkeypatch.setattr(server, name, 100.0)
                await client.send(GET[30:33])  # a byte more is no new beginning
                await until(lambda connection=connection: connection._head_bytes == 33)  # type: ignore[misc]
            else:
                await until(lambda connection=connection: connection.current is not None)  # type: ignore[misc]
            g.server.sweep()
            await asyncio.sleep(0)
            assert bool(g.server.connections) is not ends
            client.writer.close()
            await until(lambda: not g.server.connections)


EVENT = b"data: 1\n\n"


@pytest.mark.parametrize(
    ("begun", "came"),
    [
        (STREAM + chunk(EVENT), EVENT),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal", b"hal"),
    ],
)
@story
async def test_a_backend_that_stalls_within_a_body_is_given_up(begun: bytes, came: bytes) -> None:
    async with gate(Pipeline(plain_forward=ForwardOptions(idle_s=-1.0))) as g:
        g.backend.plays(begun, asyncio.Event())
        client = await g.connect()
        await client.send(GET)
        head = await client.reader.readuntil(came)
        g.upstream.sweep_arriving()  # something has come since the last look
        assert len(g.upstream.arriving) == 1
        g.upstream.sweep_arriving()
        rest = await client.rest()
        await g.settled()
        (record,) = g.records
        assert (record.aborted, record.response.body[: len(came)]) == ("backend", came)
        assert [(e.reason, e.section) for e in record.errors] == [("Timeout", "backend")]
        assert "sent nothing more of its answer" in record.errors[0].message
        if came == EVENT:
            # Between two events it can still be said; nobody may take silence for the end.
            assert b'"code":"BackendConnectionFailure"' in rest
        else:
            assert (head[-3:], rest) == (came, b"")
        await until(lambda: g.backend.open == 0)
        assert not g.upstream.arriving


@story
async def test_a_stall_that_is_not_the_backends_is_not_its_end() -> None:
    async with gate(Pipeline(plain_forward=ForwardOptions(idle_s=-1.0))) as g:
        more = asyncio.Event()
        g.backend.plays(STREAM + chunk(EVENT), more, chunk(EVENT) + b"0\r\n\r\n")
        client = await g.connect()
        await client.send(GET)
        await client.reader.readuntil(EVENT)
        (waiting,) = g.upstream.arriving
        waiting.connection.pause()  # as for a client that does not read
        for _ in range(3):
            g.upstream.sweep_arriving()
        waiting.connection.resume()
        more.set()
        assert (await client.reader.readuntil(b"0\r\n\r\n")).count(EVENT) == 1
        g.upstream.sweep_arriving()
        assert not g.upstream.arriving
        await g.settled()
        assert [(r.aborted, r.errors) for r in g.records] == [("", [])]
