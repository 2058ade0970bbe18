"""An upstream that holds streams open: `python -m bench.held_upstream PORT`. Each call gets a head and one event, and stays;
a deployment named `stream` answers as bench.sse_upstream does.

`GET /count` tells what is open and was sent, `/trickle/SECONDS` gives each stream an event in each such period (0: none),
`/end` ends them all.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

from bench.sse_upstream import END, EVENTS, HEAD, LENGTH, PAUSE_S, event

TICK_S = 0.01
EVENT = event(1)
# So many streams end in one tick.
ENDED_AT_ONCE = 100


class Held:
    """All streams that are open, and the clock that feeds them."""

    def __init__(self) -> None:
        self.open: dict[int, asyncio.Transport] = {}
        self.sent = 0
        self.period_s = 0.0
        self.ending = False
        self._turn: list[int] = []
        self._due = 0.0

    async def run(self) -> None:
        """Feeds the streams in turn, a few in each tick, so that no burst is part of a figure."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            passed, last = now - last, now
            if self.ending:
                for number in list(self.open)[:ENDED_AT_ONCE]:
                    self.open.pop(number).write(END)
                self.ending = bool(self.open)
            elif self.period_s and self.open:
                # Late ticks are made up for, but not all at once.
                self._due += min(passed, 5 * TICK_S) * len(self.open) / self.period_s
                for _ in range(int(self._due)):
                    self._next()
                self._due -= int(self._due)

    def _next(self) -> None:
        while True:
            if not self._turn:
                self._turn = list(self.open)
                if not self._turn:
                    return
            transport = self.open.get(self._turn.pop())
            if transport is not None:
                transport.write(EVENT)
                self.sent += 1
                return

    def control(self, path: str) -> bytes:
        """What a GET asks for."""
        if path.startswith("/trickle/"):
            self.period_s = float(path.rpartition("/")[2])
        elif path == "/end":
            self.period_s, self.ending = 0.0, True
        return json.dumps({"open": len(self.open), "sent": self.sent}).encode()


class Connection(asyncio.Protocol):
    """One connection: a call at a time, its stream held until it is ended."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._read = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, rest = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        length = LENGTH.search(head)
        if head.startswith(b"GET "):
            said = self._held.control(head.split(b" ", 2)[1].decode())
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
        elif (length and len(rest) < int(length[1])) or (not length and not rest.endswith(b"0\r\n\r\n")):
            return
        elif b"/deployments/stream/" in head:
            self._short = asyncio.ensure_future(self._streamed())
        else:
            self._transport.write(HEAD + event(0))
            self._held.open[id(self)] = self._transport
            self._held.sent += 1
        self._read = b""

    async def _streamed(self) -> None:
        self._transport.write(HEAD + event(0))
        for index in range(1, EVENTS):
            await asyncio.sleep(PAUSE_S)
            self._transport.write(event(index))
        self._transport.write(END)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._held.open.pop(id(self), None)


async def main(port: int) -> None:
    """Serves until the process is stopped."""
    held = Held()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(held), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await held.run()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
