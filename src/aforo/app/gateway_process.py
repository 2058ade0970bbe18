"""A gateway's process: snapshot in, calls served, records out. It works on without control once it has a snapshot."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from functools import partial
from urllib.parse import quote

import msgspec
import uvloop

from aforo.app.certificates import Certificate, certificate
from aforo.app.counting import Counting
from aforo.app.covering import Covering
from aforo.app.ending_threads import EndingThreads
from aforo.app.gateway_identity import GatewayIdentity
from aforo.app.heap import Heap
from aforo.app.held_loop import HeldLoop
from aforo.app.housekeeping import Housekeeping
from aforo.app.https_listener import HttpsListener
from aforo.app.in_force import Acknowledgement, InForce
from aforo.app.listeners import inherited
from aforo.app.recording import recorder
from aforo.app.spec import Said, Spec, Told, on_stop, say, snapshot_stamp
from aforo.app.watched_backends import WatchedBackends
from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.pool import Pool
from aforo.egress.valkey import Valkey
from aforo.errors import Refusal
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
from aforo.gateway.traces import Traces
from aforo.gateway.unserved import Unserved
from aforo.gateway.upstream import Upstream
from aforo.identity import debug_token
from aforo.identity.keys import Secrets
from aforo.identity.managed import ManagedTokens
from aforo.identity.seal import subkey
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
# How long a gateway waits at its start for what control publishes at the same time.
PATIENCE_S = 2.0
DRAIN_S = 30.0
# How long the events that are queued are sent after the last call.
EVENTS_S = 10.0
# How long it waits before it tries again to put in force what could not be for want of descriptors or disk.
AGAIN_S = 1.0


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
        self._room = True  # in the spool, as far as has been told
        self._seen = (0, 0)  # of the snapshot that is in force
        self._acknowledgement = Acknowledgement(self._layout.snapshots, spec.index)
        self._ca = self._layout.secrets / "ca.pem"
        self._pool = Pool(self._egress(()), self._ca)
        self._identity = GatewayIdentity(spec, self._pool, self._ca)
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
            source, path = self._identity.source(bundle)
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
            services.signing_keys = self._identity.keys
            services.authorizations = Connections(self._identity.provider_token, services)
            services.authorizations.use(runtime.authorizations)
            proxy.traces = Traces(self._layout.traces, subkey(self._secrets.master_key, debug_token.PURPOSE))
            services.events = Loggers(partial(self._sink, tokens))
            services.events.configure(runtime.loggers)
            metrics.follow(bundle)
            self._watched.probe_with(tokens, metrics)
            self._identity.use_tenant(bundle.tenant_id)
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
            house = self._housekeeping(proxy, server, spool, tls, metrics)
            housekeeping = asyncio.create_task(house.run())
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
            await self._identity.close()
            await services.authorizations.close()
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
                await self._take_up(stamp, proxy, spool, tokens, metrics, services)
            except (Refusal, FileNotFoundError) as error:
                log.error("the published snapshot is not taken: %s", error)
            except OSError as error:
                log.error("the published snapshot is not in force yet: %s", error)
                self._seen = (0, 0)
                await asyncio.sleep(AGAIN_S)
            except Exception:
                log.exception("bug: the published snapshot could not be taken")

    async def _take_up(
        self,
        stamp: tuple[int, int],
        proxy: Proxy,
        spool: SpoolWriter,
        tokens: ManagedTokens,
        metrics: SpooledMetrics,
        services: GatewayServices,
    ) -> None:
        """Put what is published in force, unless it does not compile."""
        bundle = bundle_file.load(self._path, self._signing)
        runtime = await self._built_aside(bundle)
        if runtime is None:
            return
        self._identity.use_tenant(bundle.tenant_id)
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
            tokens.use(*self._identity.source(bundle))
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

    def _housekeeping(
        self, proxy: Proxy, server: Server, spool: SpoolWriter, tls: Certificate, metrics: SpooledMetrics
    ) -> Housekeeping:
        def beat() -> None:
            if not self._stop.is_set():
                self._held.beat()

        def traces() -> None:
            if proxy.traces is not None:
                proxy.traces.sweep()

        return Housekeeping(
            often=(
                beat,
                spool.prepare,
                self._counting.beat,
                self._upstream.sweep,
                lambda: self._watched.sweep(proxy.runtime),
            ),
            each_second=(
                server.sweep,
                self._upstream.sweep_arriving,
                metrics.flush,
                self._pool.sweep,
                self._identity.sweep,
                tls.reload,
                # A closed connection and its last call may be a circle, and a body hangs on it: of large ones the
                # collector's own counting (of objects) would let hundreds wait.
                lambda: gc.collect(1),
                lambda: self._look_for_room(spool),
                lambda: self._lost.tell(proxy.runtime.bundle),
                Unserved(server, metrics, spool.folder.name).tell,
            ),
            # The garbage of long-lived connections too.
            seldom=(gc.collect, traces, Heap(server.room.most_held).sweep),
        )

    def _look_for_room(self, spool: SpoolWriter) -> None:
        """Tell it when the spool is full, and when it is no more."""
        if spool.has_room() == self._room:
            return
        self._room = not self._room
        full = "the log is full: calls are refused until it has been stored or the disk has room"
        log.error(full if not self._room else "the log has room again")
        # Also where no disk is needed to hear it.
        say(Said(warning=full if not self._room else "the log has room again"))

    @staticmethod
    def _collect_less() -> None:
        """What a snapshot is made of lives until the next one: the collector need not walk it again and again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 1_000)
