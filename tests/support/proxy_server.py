"""A small HTTP proxy: CONNECT and whole URLs, with a password when it wants one. It remembers what it was asked."""

from __future__ import annotations

import asyncio


class ProxyServer:
    """`answer` replaces what it says to CONNECT."""

    def __init__(self, authorization: str = "") -> None:
        self.authorization = authorization
        self.answer = b"HTTP/1.1 200 Connection established\r\n\r\n"
        self.heads: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        text = head.decode("latin-1")
        self.heads.append(text)
        if self.authorization and f"proxy-authorization: {self.authorization}\r\n" not in text:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return
        method, target, _ = text.split(" ", 2)
        if method == "CONNECT":
            writer.write(self.answer)
            await writer.drain()
            host, _, port = target.rpartition(":")
        else:
            host, _, port = target.removeprefix("http://").partition("/")[0].rpartition(":")
        other_reader, other_writer = await asyncio.open_connection(host, int(port))
        if method != "CONNECT":
            other_writer.write(head)
        try:
            await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))
        finally:
            other_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()
