"""What policies get from this gateway: the adapters behind the ports of policy/services.py, in one object."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

from aforo.errors import Refusal, Unavailable
from aforo.gateway import outbound
from aforo.gateway.authorizations import Connections
from aforo.gateway.certificates import HeldCertificates
from aforo.gateway.events import Loggers, Sink
from aforo.gateway.external_cache import ExternalCache, ExternalCaches
from aforo.gateway.external_vectors import ExternalVectors
from aforo.gateway.metrics import NoMetrics
from aforo.gateway.owners import Owners
from aforo.gateway.signal import driven
from aforo.gateway.signing_keys import FetchedSigningKeys
from aforo.gateway.upstream import Upstream
from aforo.gateway.vectors import MemoryVectors
from aforo.model.valkey_address import ValkeyAddress
from aforo.policy.exchange import Exchange, PolicyFailure, ResponseState
from aforo.policy.services import (
    Cache,
    Counters,
    ForwardOptions,
    Leases,
    Metrics,
    OutboundRequest,
    SigningKeys,
    Tokens,
    VectorStore,
)
from aforo.policy.subject import Deployment
from aforo.snapshot.runtime import Runtime
from aforo.snapshot.snapshot import LoggerEntry

log = logging.getLogger("aforo.gateway")


class GatewayServices:
    """The `Services` port. One per process; `deployment` changes with the snapshot."""

    def __init__(
        self, deployment: Deployment, counters: Counters, cache: Cache, tokens: Tokens, upstream: Upstream
    ) -> None:
        self.deployment = deployment
        self.counters = counters
        self.cache = cache
        self.tokens = tokens
        self.upstream = upstream
        self.own_vectors: VectorStore = MemoryVectors()
        # Set by who composes the process; without, no issuer can be asked.
        self.signing_keys: SigningKeys = FetchedSigningKeys(_nowhere)
        self.authorizations = Connections(_post_nowhere, self)
        self.shared = ExternalCaches(_no_cache)
        self.metrics: Metrics = NoMetrics()
        self.certificates = HeldCertificates()
        self.events = Loggers(_no_sink)
        self.owners = Owners(None)
        self.under_way: dict[str, int] = {}
        self.leases: Leases | None = None  # where several processes share them
        self._runtime: Runtime | None = None
        self._beside: set[asyncio.Task[None]] = set()
        # No method of its own: each call would pay for another frame.
        self.forward = cast(Callable[[Exchange, ForwardOptions], Coroutine[Any, Any, None]], upstream.forward)

    def use(self, runtime: Runtime) -> None:
        """Another configuration is in force."""
        self.deployment = runtime.bundle.deployment
        self._runtime = runtime
        self.certificates.known = runtime.certificates
        self.events.configure(runtime.loggers)
        self.authorizations.use(runtime.authorizations)
        self.shared.use(runtime.external_cache)

    @property
    def external_cache(self) -> Cache | None:
        return self.shared.cache

    @property
    def vectors(self) -> VectorStore:
        """Azure has semantic caches in an external cache alone; here they are in that one where there is one."""
        cache = self.shared.cache
        return self.own_vectors if cache is None else ExternalVectors(cache)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(driven(work))
        self._beside.add(task)
        task.add_done_callback(self._beside_ended)

    def _beside_ended(self, task: asyncio.Task[None]) -> None:
        self._beside.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, (Refusal, PolicyFailure)):
            log.warning("what a policy began beside its call failed: %s", error)
        elif error is not None:
            log.error("bug: what a policy began beside its call failed", exc_info=error)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def together(
        self, branches: Sequence[Callable[[], Coroutine[Any, Any, None]]], *, first: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(driven(branch())) for branch in branches]
        when = asyncio.FIRST_COMPLETED if first else asyncio.FIRST_EXCEPTION
        try:
            await asyncio.wait(tasks, return_when=when)
        finally:
            for task in tasks:
                task.cancel()
        # What was given up must not write its variable any more.
        await asyncio.wait(tasks)
        failures = [e for t in tasks if not t.cancelled() and (e := t.exception()) is not None]
        if failures:
            raise failures[0]

    async def send(self, request: OutboundRequest) -> ResponseState:
        backends = self.upstream.backends(self._runtime) if request.backend_id and self._runtime else None
        return await outbound.send(self.upstream.pool, request, backends, self.tokens, self.metrics)


def _no_cache(name: str, _address: ValkeyAddress) -> ExternalCache:
    raise ValueError(f"this gateway has nothing that connects to {name!r}")


def _no_sink(entry: LoggerEntry) -> Sink:
    raise Unavailable(f"this gateway has nothing that takes events for {entry.id!r}")


async def _post_nowhere(_url: str, _form: bytes) -> tuple[int, bytes]:
    raise Unavailable("this gateway asks no credential provider")


async def _nowhere(_url: str) -> bytes:
    raise Unavailable("this gateway asks no issuer")
