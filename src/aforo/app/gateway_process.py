"""A gateway's process: snapshot in, calls served, records out. It works on without control once it has a snapshot."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from functools import partial
from pathlib import Path
from urllib.parse import quote

import msgspec
import uvloop

from aforo.app.certificates import Certificate, certificate
from aforo.app.counting import Counting
from aforo.app.covering import Covering
from aforo.app.ending_threads import EndingThreads
from aforo.app.held_loop import HeldLoop
from aforo.app.https_listener import HttpsListener
from aforo.app.identity_places import identity_places
from aforo.app.in_force import Acknowledgement, InForce
from aforo.app.listeners import inherited
from aforo.app.recording import recorder
from aforo.app.spec import Said, Spec, Told, on_stop, say, snapshot_stamp
from aforo.app.watched_backends import WatchedBackends
from aforo.egress.fetch import fetch
from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.pool import Pool
from aforo.egress.valkey import Valkey
from aforo.errors import Refusal
from aforo.errors import Upstream as UpstreamRefusal
from aforo.gateway.authorizations import Connections
from aforo.gateway.cache import MemoryCache
from aforo.gateway.crowd import most_connections
from aforo.gateway.draining import retire
from aforo.gateway.events import FileSink, Loggers, Sink
from aforo.gateway.external_cache import ExternalCache, ExternalCaches, Secrecy
from aforo.gateway.kafka import KafkaSink, target_of
from aforo.gateway.lost_records import LostRecords
from aforo.gateway.metrics import SpooledMetrics
from aforo.gateway.owners import Owners
from aforo.gateway.proxy import Proxy
from aforo.gateway.server import Server
from aforo.gateway.services import GatewayServices
from aforo.gateway.signing_keys import ENTRA, FetchedSigningKeys
from aforo.gateway.traces import Traces
from aforo.gateway.upstream import Upstream
from aforo.identity import debug_token
from aforo.identity.identity_sources import IDENTITY_PATH, AppServiceIdentity, HttpAnswer, detect
from aforo.identity.keys import Secrets
from aforo.identity.managed import ManagedTokens, NoIdentity, TokenSource
from aforo.identity.seal import subkey
from aforo.messages import Headers, parse_url
from aforo.model.valkey_address import ValkeyAddress
from aforo.snapshot import bundle_file
from aforo.snapshot.build import Builder
from aforo.snapshot.runtime import Runtime
from aforo.snapshot.sealed import open_value
from aforo.snapshot.snapshot import Bundle, LoggerEntry
from aforo.snapshot.stand_in import stand_in
from aforo.spool.dropped import Dropped
from aforo.spool.writer import SpoolWriter

log = logging.getLogger("aforo.gateway")

# A look costs one `stat` (3 µs); whoever changes something waits for it.
POLL_S = 0.05
_ISSUER_DOCUMENTS = frozenset(
    f"{path}{version}{name}"
    for path, name in (("", ".well-known/openid-configuration"), ("discovery/", "keys"))
    for version in ("", "v2.0/")
)
_ISSUER_TOKENS = frozenset(("oauth2/token", "oauth2/v2.0/token"))
# How long a gateway waits at its start for what control publishes at the same time.
PATIENCE_S = 2.0
DRAIN_S = 30.0
# How long the events that are queued are sent after the last call.
EVENTS_S = 10.0
# Of 100 ms: how often the garbage of long-lived connections is looked for too.
FULL_BEATS = 300


def main(spec: Spec) -> None:
    """Serve until told to stop."""
    uvloop.run(_Gateway(spec).run())


class _Gateway:
    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._layout = spec.layout
        self._secrets = Secrets(self._layout.secrets)
        self._path = self._layout.snapshots / bundle_file.CURRENT
        self._good_path = self._layout.snapshots / bundle_file.LAST_GOOD
        self._signing = subkey(self._secrets.master_key, bundle_file.SIGNING_PURPOSE)
        sealer = self._secrets.sealer(bundle_file.SEALING_PURPOSE)
        self._builder = Builder(lambda sealed: open_value(sealer, sealed))
        self._stop = asyncio.Event()
        self._retired = False
        self._told_to_end = asyncio.Event()
        self._covering: Covering | None = None
        self._held = HeldLoop()
        self._seen = (0, 0)  # of the snapshot that is in force
        self._acknowledgement = Acknowledgement(self._layout.snapshots, spec.index)
        self._ca = self._layout.secrets / "ca.pem"
        self._identity_pool = Pool(EgressPolicy(), self._ca)
        # The issuer's documents, and nothing else of control, may be asked for by an address in a policy.
        issuer = frozenset({(spec.local_host, p) for p in (spec.control_port, spec.control_tls_port)})
        self._issuer_pool = Pool(EgressPolicy(allowed_ports=issuer), self._ca)
        self._tenant = ""
        self._keys = FetchedSigningKeys(
            self._issuer_document, entra=os.environ.get("AZURE_AUTHORITY_HOST") or ENTRA
        )
        self._pool = Pool(self._egress(()), self._ca)
        self._upstream = Upstream(self._pool)
        self._watched = WatchedBackends(
            self._layout.snapshots, spec.index, self._upstream, self._secrets.master_key
        )

    def _end(self) -> None:
        self._told_to_end.set()
        self._stop.set()

    def _heard(self, told: Told) -> None:
        if told.retire:
            self._retired = True
            self._stop.set()
        elif self._covering is not None:
            self._covering.use(told.cover)

    def _egress(self, allowed: tuple[str, ...]) -> EgressPolicy:
        """What backends may be: the operator's list, and the local account, which is a part of this system."""
        spec = self._spec
        policy = parse(allowed)
        own = frozenset({spec.control_port, spec.control_tls_port})
        account = {(spec.local_host, spec.account_port)} if spec.account_port else set()
        ports = policy.allowed_ports | account
        return EgressPolicy(policy.allowed, ports, own, allowed_sockets=policy.allowed_sockets)

    async def run(self) -> None:
        spec = self._spec
        loop = asyncio.get_running_loop()
        loop.set_default_executor(EndingThreads())
        on_stop(loop, self._end, self._heard)
        first = await self._first()
        if first is None:
            return
        bundle, runtime = first
        folder = self._layout.spool / (f"gateway-{spec.index}" + (f".{spec.slot}" if spec.slot else ""))
        # No thread of the spool's own: the supervisor syncs (app/spool_sync.py).
        with SpoolWriter(folder, sync_interval_s=0) as spool:
            source, path = self._identity(bundle)
            tokens = ManagedTokens(source, sealer=self._secrets.sealer("gateway-tokens"), path=path)
            counting = self._counting = Counting(spec, bundle.resource_id, self._ca)
            services = GatewayServices(
                bundle.deployment, counting.counters, MemoryCache(), tokens, self._upstream
            )
            services.leases = counting.leases
            services.shared = ExternalCaches(self._external_cache)
            services.owners = Owners(self._layout.owners)
            self._pool.policy = self._egress(bundle.egress_private)
            metrics = services.metrics = SpooledMetrics(spool)
            self._lost = LostRecords(Dropped(folder), spool, metrics, folder.name)
            proxy = Proxy(
                runtime,
                services,
                recorder(spool, runtime, self._lost, self._secrets.master_key),
                lambda: not self._stop.is_set() and spool.has_room(),
            )
            services.signing_keys = self._keys
            services.authorizations = Connections(self._provider_token, services)
            services.authorizations.use(runtime.authorizations)
            proxy.traces = Traces(self._layout.traces, subkey(self._secrets.master_key, debug_token.PURPOSE))
            services.events = Loggers(partial(self._sink, tokens))
            services.events.configure(runtime.loggers)
            metrics.follow(bundle)
            self._watched.probe_with(tokens, metrics)
            self._use_tenant(bundle)
            server = Server(proxy)
            server.most = most_connections()
            tls = certificate(spec.certificate, spec.certificate_key, self._secrets.tls)
            await server.listen(inherited(spec.sockets["http"]))
            https = inherited(spec.sockets["https"])
            self._https = HttpsListener(https, tls, server)
            await self._https.use(bundle.client_cas)
            self._covering = Covering(spec.siblings, server, lambda: tls.context)
            self._collect_less()
            self._acknowledge(bundle, self._seen)
            say(Said(ready=True, snapshot_ns=self._seen[0]))
            housekeeping = asyncio.create_task(self._keep_house(proxy, server, spool, tls, metrics))
            following = asyncio.create_task(self._follow(proxy, spool, tokens, metrics, services))
            await self._stop.wait()
            self._held.end()
            self._acknowledgement.withdraw()
            self._counting.hand_over()
            if self._retired:
                await retire(server, self._told_to_end)
            cut = await server.drain(DRAIN_S)
            self._covering.close()
            following.cancel()
            if cut:
                log.warning("%d connections were cut at the end of the drain", cut)
            housekeeping.cancel()
            metrics.flush()
            await self._watched.close()
            await services.events.close(EVENTS_S)
            await services.shared.close()
            await counting.close()
            services.owners.close()
            await tokens.close()
            await self._keys.close()
            await services.authorizations.close()
            self._issuer_pool.close()
            self._pool.close()

    def _external_cache(self, name: str, address: ValkeyAddress) -> ExternalCache:
        """The cache that the gateways of this system share."""
        server = Valkey(address, lambda: self._pool.policy, self._ca, name=f"the external cache {name!r}")
        return ExternalCache(server, Secrecy(self._secrets.master_key))

    def _sink(self, tokens: ManagedTokens, entry: LoggerEntry) -> Sink:
        """Where a logger's events go."""
        if entry.kind == "file":
            return FileSink(self._layout.events / f"{quote(entry.id, safe='')}.jsonl")

        async def token_of(resource: str, client_id: str | None) -> str:
            return tokens.cached(resource, client_id) or await tokens.fetch(resource, client_id)

        return KafkaSink(target_of(entry), self._pool.judge, token_of)

    async def _first(self) -> tuple[Bundle, Runtime] | None:
        """The snapshot to begin with; None when told to stop meanwhile.

        At a start of the whole system control publishes within a moment, maybe with other addresses: that is
        waited for, a while. Without it the last good snapshot serves, and so it does when what control publishes
        does not compile (an upgrade may refuse what it took before). Where there is none, a stand-in answers.
        """
        until = asyncio.get_running_loop().time() + PATIENCE_S
        found: tuple[Bundle, Runtime] | None = None
        while not self._stop.is_set():
            # First the stamp, then the file: what is published between the two is taken up by `_follow`.
            stamp = snapshot_stamp(self._path)
            if stamp not in ((0, 0), self._seen):
                self._seen = stamp
                try:
                    bundle = bundle_file.load(self._path, self._signing)
                except Refusal as error:
                    if stamp != self._spec.old_snapshot:
                        raise
                    log.error("the last snapshot is not taken: %s", error)
                    continue
                # An old one too, at once: the same texts are not compiled a second time.
                runtime = self._build(bundle)
                if runtime is not None:
                    found = bundle, runtime
                    self._keep_good(stamp)
                elif stamp != self._spec.old_snapshot and found is None:
                    found = self._last_good() or self._standing_in(bundle)
            is_new = self._seen != self._spec.old_snapshot
            if found is not None and (is_new or asyncio.get_running_loop().time() > until):
                return found
            await asyncio.sleep(0.01)
        return None

    def _build(self, bundle: Bundle) -> Runtime | None:
        built = self._builder.build(bundle)
        for problem in built.problems:
            if problem.diagnostic.is_error:
                log.error(
                    "revision %d: %s: %s", bundle.version, problem.source.name, problem.diagnostic.message
                )
        return built.runtime

    def _last_good(self) -> tuple[Bundle, Runtime] | None:
        """What was in force last, where it still compiles."""
        try:
            bundle = bundle_file.load(self._good_path, self._signing)
        except (Refusal, FileNotFoundError):
            return None
        runtime = self._build(bundle)
        if runtime is None:
            return None
        log.error("revision %d serves instead of what was published", bundle.version)
        return bundle, runtime

    def _keep_good(self, stamp: tuple[int, int]) -> None:
        """The file that is in force stays under another name, whatever is published next."""
        draft = self._good_path.with_name(f".{bundle_file.LAST_GOOD}.{self._spec.index}")
        try:
            draft.unlink(missing_ok=True)
            draft.hardlink_to(self._path)
            # A newer one may have taken its place meanwhile, which is not known to compile.
            if snapshot_stamp(draft) == stamp:
                draft.replace(self._good_path)
            # Still there when another gateway had linked the same file already.
            draft.unlink(missing_ok=True)
        except OSError as error:
            log.warning("what is in force could not be kept for later: %s", error)

    def _standing_in(self, bundle: Bundle) -> tuple[Bundle, Runtime]:
        log.error("revision %d does not compile: calls are answered with 503", bundle.version)
        instead = stand_in(bundle)
        runtime = self._build(instead)
        assert runtime is not None
        # It is not what was published: who waits for this gateway waits for a configuration that compiles.
        return msgspec.structs.replace(instead, version=0), runtime

    def _identity(self, bundle: Bundle) -> tuple[TokenSource, Path]:
        """Where this gateway's tokens come from, and the file that keeps them.

        With a local account: our own issuer. Without one: what the environment offers (App Service, a virtual
        machine, a workload identity), by azure-identity's variables.
        """
        spec = self._spec
        source: TokenSource = (
            NoIdentity() if bundle.local_identity else detect(os.environ, self._ask_identity)
        )
        if isinstance(source, NoIdentity):
            allowed = EgressPolicy(allowed_ports=frozenset({(spec.local_host, spec.control_port)}))
            endpoint = spec.url("http", spec.control_port) + IDENTITY_PATH
            source, name = AppServiceIdentity(endpoint, spec.identity_header, self._ask_identity), "tokens"
        else:
            # The cloud's identity service is mostly link-local; the environment of this process names it.
            allowed, name = EgressPolicy(identity=identity_places(os.environ)), "tokens-environment"
        # Such tokens are fetched from there alone, and nothing else may be reached through this pool.
        self._identity_pool.policy = allowed
        # Sealed beside the snapshot, so that a gateway whose control plane is away goes on after a restart.
        return source, self._layout.snapshots / f"{name}-{spec.index}.sealed"

    def _use_tenant(self, bundle: Bundle) -> None:
        """The local issuer answers for its own tenant; for all others Entra, or what AZURE_AUTHORITY_HOST names."""
        self._tenant = bundle.tenant_id.lower()
        own = self._spec.url("http", self._spec.control_port)
        self._keys.tenants = {self._tenant: own} if self._tenant else {}

    async def _issuer_document(self, url: str) -> bytes:
        pool = self._issuer_pool if self._is_own_issuer(url, _ISSUER_DOCUMENTS) else self._pool
        headers = Headers.of(((b"accept", b"application/json"),))
        answer = await fetch(
            pool, "GET", url, headers, timeout_s=10.0, max_bytes=1 << 20, follow_redirects=pool is self._pool
        )
        if answer.status != 200:
            raise UpstreamRefusal(f"the issuer answered {answer.status}")
        return answer.body

    async def _provider_token(self, url: str, form: bytes) -> tuple[int, bytes]:
        """A token of a credential provider, our own issuer among them."""
        pool = self._issuer_pool if self._is_own_issuer(url, _ISSUER_TOKENS) else self._pool
        headers = Headers.of(
            ((b"accept", b"application/json"), (b"content-type", b"application/x-www-form-urlencoded"))
        )
        answer = await fetch(pool, "POST", url, headers, form, timeout_s=10.0, max_bytes=1 << 20)
        return answer.status, answer.body

    def _is_own_issuer(self, url: str, documents: frozenset[str]) -> bool:
        try:
            parts = parse_url(url)
        except ValueError:
            return False
        spec = self._spec
        inside, _, document = parts.path.removeprefix("/").partition("/")
        return (
            parts.host in (spec.local_host, "localhost")
            and parts.port in (spec.control_port, spec.control_tls_port)
            and bool(self._tenant)
            and inside.lower() == self._tenant
            and document in documents
        )

    async def _ask_identity(
        self, method: str, url: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes = b""
    ) -> HttpAnswer:
        pool = self._identity_pool
        answer = await fetch(pool, method, url, Headers.of(headers), body, timeout_s=10.0, max_bytes=1 << 20)
        return HttpAnswer(answer.status, answer.body)

    async def _follow(
        self,
        proxy: Proxy,
        spool: SpoolWriter,
        tokens: ManagedTokens,
        metrics: SpooledMetrics,
        services: GatewayServices,
    ) -> None:
        """Put each published snapshot in force, within a fraction of a second."""
        while True:
            await asyncio.sleep(POLL_S)
            # By the file, not by its version: after a restart control publishes the same revision with other ports.
            stamp = snapshot_stamp(self._path)
            if stamp == self._seen:
                continue
            self._seen = stamp
            try:
                bundle = bundle_file.load(self._path, self._signing)
            except (Refusal, FileNotFoundError) as error:
                log.error("the published snapshot is not taken: %s", error)
                continue
            runtime = await self._built_aside(bundle)
            if runtime is not None:
                self._use_tenant(bundle)
                if await self._https.use(bundle.client_cas) and self._covering is not None:
                    self._covering.again()
                policy = self._egress(bundle.egress_private)
                if policy != self._pool.policy:
                    # What is idle was judged by the old one.
                    self._pool.policy = policy
                    self._pool.close()
                    if services.shared.cache is not None:
                        services.shared.cache.renew()
                if bundle.local_identity != proxy.runtime.bundle.local_identity:
                    tokens.use(*self._identity(bundle))
                proxy.swap(runtime, recorder(spool, runtime, self._lost, self._secrets.master_key))
                metrics.follow(bundle)
                self._acknowledge(bundle, stamp)
                self._keep_good(stamp)
                self._collect_less()
                say(Said(snapshot_ns=stamp[0]))

    def _acknowledge(self, bundle: Bundle, stamp: tuple[int, int]) -> None:
        try:
            self._acknowledgement.say(InForce(bundle.version, stamp[0]))
        except OSError as error:
            # Who changed it waits in vain for a moment, and calls are served by it all the same.
            log.error("revision %d is in force; that could not be written: %s", bundle.version, error)

    async def _built_aside(self, bundle: Bundle) -> Runtime | None:
        """Compile in a thread that ends: calls go on meanwhile."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Runtime | None] = loop.create_future()

        def work() -> None:
            try:
                runtime = self._build(bundle)
            except Exception as error:  # noqa: BLE001 - the old snapshot stays in force, the error is told
                loop.call_soon_threadsafe(done.set_exception, error)
            else:
                loop.call_soon_threadsafe(done.set_result, runtime)

        threading.Thread(target=work, name="build", daemon=True).start()
        try:
            return await done
        except Exception:
            log.exception("revision %d could not be built; the one before stays in force", bundle.version)
            return None

    async def _keep_house(
        self, proxy: Proxy, server: Server, spool: SpoolWriter, tls: Certificate, metrics: SpooledMetrics
    ) -> None:
        """What must be looked at now and then, of all calls together: cheaper than a timer for each."""
        beat = 0
        room = True
        while True:
            if not self._stop.is_set():
                self._held.beat()
            await asyncio.sleep(0.1)
            beat += 1
            spool.prepare()
            self._counting.beat()
            self._upstream.sweep()
            self._watched.sweep(proxy.runtime)
            if beat % 10 == 0:
                server.sweep()
                metrics.flush()
                self._pool.sweep()
                self._identity_pool.sweep()
                self._issuer_pool.sweep()
                tls.reload()
                # A closed connection and its last call may be a circle, and a body hangs on it: of large ones the
                # collector's own counting (of objects) would let hundreds wait.
                gc.collect(2 if beat % FULL_BEATS == 0 else 1)
                if beat % FULL_BEATS == 0 and proxy.traces is not None:
                    proxy.traces.sweep()
                if spool.has_room() != room:
                    room = not room
                    full = "the log is full: calls are refused until it has been stored or the disk has room"
                    log.error(full if not room else "the log has room again")
                    # Also where no disk is needed to hear it.
                    say(Said(warning=full if not room else "the log has room again"))
                self._lost.tell(proxy.runtime.bundle)

    @staticmethod
    def _collect_less() -> None:
        """What a snapshot is made of lives until the next one: the collector need not walk it again and again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 1_000)
