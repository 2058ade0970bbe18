"""Which counters a gateway process limits by: its own, with a journal, or those on a Valkey server that several share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from aforo.app.spec import Spec
from aforo.egress.policy import EgressPolicy
from aforo.egress.valkey import Valkey
from aforo.gateway.counter_journal import CounterJournal
from aforo.gateway.counters import MemoryCounters
from aforo.gateway.valkey_counters import ValkeyCounters
from aforo.gateway.valkey_leases import ValkeyLeases
from aforo.model.valkey_address import read_address
from aforo.policy.services import Counters, Leases

log = logging.getLogger("aforo.gateway")

# A server that does not answer holds up the calls that have a limit: not longer than this, and once.
TIMEOUT_S = 0.5
# While it is away limits are not exact: it is looked for more often than other servers.
BACKOFF_S = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
OPEN = "Each gateway counts by itself meanwhile"
CLOSED = "Calls that have a limit are refused with 503 meanwhile"


class AnyAddress(EgressPolicy):
    """The counters' server is named by whoever starts the system, not by a resource: no list has to allow it."""

    def check(self, address: str, port: int) -> None:  # noqa: ARG002
        return

    def check_socket(self, path: str) -> None:  # noqa: ARG002
        return


class Counting:
    """The counters of one process. `beat` about once a second, `close` at its end."""

    def __init__(self, spec: Spec, namespace: str, ca_file: Path) -> None:
        self.counters: Counters
        self.leases: Leases | None = None
        self._beats: list[Callable[[], None]] = []
        self._server: ValkeyCounters | None = None
        self._journal: CounterJournal | None = None
        self._own: MemoryCounters | None = None
        if spec.counters:
            policy = AnyAddress()
            server = Valkey(
                read_address(spec.counters),
                lambda: policy,
                ca_file,
                name="the counters' server",
                timeout_s=TIMEOUT_S,
                backoff_s=BACKOFF_S,
                meanwhile=CLOSED if spec.counters_closed else OPEN,
            )
            shared = self._server = ValkeyCounters(server, namespace, closed=spec.counters_closed)
            leases = ValkeyLeases(server, namespace, closed=spec.counters_closed)
            shared.begin()
            self.counters, self.leases = shared, leases
            self._beats += (shared.beat, leases.beat)
            return
        own = self.counters = MemoryCounters(namespace=namespace)
        folder = spec.layout.counters
        folder.mkdir(mode=0o700, exist_ok=True)
        # Two processes that take each other's place have a file each.
        files = [folder / f"gateway-{spec.index}{slot}.journal" for slot in ("", ".1")]
        journal = self._journal = CounterJournal(files[spec.slot], files[1 - spec.slot])
        journal.restore(own)
        self._own = own
        self._beats.append(lambda: journal.beat(own))

    def beat(self) -> None:
        for beat in self._beats:
            beat()

    def hand_over(self) -> None:
        """This process ends: what goes on where it was is to know what it has counted."""
        if self._journal is not None and self._own is not None:
            self._journal.hand_over(self._own)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()
        if self._journal is not None:
            self._journal.close()
