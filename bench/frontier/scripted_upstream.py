"""An upstream that costs little and waits or streams: `python -m bench.frontier.scripted_upstream PORT`.

A deployment named `delay-50` answers after 50 ms; one named `stream` sends its first event at once and four more, 2 ms apart.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

from bench.neighbours import ANSWER
from bench.sse_upstream import END, HEAD, LENGTH, PAUSE_S, event

EVENTS = 5
_DELAY = re.compile(rb"/deployments/delay-(\d+)/")
_PLAIN = (
    f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n{ANSWER}"
).encode()
_EVENTS = [event(index) for index in range(EVENTS)]


class Upstream(asyncio.Protocol):
    """One connection; a request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Those of uvloop are no asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = LENGTH.search(self._got, 0, end)
        whole = end + (int(length[1]) if length else 0)
        if len(self._got) < whole:
            return
        delay = _DELAY.search(self._got, 0, end)
        wait_s = int(delay[1]) / 1000 if delay else 0.0
        del self._got[:whole]
        loop = asyncio.get_running_loop()
        if delay is None:
            self._write(HEAD + _EVENTS[0])
            loop.call_later(PAUSE_S, self._next, 1)
        elif wait_s:
            loop.call_later(wait_s, self._write, _PLAIN)
        else:
            self._write(_PLAIN)

    def _next(self, index: int) -> None:
        if index == EVENTS:
            self._write(END)
            return
        self._write(_EVENTS[index])
        asyncio.get_running_loop().call_later(PAUSE_S, self._next, index + 1)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def main(port: int) -> None:
    """Serves until the process is stopped."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
