"""A way through an HTTP proxy (CONNECT, RFC 9110 9.3.6): bytes that go on to another host. It judges no address."""

from __future__ import annotations

import asyncio
from typing import cast

MAX_HEAD_BYTES = 64 * 1024


class _Handshake(asyncio.Protocol):
    """Reads the proxy's answer, and not a byte behind it."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.head = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self.request)

    def data_received(self, data: bytes) -> None:
        self.head += data
        if self.done.done():
            return
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if not end:
            if len(self.head) > MAX_HEAD_BYTES:
                self._fail("the proxy's answer has no end")
            return
        version, _, status = head.partition(b"\r\n")[0].partition(b" ")
        code = status[:3]
        if not version.startswith(b"HTTP/1.") or not code.isdigit():
            self._fail("the proxy's answer is not HTTP")
        elif not code.startswith(b"2"):
            self._fail(f"the proxy answered {code.decode()} to CONNECT")
        elif rest:
            # Nobody may speak before our handshake: these bytes are not the target's.
            self._fail("the proxy sent bytes behind its answer")
        else:
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name of asyncio's
        if not self.done.done():
            self._fail("the proxy closed the connection")

    def _fail(self, why: str) -> None:
        self.done.set_exception(ConnectionError(why))


async def tunnel(
    address: str, port: int, host: str, target_port: int, authorization: str
) -> asyncio.Transport:
    """A transport whose other end is the target; ConnectionError when the proxy does not let us."""
    authority = (f"[{host}]" if ":" in host else host).encode("ascii" if host.isascii() else "idna")
    authority += b":%d" % target_port
    lines = [b"CONNECT %b HTTP/1.1" % authority, b"host: " + authority]
    if authorization:
        lines.append(b"proxy-authorization: " + authorization.encode())
    request = b"\r\n".join([*lines, b"", b""])
    loop = asyncio.get_running_loop()
    transport, handshake = await loop.create_connection(lambda: _Handshake(request), address, port)
    try:
        await handshake.done
    except BaseException:
        transport.abort()
        raise
    return transport
