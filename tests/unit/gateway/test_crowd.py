"""Too many clients, and clients that drip: who has to go."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from aforo.gateway import server
from aforo.gateway.crowd import BODY_BYTES_PER_S, SLOW_SECONDS, Room, SlowBodies, most_connections
from aforo.gateway.metrics import NoMetrics
from aforo.gateway.unserved import Unserved
from tests.support.certificates import certificate, server_context
from tests.support.gateway import gate, story, until
from tests.support.metered import policy

GET = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"


@dataclass
class Body:
    received: int = 0


@pytest.mark.parametrize(
    ("burst", "every_s", "cut"),
    [(1, 1, True), (1, 50, True), (BODY_BYTES_PER_S, 1, False), (BODY_BYTES_PER_S, 3, True), (0, 1, True)],
)
def test_a_body_has_to_keep_its_pace(burst: int, every_s: int, cut: bool) -> None:
    bodies, call = SlowBodies(), Body()
    over: set[int] = set()
    for second in range(10 * SLOW_SECONDS):
        if second % every_s == 0:
            call.received += burst
        over |= bodies.drip([call])
    assert over == ({id(call)} if cut else set())


def test_a_pause_within_a_fast_body_is_forgiven() -> None:
    bodies, call = SlowBodies(), Body()
    for _ in range(20):
        for _ in range(SLOW_SECONDS - 5):
            assert not bodies.drip([call])
        for _ in range(SLOW_SECONDS):
            call.received += 10 * BODY_BYTES_PER_S
            assert not bodies.drip([call])


def test_a_body_that_is_not_waited_for_is_not_judged() -> None:
    bodies, call = SlowBodies(), Body()
    for _ in range(SLOW_SECONDS - 1):
        bodies.drip([call])
    assert not bodies.drip([])
    assert not bodies.drip([call])


@story
async def test_a_dripping_body_is_cut_and_recorded() -> None:
    async with gate() as g:
        client = await g.connect()
        await client.send(b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 1000000\r\n\r\nx")
        await until(lambda: g.proxy.in_flight)
        for _ in range(SLOW_SECONDS + 2):
            g.server.cut_dripping()
        assert await client.rest() == b""
        await g.settled()
        assert [r.aborted for r in g.records] == ["client"]


@story
async def test_a_body_that_its_backend_does_not_take_is_not_the_clients_fault() -> None:
    async with gate() as g:
        client = await g.connect()
        await client.send(GET)
        assert (await client.answer()).status == 200
        (connection,) = g.server.connections
        await client.send(b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 1000000\r\n\r\nx")
        await until(lambda: connection.arriving)
        connection.pause_reading()
        assert connection.arriving is None


@story
async def test_who_has_been_idle_longest_makes_room() -> None:
    async with gate() as g:
        g.server.most = 3
        first, second, third = [await g.connect() for _ in range(3)]
        for client in (second, first, third):
            await client.send(GET)
            await client.answer()
        fourth = await g.connect()
        await fourth.send(GET)
        assert (await fourth.answer()).status == 200
        assert await second.rest() == b""
        await first.send(GET)
        assert (await first.answer()).status == 200
        await until(lambda: len(g.server.connections) == 3)
        assert g.server.turned_away == 1


@story
async def test_who_came_to_no_call_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[float, dict[str, str]]] = []

    class Told(NoMetrics):
        def emit(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
            assert (namespace, name) == ("Aforo", "Refused Clients")
            told.append((value, dict(dimensions)))

    async with gate() as g:
        unserved = Unserved(g.server, Told(), "gateway-0")
        unserved.tell()
        for _ in range(2):
            client = await g.connect()
            await client.send(b"GET /echo/x HTTP/1.1\r\n\r\n")
            assert (await client.answer()).status == 400
            client.leave()
        await until(lambda: not g.server.connections)
        g.server.most = 0
        assert (await g.transcript(b"")).startswith(b"HTTP/1.1 503 ")
        unserved.tell()
        unserved.tell()
        assert told == [
            (2.0, {"Reason": "NoRequest", "Gateway": "gateway-0"}),
            (1.0, {"Reason": "NoRoom", "Gateway": "gateway-0"}),
        ]
        assert "1 clients came when all connections were taken" in caplog.text
        assert not g.records


@story
async def test_where_all_are_busy_the_newcomer_goes() -> None:
    async with gate() as g:
        g.server.most = 1
        busy = await g.connect()
        await busy.send(b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 2\r\n\r\n")
        await until(lambda: any(c.current for c in g.server.connections))
        assert (await g.transcript(b"")).startswith(b"HTTP/1.1 503 ")
        await busy.send(b"ab")
        assert (await busy.answer()).status == 200


def test_the_most_connections_leave_descriptors_for_backends() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = most_connections()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= soft
    assert 64 <= most < resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@story
async def test_guesses_leave_nothing_behind() -> None:
    async with gate(required=True) as g:
        client = await g.connect()
        for number in range(50):
            await client.send(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\napi-key: %032x\r\n\r\n" % number)
            assert (await client.answer()).status == 401
        assert not g.proxy._known.admissions
        assert (g.backend.heard, len(g.records)) == ([], 50)


def test_a_handshake_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_TIMEOUT_S", 0.2)
    context = server_context(*certificate(tmp_path, "gate", ip="127.0.0.1"))

    @story
    async def tell() -> None:
        async with gate() as g:
            sock = socket.create_server(("127.0.0.1", 0))
            await g.server.listen(sock, context)
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            writer.write(b"\x16\x03\x01")
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()

    tell()


SIZE = 600_000
READS = '<set-variable name="n" value="@(context.{}.Body.As&lt;string&gt;(true).Length)" />'


def upload(*, chunked: bool) -> bytes:
    body = b"x" * SIZE
    head = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n"
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (SIZE, body)
    return head + b"Content-Length: %d\r\n\r\n" % SIZE + body


@pytest.mark.parametrize("chunked", [False, True])
@story
async def test_bodies_that_are_read_whole_share_one_room(chunked: bool) -> None:
    async with gate(policy(READS.format("Request"))) as g:
        g.server.room = Room(2 * SIZE)
        assert (await g.transcript(upload(chunked=chunked))).startswith(b"HTTP/1.1 200 ")
        await g.settled()
        assert g.server.room.left == 2 * SIZE
        # Somebody else holds nearly all of it.
        g.server.room = Room(SIZE // 4)
        got = await g.transcript(upload(chunked=chunked))
        # What is known before it comes is refused; what has grown too large is cut.
        assert got == b"" if chunked else got.startswith(b"HTTP/1.1 503 "), got
        await g.settled()
        assert g.server.room.left == SIZE // 4
        # What is small takes none.
        small = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 2\r\n\r\nab"
        assert (await g.call(small)).status == 200


@story
async def test_answers_that_are_read_whole_share_it_too() -> None:
    async with gate(policy("", READS.format("Response"))) as g:
        g.backend.always = (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % SIZE, b"x" * SIZE)
        g.server.room = Room(2 * SIZE)
        assert len((await g.call(GET)).body) == SIZE
        await g.settled()
        assert g.server.room.left == 2 * SIZE
        g.server.room = Room(SIZE // 4)
        assert (await g.call(GET)).status == 500
        await g.settled()
        assert g.server.room.left == SIZE // 4
