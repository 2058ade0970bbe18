"""A gateway that serves the sockets of another one, which has no process."""

from __future__ import annotations

import asyncio
import ssl

from aforo.app.covering import Covering
from aforo.app.listeners import listening
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
