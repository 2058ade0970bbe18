"""One connection to a Valkey or Redis server: commands in pipelines, replies in their order. It knows neither what is
asked nor how it was connected; `valkey.py` does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from aforo.errors import Unavailable, Upstream

# What waits for its reply, and what waits to be sent: beyond that the server is too slow for us.
MAX_WAITING: Final = 10_000
MAX_UNSENT_BYTES: Final = 32 * 1024 * 1024
MAX_REPLY_BYTES: Final = 32 * 1024 * 1024
_SHOWN: Final = 160

# Is told the reply (bytes, int, None, or a list of such), or the refusal in its place. It may not raise.
Then = Callable[[Any], None]
_NOTHING: Final = object()


class Link(asyncio.Protocol):
    """`on_lost` is told once why the connection ended; by then every command has been told so. `timeout_s` is how long the
    server may be silent while a reply is due."""

    def __init__(self, on_lost: Callable[[Link, str], None], timeout_s: float) -> None:
        try:
            from libvalkey import ProtocolError, Reader, ReplyError, pack_command
        except ImportError as error:
            what = "a cache that gateways share needs the extra: pip install 'aforo[valkey]'"
            raise Unavailable(what) from error
        self._pack = cast("Callable[[tuple[Any, ...]], bytes]", pack_command)
        self._reply_error, self._protocol_error = ReplyError, ProtocolError
        self._reader = Reader(notEnoughData=_NOTHING)
        self._on_lost = on_lost
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._waiting: deque[tuple[Then, float]] = deque()
        self._unread = 0
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._why = ""

    @property
    def is_open(self) -> bool:
        """Whether commands still go out."""
        return self._transport is not None and not self._why

    # --- for whoever asks -----------------------------------------------------------------------------------------------

    def ask(self, command: tuple[bytes | str | int, ...], then: Then) -> None:
        """Send a command with what else is asked in this turn of the loop."""
        transport = self._transport
        if transport is None or self._why:
            then(Unavailable("the connection has ended"))
            return
        if len(self._waiting) >= MAX_WAITING or transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            then(Unavailable("too much waits for the server", code="Busy"))
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(self._pack(command))
        self._waiting.append((then, self._loop.time()))
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout_s, self._look)

    def close(self, why: str) -> None:
        """End the connection; what waits is refused."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.abort()

    # --- for the loop -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._unread += len(data)
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING:
                self._unread = 0
                if not self._waiting:
                    self.close("the server said something that nobody had asked")
                    return
                then, _ = self._waiting.popleft()
                then(self._refusal(reply) if type(reply) is self._reply_error else reply)
        except self._protocol_error:
            self.close("what the server says is not its protocol")
            return
        if self._unread > MAX_REPLY_BYTES:
            self.close("a reply is too large")

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._why = why = self._why or ("the server closed the connection" if error is None else f"{error}")
        self._out.clear()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        waiting, self._waiting = self._waiting, deque()
        for then, _ in waiting:
            then(Unavailable(why))
        self._on_lost(self, why)

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            self._transport.write(data)

    def _look(self) -> None:
        """Whether a reply is overdue: one timer for all of them."""
        self._watch = None
        if not self._waiting:
            return
        since = max(self._waiting[0][1], self._heard)
        left = since + self._timeout_s - self._loop.time()
        if left <= 0:
            self.close(f"the server has been silent for {self._timeout_s:g} s")
        else:
            self._watch = self._loop.call_later(left, self._look)

    @staticmethod
    def _refusal(reply: Exception) -> Upstream:
        """Without the arguments of the command, which some replies repeat."""
        text = str(reply).partition(", with args")[0][:_SHOWN]
        return Upstream(f"the server refused: {text}", code=text.partition(" ")[0])
