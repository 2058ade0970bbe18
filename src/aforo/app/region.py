"""One scripted region: an account of its own that knows one deployment and takes its own name as key. No supervisor starts
it and nothing of it is kept: it is there for trying failover, and for being killed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import uvloop

from aforo.account.app import create_app
from aforo.account.engines.scripted import Script, ScriptedEngine
from aforo.account.facts import FixedFacts
from aforo.app.http_server import HttpServer
from aforo.app.listeners import listening
from aforo.identity.keys import hash_key
from aforo.model.account_facts import AccountFacts, DeploymentFacts
from aforo.spool.records import RowsRecord

MODEL = "gpt-4o"
# A model's answer in small: what it thinks before the first word, and its pace afterwards.
SCRIPT = Script(latency_ms=(20, 60), tokens_per_second=400, tokens=(8, 24))


def serve(name: str, host: str, port: int, on_ready: Callable[[int], object]) -> None:
    """Serves until SIGTERM or SIGINT; `on_ready` gets the port. Conflict when somebody else listens there."""
    uvloop.run(_serve(name, host, port, on_ready))


async def _serve(name: str, host: str, port: int, on_ready: Callable[[int], object]) -> None:
    (sock,) = listening(host, port, "region")
    facts = AccountFacts(
        version=1,
        resource_id=f"/regions/{name}",
        location=name,
        tenant_id="",
        issuers=("none",),
        jwks={"keys": []},
        deployments=(DeploymentFacts(MODEL, MODEL, "2024-11-20"),),
        key_hashes=(hash_key(name),),
    )
    server = HttpServer(create_app(FixedFacts(facts), ScriptedEngine(SCRIPT), _Unkept()), [(sock, None)])
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.run(lambda: on_ready(sock.getsockname()[1]))


class _Unkept:
    """A region writes no rows: the gateway's are those that count."""

    def append_rows(self, record: RowsRecord) -> int:
        del record
        return 0
