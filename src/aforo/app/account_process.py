"""The local account's process: an Azure-OpenAI-shaped server over a sample model, with a spool of its own."""

from __future__ import annotations

import asyncio

import uvloop

from aforo.account.app import create_app
from aforo.account.engines.choose import choose_engine
from aforo.account.facts import FactsFile
from aforo.app.http_server import HttpServer
from aforo.app.listeners import inherited
from aforo.app.spec import Said, Spec, on_stop, say
from aforo.spool.writer import SpoolWriter


def main(spec: Spec) -> None:
    """Serve until told to stop."""
    uvloop.run(_serve(spec))


async def _serve(spec: Spec) -> None:
    layout = spec.layout
    engine = choose_engine(spec.engine, log_path=layout.logs / "model.log")
    with SpoolWriter(layout.spool / "account", segment_bytes=8 * 1024 * 1024) as spool:
        app = create_app(FactsFile(layout.snapshots / "account.json"), engine, spool)
        server = HttpServer(app, [(inherited(spec.sockets["http"]), None)])
        on_stop(asyncio.get_running_loop(), server.stop)
        await server.run(lambda: say(Said(ready=True)))
