"""Uvicorn for the planes that are not the gateway: several listeners in one loop, signals left to the process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

DRAIN_S = 10


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: two servers in one loop would each raise them again."""
        yield


class HttpServer:
    """An application on listening sockets, each plain or with a TLS context."""

    def __init__(self, app: ASGIApp, listeners: list[tuple[socket.socket, ssl.SSLContext | None]]) -> None:
        self._listeners = listeners
        self._servers: list[_Server] = []
        for index, (_, tls) in enumerate(listeners):
            config = uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                ws="none",
                # The application starts once, however many doors it has.
                lifespan="on" if index == 0 else "off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=DRAIN_S,
            )
            config.load()
            config.ssl = tls
            self._servers.append(_Server(config))

    async def run(self, on_ready: Callable[[], object]) -> None:
        """Serve until `stop`."""
        tasks = [
            asyncio.create_task(server.serve(sockets=[sock]))
            for server, (sock, _) in zip(self._servers, self._listeners, strict=True)
        ]
        while not all(s.started for s in self._servers):
            if any(t.done() for t in tasks):
                break
            await asyncio.sleep(0.005)
        else:
            on_ready()
        await asyncio.gather(*tasks)

    def stop(self) -> None:
        for server in self._servers:
            server.should_exit = True
