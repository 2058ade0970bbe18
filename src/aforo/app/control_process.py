"""The control plane's process: resources, tokens and queries behind one origin, over http and https.

It opens the store, publishes what is in it, and passes every change through the one door.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aforo.app import scraping
from aforo.app.audiences import Audiences
from aforo.app.auditing import Auditing
from aforo.app.certificates import certificate
from aforo.app.collecting import Collecting
from aforo.app.declaring import Declaring
from aforo.app.http_server import HttpServer
from aforo.app.in_force import InForce, in_force
from aforo.app.listeners import inherited
from aforo.app.reading import CONTENT_ACTION, Reading
from aforo.app.resource_rows import ResourceRows
from aforo.app.spec import Said, Spec, on_stop, say, snapshot_stamp
from aforo.control import api as resource_api
from aforo.control.apply import Resolve, read_desired, read_files
from aforo.control.commit import Door
from aforo.control.debugging import Debugging
from aforo.control.directory import GraphDirectory
from aforo.control.lab import SUBSCRIPTION, lab_yaml
from aforo.control.live import Live
from aforo.control.publish import FilePublisher, IssuerFacts
from aforo.control.store import Store, sqlite_url
from aforo.egress.fetch import fetch
from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.pool import Pool
from aforo.errors import Refusal
from aforo.identity import debug_token
from aforo.identity import endpoints as identity_api
from aforo.identity.issue import Issuer
from aforo.identity.keys import Secrets
from aforo.identity.seal import subkey
from aforo.logs import api as query_api
from aforo.logs import editing_api, graph_api, ingest_api, kusto_api
from aforo.logs.external_files import FilesOutside
from aforo.logs.ingest import Ingestion
from aforo.logs.kusto_ingest import Taking
from aforo.logs.query import QueryPool
from aforo.logs.reader import Reader
from aforo.messages import Headers
from aforo.model import deliveries_file
from aforo.model.kinds.account import ACCOUNT_TYPE, served
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.kinds.subscription import SUBSCRIPTION_TYPE
from aforo.model.secret import Secret
from aforo.private_files import write_private
from aforo.rest import on_bug, on_refusal
from aforo.snapshot import bundle_file
from aforo.snapshot.sealed import open_value
from aforo.snapshot.snapshot import Bundle
from aforo.spool.writer import SpoolWriter

if TYPE_CHECKING:
    from aforo.snapshot.build import Builder, Problem

log = logging.getLogger("aforo.control")

# Of those that are told where somebody looks; the log has all.
_MOST_PROBLEMS = 10


def main(spec: Spec) -> None:
    """Serve until told to stop."""
    uvloop.run(_Control(spec).run())


class _Control:
    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._layout = spec.layout
        self._secrets = Secrets(self._layout.secrets)
        self._urls = (spec.url("http", spec.control_port), spec.url("https", spec.control_tls_port))
        self._egress = Pool(EgressPolicy(own_ports=frozenset({spec.control_port, spec.control_tls_port})))
        self._builder: Builder | None = None
        self._compiling = threading.Lock()
        self._from_store = False  # while that is published
        self._unchecked: Bundle | None = None

    async def run(self) -> None:
        spec = self._spec
        store = Store(sqlite_url(self._layout.store))
        tenancy = store.tenancy()
        issuer = Issuer(self._secrets.signing_key, tenancy.tenant_id, spec.issuer)
        signing = subkey(self._secrets.master_key, bundle_file.SIGNING_PURPOSE)
        facts = IssuerFacts(tenancy.tenant_id, issuer.issuers, issuer.jwks())
        publisher = FilePublisher(
            self._layout.snapshots, signing, facts, self._secrets.sealer(deliveries_file.PURPOSE)
        )
        live = Live(
            account_endpoint=spec.url("http", spec.account_port),
            gateway_url=spec.url("http", spec.gateway_port),
            control_url=self._urls[0],
        )
        door = Door(store, self._secrets, self._compile, publisher, live=live)
        with SpoolWriter(self._layout.spool / "control", segment_bytes=8 * 1024 * 1024) as spool:
            await self._first_state(door)
            self._show_key(door)
            pool = QueryPool(self._layout.tables, geoip=self._layout.geoip)
            app = self._application(door, issuer, pool, spool)
            tls = certificate(spec.certificate, spec.certificate_key, self._secrets.tls)
            server = HttpServer(
                app,
                [(inherited(spec.sockets["http"]), None), (inherited(spec.sockets["https"]), tls.context)],
            )
            on_stop(asyncio.get_running_loop(), server.stop)
            reloading = asyncio.create_task(_reload(tls.reload))
            later: list[asyncio.Task[None]] = []

            def ready() -> None:
                say(Said(ready=True, facts=_ids(door), snapshot_ns=snapshot_stamp(publisher.bundle_path)[0]))
                # Only now: nobody who waits for the system waits for its query engine.
                later.append(asyncio.create_task(pool.start()))
                later.append(asyncio.create_task(asyncio.to_thread(self._check)))

            await server.run(ready)
            reloading.cancel()
            await asyncio.gather(*later, return_exceptions=True)
            await pool.close()
        self._egress.close()
        store.close()

    def _opened(self, sealed: str) -> str:
        return open_value(self._secrets.sealer(bundle_file.SEALING_PURPOSE), sealed)

    def _compile(self, bundle: Bundle) -> Iterable[Problem]:
        if self._from_store:
            # Published at a start whatever it is like; nobody who waits for the system waits for a second opinion.
            self._unchecked = bundle
            return ()
        with self._compiling:
            if self._builder is None:
                # A fifth of all that this process loads, and a start from the store does not need it.
                from aforo.snapshot.build import Builder

                self._builder = Builder(self._opened)
            return self._builder.build(bundle).problems

    def _check(self) -> None:
        """Tell what no longer compiles of what was published at the start: gateways cannot take it."""
        if self._unchecked is None:
            return
        broken = [p for p in self._compile(self._unchecked) if p.diagnostic.is_error]
        self._unchecked = None
        if not broken:
            return
        for problem in broken:
            log.error("%s", _placed(problem))
        shown = "".join(f"\n  {_placed(p)}" for p in broken[:_MOST_PROBLEMS])
        more = f"\n  and {len(broken) - _MOST_PROBLEMS} more" if len(broken) > _MOST_PROBLEMS else ""
        say(
            Said(
                warning=f"the stored configuration does not compile:{shown}{more}\n"
                "  calls are served by the last one that does, and answered with 503 where there is none;\n"
                "  mend it with `aforo apply` (`aforo export` writes out what is stored)"
            )
        )

    async def _first_state(self, door: Door) -> None:
        """The store is the truth; an empty one takes the configuration that was given, or the lab."""
        if not door.empty:
            self._from_store = True
            door.publish()
            self._from_store = False
            return
        resolve = Resolve(
            door.tenancy.subscription_id,
            door.mint.guid,
            self._fetch,
            {k: v for k, v in os.environ.items() if v},
        )
        if self._spec.config:
            desired = await read_desired(Path(self._spec.config), resolve)
        else:
            desired = await read_files("aforo.yaml", {"aforo.yaml": lab_yaml()}, resolve)
        door.apply(desired, caller="first start")

    def _show_key(self, door: Door) -> None:
        """The first key of the lab's subscription (or of the first one) where people find it."""
        subscriptions = sorted(door.graph.of_type(SUBSCRIPTION_TYPE), key=lambda r: r.name != SUBSCRIPTION)
        key = subscriptions[0].properties.get("primaryKey") if subscriptions else None
        if isinstance(key, Secret):
            write_private(self._secrets.subscription_key_path, key.reveal().encode() + b"\n")

    def _application(self, door: Door, issuer: Issuer, pool: QueryPool, spool: SpoolWriter) -> Starlette:
        spec = self._spec
        audiences = Audiences(issuer, self._secrets.is_admin_token, self._urls)
        reading = Reading(door)
        auditing = Auditing(door, spool, reading.workspaces)
        shared: dict[str, Any] = {
            "resolve_resource": reading.resolve_resource,
            "tenant_id": door.tenancy.tenant_id,
            "some_rows": reading.some_rows,
            "may_read_content": reading.may_read_content,
            "content_action": CONTENT_ACTION,
            "contents": reading.contents,
            "files": FilesOutside(lambda *asked: self._file(door, *asked)),
        }
        collecting = Collecting(door)
        ingestion = Ingestion(pool, auditing.taken, time.time)
        rights = (reading.may_read, reading.resolve_workspace, auditing.queried)
        routes = [
            Route("/livez", _alive),
            Route("/readyz", _alive),
            *scraping.routes(self._layout, audiences.resources, reading.may_read_metrics),
            *query_api.routes(pool, audiences.logs, *rights, **shared),
            *editing_api.routes(Reader(pool, audiences.editing, *rights, **shared)),
            *graph_api.routes(Reader(pool, audiences.graph, *rights, **shared), ResourceRows(door)),
            *kusto_api.routes(
                pool,
                audiences.kusto,
                *rights,
                workspaces=reading.workspaces,
                login_endpoint=self._urls[1],
                taking=Taking(
                    ingestion, Declaring(door, auditing.activity), collecting.target, collecting.may_write
                ),
                **shared,
            ),
            *ingest_api.routes(ingestion, audiences.ingestion, collecting.may_write, collecting.stream),
            *resource_api.routes(
                door,
                audiences.resources,
                sink=auditing.activity,
                fetch=self._fetch,
                in_force=self._in_force,
                debugging=Debugging(
                    subkey(self._secrets.master_key, debug_token.PURPOSE), self._layout.traces
                ),
            ),
            *identity_api.routes(
                issuer,
                GraphDirectory(lambda: door.graph),
                identity_headers=spec.identity_header.split(),
                origins=self._urls,
            ),
        ]

        return Starlette(routes=routes, exception_handlers={Refusal: on_refusal, Exception: on_bug})

    async def _in_force(self) -> None:
        """Until every gateway that lives has what was published last; who is told of a change may rely on it."""
        path = self._layout.snapshots / bundle_file.CURRENT
        published = InForce(bundle_file.version_of(path), snapshot_stamp(path)[0])
        if not await in_force(path.parent, published):
            log.warning("revision %d is published, and not every gateway has it yet", published.revision)

    async def _fetch(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """The egress room in the form that the control plane asks for."""
        sent = Headers.of((name.lower().encode(), value.encode()) for name, value in headers.items())
        answer = await fetch(self._egress, method, url, sent, body, timeout_s=timeout_s)
        got = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        return answer.status, got, answer.body

    async def _file(
        self, door: Door, url: str, timeout_s: float, most_bytes: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        """A file that a query reads. Private addresses are reached by the operator's list, as from the gateway."""
        listed = (s.properties.get("privateEgress", ()) for s in door.graph.of_type(SERVICE_TYPE))
        own = frozenset({self._spec.control_port, self._spec.control_tls_port})
        pool = Pool(
            parse(tuple(e for entries in listed for e in entries), own), self._layout.secrets / "ca.pem"
        )
        sent = Headers.of([(b"accept", b"*/*"), (b"accept-encoding", b"identity"), (b"user-agent", b"aforo")])
        try:
            answer = await fetch(pool, "GET", url, sent, timeout_s=timeout_s, max_bytes=most_bytes)
        finally:
            # The next reader of a file is another one, and the list may be another one too.
            pool.close()
        return (
            answer.status,
            {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in answer.headers},
            answer.body,
        )


def _placed(problem: Problem) -> str:
    line, column = problem.source.position(problem.diagnostic.span.start)
    return f"{problem.source.name}:{line}:{column}: {problem.diagnostic.message}"


def _ids(door: Door) -> dict[str, str]:
    """What people and tools need to address this system."""
    graph = door.graph
    service = next(graph.of_type(SERVICE_TYPE), None)
    account = served(graph.of_type(ACCOUNT_TYPE))
    workspace = next(graph.of_type("Microsoft.OperationalInsights/workspaces"), None)
    return {
        "tenant_id": door.tenancy.tenant_id,
        "subscription_id": door.tenancy.subscription_id,
        "resource_group": service.id.text.split("/")[4] if service is not None else "",
        "service": service.name if service is not None else "",
        # At the start; a change may serve another one, or none.
        "served_account": account.name if account is not None else "",
        "workspace_id": str(workspace.properties["customerId"]) if workspace is not None else "",
    }


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("ok")


async def _reload(reload: object) -> None:
    """Take up a changed certificate within a second."""
    while True:
        await asyncio.sleep(1.0)
        assert callable(reload)
        reload()
