"""A gateway's https listener. It knows no snapshot."""

from __future__ import annotations

import asyncio
import logging
import socket

from aforo.app.certificates import Certificate
from aforo.errors import Invalid
from aforo.gateway.server import Server

log = logging.getLogger("aforo.gateway")


class HttpsListener:
    """Made anew when other CAs of client certificates are trusted, without missing a client."""

    def __init__(self, sock: socket.socket, tls: Certificate, server: Server) -> None:
        self._sock = sock
        self._tls = tls
        self._server = server
        self._cas: tuple[str, ...] | None = None
        self._listener: asyncio.Server | None = None

    async def use(self, cas: tuple[str, ...]) -> bool:
        """Trust these; whether there is another listener now."""
        if cas == self._cas:
            return False
        try:
            self._tls.ask_clients(cas)
        except Invalid as error:
            log.error("the CAs before stay in force: %s", error)
            if self._listener is not None:
                return False
        before = self._listener
        # A descriptor of its own: the socket goes on listening when the listener before is closed.
        self._listener = await self._server.listen(self._sock.dup(), self._tls.context)
        if before is not None:
            self._server.replaced(before)
        self._cas = cas
        return True
