"""An ASGI application on a real loopback socket, in a thread: for clients that bring their own event loop or none."""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import uvloop


@contextmanager
def listening(
    app: Any | Callable[[str], Any], *, certificate: Path | None = None, key: Path | None = None
) -> Iterator[str]:
    """The base URL of a running server; it ends with the block. With a certificate it speaks https.

    A plain function is called with that URL and gives the application.
    """
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"{'https' if certificate else 'http'}://127.0.0.1:{sock.getsockname()[1]}"
    if inspect.isfunction(app):
        app = app(url)
    config = uvicorn.Config(
        app,
        log_level="critical",
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=1,
        ssl_certfile=certificate,
        ssl_keyfile=str(key) if key else None,
    )
    server = uvicorn.Server(config)
    # Only the main thread may set signal handlers; this one needs none.
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]

    async def serve() -> None:
        await server.serve(sockets=[sock])
        # Some clients forget a connection (azure-core that of a 401); over TLS the server would wait for its end.
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: uvloop.run(serve()), daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        threading.Event().wait(0.01)
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()
