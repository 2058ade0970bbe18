"""Preflights, https, and a configuration that changes under the calls."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from aforo.gateway.addresses import TrustedProxies
from aforo.gateway.record import Recorder
from aforo.policy.cors import CorsPolicy
from aforo.policy.pipeline import Pipeline
from aforo.policy.services import ForwardOptions
from tests.support.certificates import certificate, server_context
from tests.support.gateway import Client, ListSpool, gate, story, until

GET = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def cors(*origins: bytes, terminate: bool = True) -> CorsPolicy:
    return CorsPolicy(
        frozenset(origins), (b"GET", b"POST"), frozenset({b"api-key"}), b"", False, 60, terminate
    )


def preflight(origin: str, port: str = "", method: str = "POST") -> bytes:
    return (
        f"OPTIONS /pre/chat/completions HTTP/1.1\r\nHost: gate\r\nOrigin: https://{origin}{port}\r\n"
        f"Access-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: api-key\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("origin", "port", "allowed"),
    [
        ("app.example", ":8443", True),
        ("app.example", "", False),
        ("app.example", ":1", False),
        ("evil.example", ":8443", False),
    ],
)
@story
async def test_preflights_are_answered_without_a_key_and_without_a_backend(
    origin: str, port: str, allowed: bool
) -> None:
    pipeline = Pipeline(plain_forward=ForwardOptions(), cors=(cors(b"https://app.example:8443"),))
    async with gate(pipeline, path="pre", required=True) as g:
        # An OPTIONS operation of the API itself would answer; this one has none.
        routes = g.proxy.runtime.router._apis[("pre",)].root
        routes.wildcard.pop("OPTIONS")
        answer = await g.call(preflight(origin, port))
        assert (answer.status, answer.body) == (200, b"")
        got = answer.values("access-control-allow-origin")
        assert got == ([f"https://{origin}{port}"] if allowed else [])
        assert answer.values("access-control-allow-headers") == (["api-key"] if allowed else [])
        assert g.backend.heard == []
        assert (await g.call(preflight(origin, port, "DELETE\x0b"))).status in (400, 404)
        assert (await g.call(preflight(origin, port, "TRACE"))).status == 404


@story
async def test_without_cors_a_preflight_is_not_found() -> None:
    async with gate(path="pre") as g:
        g.proxy.runtime.router._apis[("pre",)].root.wildcard.pop("OPTIONS")
        assert (await g.call(preflight("a"))).status == 404


def test_https(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "gate", ip="127.0.0.1")

    @story
    async def tell() -> None:
        async with gate() as g:
            sock = socket.create_server(("127.0.0.1", 0))
            await g.server.listen(sock, server_context(chain, key))
            context = ssl.create_default_context(cafile=str(chain))
            port = sock.getsockname()[1]

            async def connect() -> Client:
                client = Client(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
                g.clients.append(client)
                return client

            client = await connect()
            for _ in range(2):
                await client.send(GET)
                assert (await client.answer()).raw == OK
            assert [(r.url, r.tls_version) for r in g.records] == [("https://gate/echo/a", "1.3")] * 2
            # A refusal arrives whole, and the connection ends.
            await client.send(b"GET /echo/a HTTP/1.1\r\n\r\n")
            assert (await client.answer()).status == 400
            assert await client.rest() == b""
            # A large answer passes with backpressure, a client that leaves takes its call along.
            body = b"x" * (8 << 20)
            g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            client = await connect()
            await client.send(GET)
            assert (await client.answer()).body == body
            g.backend.plays(asyncio.Event())
            await client.send(GET)
            await until(lambda: len(g.backend.heard) == 4)
            client.leave()
            await until(lambda: g.backend.open == 0)
            await g.settled()
            assert g.records[-1].aborted == "client"

    tell()


@story
async def test_calls_under_way_keep_their_routes_and_what_their_records_share() -> None:
    async with gate() as g:
        hold = asyncio.Event()
        g.backend.plays(hold, OK)
        client = await g.connect()
        await client.send(GET)
        await until(lambda: g.backend.heard)
        old = g.proxy.runtime
        other = ListSpool()
        renamed = type(old)(old.bundle, type(old.router)(), {}, {}, {}, None)
        g.proxy.swap(renamed, Recorder(other, 2, TrustedProxies(()), metrics=False))
        hold.set()
        assert (await client.answer()).raw == OK
        await client.send(GET)
        assert (await client.answer()).status == 404
        await g.settled()
        assert [(r.status, r.context) for r in g.records] == [(200, 1)]
        assert [(r.status, r.context) for r in other.records] == [(404, 2)]
