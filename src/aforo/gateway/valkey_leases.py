"""Places of `limit-concurrency` that workers and machines share: each is a lease on a Valkey server, renewed while its call
lasts. A worker that dies frees its places within `LEASE_S`. While the server is away each process counts its own.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from typing import Any, Final

from aforo.egress.valkey import Valkey
from aforo.errors import Refusal
from aforo.gateway import valkey_scripts as scripts
from aforo.gateway.signal import Reply
from aforo.gateway.valkey_counters import unchecked

LEASE_S: Final = 15.0
RENEW_S: Final = 5.0


class ValkeyLeases:
    """The `Leases` port over a server. `namespace` keeps services apart; `closed`: who is limited is refused while the
    server is away."""

    def __init__(
        self, server: Valkey, namespace: str, *, closed: bool = False, lease_s: float = LEASE_S
    ) -> None:
        self._server = server
        self._namespace = hashlib.blake2b(namespace.encode(), digest_size=32).digest()
        self._closed = closed
        self._lease_us = int(lease_s * 1e6)
        self._ids = f"{os.getpid():x}-{os.urandom(6).hex()}-"
        self._next = 0
        self._held: dict[str, set[str]] = {}  # the server's key -> our places
        self._renewed = time.monotonic()

    async def enter(self, key: str, most: int) -> Callable[[], None] | None:
        """A place under the key, given back by calling what comes; None where there is none."""
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, key=self._namespace)
        name = "aforo:lease:" + digest.hexdigest()
        self._next += 1
        place = f"{self._ids}{self._next:x}"
        # Ours from here on: a call that is given up while it waits gives it back all the same.
        mine = self._held.setdefault(name, set())
        mine.add(place)
        reply = Reply()
        self._server.run(scripts.ENTER, (name,), (-1, most, self._lease_us, place), reply.take)
        try:
            await reply
        except BaseException:
            self._leave(name, place)
            raise
        if isinstance(reply.value, Refusal):
            if self._closed:
                self._leave(name, place)
                raise unchecked()
            entered = len(mine) <= most
        else:
            entered = bool(reply.value)
        if not entered:
            self._leave(name, place)
            return None
        return lambda: self._leave(name, place)

    def beat(self) -> None:
        """To be called about once a second."""
        now = time.monotonic()
        if self._held and now - self._renewed >= min(RENEW_S, self._lease_us / 3e6):
            self._renewed = now
            if not self._server.is_up:
                return
            for name, places in self._held.items():
                # Also those of the time when the server was away: from here on they count for all.
                self._server.run(scripts.RENEW, (name,), (-1, self._lease_us, *places), _ignored)

    def _leave(self, name: str, place: str) -> None:
        mine = self._held.get(name)
        if mine is None or place not in mine:
            return
        mine.remove(place)
        if not mine:
            del self._held[name]
        if self._server.is_up:
            self._server.ask(("ZREM", name, place), _ignored)


def _ignored(_reply: Any) -> None:
    return
