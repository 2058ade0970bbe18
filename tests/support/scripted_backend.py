"""A backend that plays what it was told, byte by byte, and remembers what it heard."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

CLOSE = "close"
RESET = "reset"
Step = bytes | str | asyncio.Event | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Heard:
    """A request as the backend got it; of large bodies only the size."""

    head: str
    body: bytes = b""
    size: int = 0
    connection: int = 0

    @property
    def line(self) -> str:
        return self.head.split("\r\n", 1)[0]

    def values(self, name: str) -> list[str]:
        return [v.strip() for n, _, v in (x.partition(":") for x in self.head.split("\r\n")[1:]) if n == name]


class ScriptedBackend:
    """Reads requests, plays what it was told: bytes, an event to wait for, CLOSE, RESET, or a coroutine function."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.scripts: list[tuple[Step, ...]] = []
        self.always: tuple[Step, ...] = (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",)
        self.early = False  # answer when the head is there, before the body
        self.accepted = 0
        self.open = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def plays(self, *steps: Step) -> None:
        """What the next request gets."""
        self.scripts.append(steps)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
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
        self.accepted += 1
        self.open += 1
        try:
            await self._talk(reader, writer, self.accepted)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            heard = Heard(head.decode("latin-1").removesuffix("\r\n\r\n"), connection=number)
            self.heard.append(heard)
            if not self.early:
                await _read_body(reader, heard)
            for step in self.scripts.pop(0) if self.scripts else self.always:
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                elif isinstance(step, asyncio.Event):
                    while not step.is_set():
                        if reader.at_eof() or reader.exception():
                            return
                        await asyncio.sleep(0.002)
                elif step == CLOSE:
                    writer.close()
                    return
                elif step == RESET:
                    writer.transport.abort()
                    return
                else:
                    assert callable(step)
                    await step(reader, writer)
            if self.early:
                await _read_body(reader, heard)


async def _read_body(reader: asyncio.StreamReader, heard: Heard) -> None:
    async def take(size: int) -> None:
        while size:
            data = await reader.read(min(size, 1 << 18))
            if not data:
                raise asyncio.IncompleteReadError(b"", size)
            size -= len(data)
            heard.size += len(data)
            if heard.size <= 1 << 20:
                heard.body += data

    if heard.values("transfer-encoding") == ["chunked"]:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await take(size)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
    elif length := heard.values("content-length"):
        await take(int(length[0]))
