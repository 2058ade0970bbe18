"""Clients that hold streams: each on a connection of its own, all in this process and loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import cast

AT_ONCE = 100


class HeldStream(asyncio.Protocol):
    """One stream: when its first event came, how many events it had, whether it came to its end."""

    __slots__ = ("_request", "_tail", "begun", "ended", "events", "first_s", "over", "started", "transport")

    def __init__(self, request: bytes) -> None:
        self.transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self.started = self.first_s = 0.0
        self.events = 0
        self.ended = False
        self._request = request
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self.started = time.perf_counter()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.events += data.count(b"data: {")
        self._tail = (self._tail + data)[-5:]
        if not self.begun.done() and self.events:
            self.first_s = time.perf_counter() - self.started
            self.begun.set_result(None)
        if self._tail == b"0\r\n\r\n":
            self.ended = True
            self._now_over()
            if not self.begun.done():
                self.begun.set_exception(RuntimeError(f"no stream but {data[:200]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        self._now_over()
        if not self.begun.done():
            self.begun.set_exception(RuntimeError(f"the connection ended: {error}"))

    def _now_over(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


def request(path: str, headers: Mapping[str, str], body: str) -> bytes:
    """A POST as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


async def opened(port: int, said: bytes, wanted: int, timeout_s: float = 30.0) -> list[HeldStream]:
    """That many streams, each with its first event; RuntimeError or TimeoutError when one does not come."""
    loop = asyncio.get_running_loop()
    streams: list[HeldStream] = []
    async with asyncio.timeout(timeout_s):
        while len(streams) < wanted:
            batch = await asyncio.gather(
                *(
                    loop.create_connection(lambda: HeldStream(said), "127.0.0.1", port)
                    for _ in range(min(AT_ONCE, wanted - len(streams)))
                )
            )
            fresh = [stream for _, stream in batch]
            streams += fresh
            await asyncio.gather(*(stream.begun for stream in fresh))
    return streams


async def ended(streams: list[HeldStream], timeout_s: float = 20.0) -> int:
    """How many of them came to their end, when all did, or were lost, or the time is over."""
    await asyncio.wait([stream.over for stream in streams], timeout=timeout_s)
    return sum(stream.ended for stream in streams)


def close(streams: list[HeldStream]) -> None:
    """Closes their connections."""
    for stream in streams:
        if stream.transport is not None:
            stream.transport.close()
