"""The backends that a gateway process watches: their probes, and what is told of those that are taken out."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from aforo.app import held_backends
from aforo.app.held_backends import HeldBackend
from aforo.gateway.probes import Probes
from aforo.gateway.upstream import Upstream
from aforo.identity.seal import subkey
from aforo.policy.services import Metrics, Tokens
from aforo.snapshot.runtime import Runtime

log = logging.getLogger("aforo.gateway")

# Of a derived key: changed, every session would lose its backend.
AFFINITY_PURPOSE = "session-affinity"


class WatchedBackends:
    """Of one gateway process."""

    def __init__(self, folder: Path, index: int, upstream: Upstream, master_key: bytes) -> None:
        self._folder = folder
        self._index = index
        self._upstream = upstream
        self._told = 0
        self._probes: Probes | None = None
        upstream.affinity_key = subkey(master_key, AFFINITY_PURPOSE)

    def probe_with(self, tokens: Tokens, metrics: Metrics) -> None:
        """From here on probes are sent."""
        self._probes = Probes(self._upstream, tokens, metrics)

    def sweep(self, runtime: Runtime) -> None:
        """To be called several times a second."""
        if self._probes is not None:
            self._probes.sweep(runtime)
        guards = self._upstream.guards
        if guards.changes == self._told:
            return
        self._told = guards.changes
        now = time.time()
        held = [
            HeldBackend(self._index, h.backend_id, h.why, h.rule, now + h.left_s if h.rule else 0.0)
            for h in guards.held(time.perf_counter())
        ]
        try:
            held_backends.say(self._folder, self._index, held)
        except OSError as error:
            log.warning("which backends are taken out could not be written down: %s", error)

    async def close(self) -> None:
        """This process calls nobody any more."""
        if self._probes is not None:
            await self._probes.close()
        held_backends.withdraw(self._folder, self._index)
