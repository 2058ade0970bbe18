"""Backends that are asked now and then whether they live, over the ways and with the credentials of calls.

A backend without `healthProbe` is never asked. docs/decisions/0133-backends-taken-out.md.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time

from aforo.egress.fetch import fetch
from aforo.errors import Refusal
from aforo.gateway.backends import Backend, Backends
from aforo.gateway.breakers import Guard
from aforo.gateway.credentials import add_headers, add_query
from aforo.gateway.metrics import NAMESPACE
from aforo.gateway.upstream import Upstream
from aforo.messages import Headers
from aforo.policy.services import Metrics, Tokens
from aforo.snapshot.runtime import Runtime
from aforo.snapshot.snapshot import ProbePlan

log = logging.getLogger("aforo.gateway")

_MAX_BYTES = 1 << 20
# Of the interval: gateways that were started together do not ask together.
_SPREAD = 0.1
_NO_IDENTITY = Headers.of(((b"user-agent", b"aforo-probe"),))


class Probes:
    """One per process. `sweep` is called several times a second."""

    def __init__(self, upstream: Upstream, tokens: Tokens, metrics: Metrics) -> None:
        self._upstream = upstream
        self._tokens = tokens
        self._metrics = metrics
        self._due: dict[Guard, float] = {}
        self._under_way: dict[Guard, asyncio.Task[None]] = {}

    def sweep(self, runtime: Runtime) -> None:
        """Begin the probes that are due under this configuration."""
        backends = self._upstream.backends(runtime)
        now = time.perf_counter()
        probed = [g for g in self._upstream.guards.all() if g.probed is not None]
        if len(self._due) > len(probed):
            self._due = {guard: self._due[guard] for guard in probed if guard in self._due}
        for guard in probed:
            assert guard.probed is not None
            if now < self._due.get(guard, 0.0) or guard in self._under_way:
                continue
            spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - spreads load
            self._due[guard] = now + guard.probed.plan.interval_s * spread
            task = asyncio.get_running_loop().create_task(self._probe(guard, guard.probed.plan, backends))
            self._under_way[guard] = task
            task.add_done_callback(lambda _, guard=guard: self._under_way.pop(guard, None))  # type: ignore[misc]

    async def close(self) -> None:
        """No probe goes on."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _probe(self, guard: Guard, plan: ProbePlan, backends: Backends) -> None:
        try:
            backend = backends.single(guard.entry)
            headers = await add_headers(_NO_IDENTITY, guard.entry, self._tokens)
        except Refusal as refusal:
            # Nothing of it is the backend's doing.
            log.warning("backend %r cannot be probed: %s", guard.backend_id, refusal)
            return
        try:
            status = await self._ask(backend, plan, headers)
        except Refusal as refusal:
            good, cause = False, refusal.message
        except Exception:
            log.exception("bug: the probe of backend %r failed", guard.backend_id)
            return
        else:
            good = any(low <= status <= high for low, high in plan.status_ranges)
            cause = str(status)
        if guard.heard(good=good):
            became = "let in again" if good else "taken out"
            log.warning("backend %r is %s by its probe: %s", guard.backend_id, became, cause)
            dimensions = {"Backend ID": guard.backend_id, "Healthy": str(good).lower()}
            self._metrics.emit(NAMESPACE, "Backend Health Changes", 1.0, dimensions)

    async def _ask(self, backend: Backend, plan: ProbePlan, headers: Headers) -> int:
        path, _, query = plan.path.partition("?")
        query = "&".join(part for part in (backend.query, query) if part)
        if backend.entry is not None and backend.entry.query:
            query, _ = add_query(query, backend.entry)
        origin = backend.origin
        answer = await fetch(
            self._upstream.pool,
            "GET",
            f"{backend.prefix}{backend.base_path}{path}" + (f"?{query}" if query else ""),
            headers,
            timeout_s=plan.timeout_s,
            max_bytes=_MAX_BYTES,
            validate_chain=origin.validate_chain,
            validate_name=origin.validate_name,
            way=origin.way,
        )
        return answer.status
