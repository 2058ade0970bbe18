"""A gateway that serves the sockets of another one, which has no process."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

import pytest

from aforo.app.covering import Covering
from aforo.app.listeners import listening
from aforo.gateway.server import Server
from tests.support.gateway import gate, story, until


async def answered(port: int) -> bytes:
    """The status line; b"" when nobody accepts for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /livez HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(0.2):
            return await reader.readline()
    except TimeoutError:
        return b""
    finally:
        writer.close()


def no_tls() -> ssl.SSLContext:
    raise AssertionError("there is no https here")


@story
async def test_sockets_are_served_while_they_are_to_be() -> None:
    (sock,) = listening("127.0.0.1", 0, "gateway")
    port = sock.getsockname()[1]
    async with gate() as g:
        covering = Covering({1: {"http": sock.dup().detach()}}, g.server, no_tls)
        # Who came before hears as well: the kernel keeps him.
        early_reader, early = await asyncio.open_connection("127.0.0.1", port)
        early.write(b"GET /livez HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")
        assert await answered(port) == b""
        covering.use((1, 7))
        assert (await early_reader.readline()).startswith(b"HTTP/1.1 200")
        early.close()
        assert (await answered(port)).startswith(b"HTTP/1.1 200")
        before = len(g.server.listeners)
        covering.use(())
        await until(lambda: len(g.server.listeners) < before)
        assert await answered(port) == b""
        covering.use((1,))
        assert (await answered(port)).startswith(b"HTTP/1.1 200")
        covering.again()
        await until(lambda: len(g.server.listeners) == before)
        assert (await answered(port)).startswith(b"HTTP/1.1 200")
        covering.close()
    sock.close()


class SlowServer:
    """Opens a listener in several turns of the loop."""

    draining = False

    def __init__(self) -> None:
        self.listeners: list[object] = []
        self.opened = 0

    async def listen(self, sock: socket.socket, tls: object) -> object:
        await asyncio.sleep(0)
        sock.close()
        self.opened += 1
        listener = (self.opened, tls)
        self.listeners.append(listener)
        return listener

    def dismiss(self, listener: object) -> None:
        self.listeners.remove(listener)


@story
async def test_another_context_while_a_socket_is_being_opened_leaves_no_listener_behind() -> None:
    (sock,) = listening("127.0.0.1", 0, "gateway")
    server = SlowServer()
    context = 1
    sockets = {name: sock.dup().detach() for name in ("http", "https")}
    covering = Covering({1: sockets}, cast(Server, server), lambda: cast(ssl.SSLContext, context))
    covering.use((1,))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert server.listeners == [(1, None)]
    context = 2
    covering.again()
    await until(lambda: covering._at_work is None)
    assert [tls for _, tls in server.listeners] == [None, 2]  # type: ignore[misc]
    covering.use(())
    await until(lambda: covering._at_work is None)
    assert server.listeners == []
    covering.close()
    sock.close()


@story
async def test_what_cannot_be_opened_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    (sock,) = listening("127.0.0.1", 0, "gateway")
    contexts = 0

    def no_context() -> ssl.SSLContext:
        nonlocal contexts
        contexts += 1
        raise OSError("no descriptor is left")

    async with gate() as g:
        sockets = {"http": sock.dup().detach(), "https": sock.dup().detach()}
        covering = Covering({1: sockets}, g.server, no_context)
        before = len(g.server.listeners)
        for tries in (1, 2):
            covering.use((1,))
            await until(lambda: covering._at_work is None)
            assert (contexts, len(g.server.listeners)) == (tries, before)
        assert "no descriptor is left" in caplog.text
        covering.close()
    sock.close()
