"""Sockets of gateways whose processes have died: the others serve them until there is a new one.

The kernel goes on handing clients to a socket that has no process: without this they would wait for its next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ssl import SSLContext

from aforo.app.listeners import inherited
from aforo.gateway.server import Server

log = logging.getLogger("aforo.gateway")


class Covering:
    """`siblings` are the inherited sockets of the other gateways; `tls` gives the context of https at the time."""

    def __init__(
        self, siblings: dict[int, dict[str, int]], server: Server, tls: Callable[[], SSLContext]
    ) -> None:
        self._sockets = {
            index: {name: inherited(fd) for name, fd in sockets.items()}
            for index, sockets in siblings.items()
        }
        self._server = server
        self._tls = tls
        self._wanted: frozenset[int] = frozenset()
        self._open: dict[int, list[asyncio.Server]] = {}
        self._stale: set[int] = set()  # of those that are open, with another context of https
        self._at_work: asyncio.Task[None] | None = None

    def use(self, indexes: tuple[int, ...]) -> None:
        """Serve the sockets of these from here on, and of no others."""
        self._wanted = frozenset(indexes) & frozenset(self._sockets)
        self._begin()

    def again(self) -> None:
        """The context of https is another one."""
        # Also those that are just being opened.
        self._stale |= self._wanted
        self._begin()

    def close(self) -> None:
        """Let go of the sockets; the server closes its listeners."""
        for sockets in self._sockets.values():
            for sock in sockets.values():
                sock.close()

    def _begin(self) -> None:
        if self._at_work is None and self._is_wanting():
            self._at_work = asyncio.get_running_loop().create_task(self._follow())
            self._at_work.add_done_callback(self._done)

    def _is_wanting(self) -> bool:
        if self._server.draining:
            return False
        return self._wanted != frozenset(self._open) or not self._stale.isdisjoint(self._open)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._at_work = None
        if not task.cancelled() and task.exception() is not None:
            # Tried again when there is something new to serve.
            log.error("sockets of a gateway without a process are not served", exc_info=task.exception())
            return
        self._begin()

    async def _follow(self) -> None:
        for index in [i for i in self._open if i not in self._wanted or i in self._stale]:
            self._leave(index)
        for index in self._wanted - frozenset(self._open):
            self._stale.discard(index)
            opened = self._open[index] = []
            try:
                for name, sock in self._sockets[index].items():
                    # A descriptor of its own: the socket goes on listening when this listener is closed.
                    tls = self._tls() if name == "https" else None
                    opened.append(await self._server.listen(sock.dup(), tls))
            except BaseException:
                self._leave(index)
                raise

    def _leave(self, index: int) -> None:
        for listener in self._open.pop(index):
            self._server.dismiss(listener)
