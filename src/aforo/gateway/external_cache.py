"""Caches on a Valkey or Redis server that all gateways share. What goes there is sealed, its keys are digests: whoever
reads the server learns nothing, and what he writes there is no value of ours. While it is away nothing is found.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from aforo.egress.valkey import Script, Valkey, moved_on
from aforo.errors import Invalid, Refusal, Upstream
from aforo.gateway.signal import Reply
from aforo.identity.seal import Sealer, subkey
from aforo.model.valkey_address import ValkeyAddress, read_address
from aforo.snapshot.snapshot import CacheEntry

log = logging.getLogger("aforo.gateway")

_PREFIX: Final = "aforo:cache:"
_TOLD_EVERY_S: Final = 60.0


class Secrecy:
    """How keys and values look outside. `master` is the installation's key."""

    def __init__(self, master: bytes) -> None:
        self._names = subkey(master, "external-cache-names")
        self._sealer = Sealer(subkey(master, "external-cache"))

    def name(self, key: str) -> str:
        digest = hmac.digest(self._names, key.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return _PREFIX + digest.hex()[:40]

    def seal(self, value: bytes, name: str) -> bytes:
        return self._sealer.seal(value, name.encode())

    def open(self, sealed: Any, name: str) -> bytes | None:
        """None for what is no value of ours."""
        if not isinstance(sealed, bytes):
            return None
        try:
            return self._sealer.open(sealed, name.encode())
        except Invalid:
            return None


class ExternalCache:
    """The `Cache` port over a server. Values are stored behind the call, in the order in which calls store them."""

    def __init__(self, server: Valkey, secrecy: Secrecy) -> None:
        self._server = server
        self.secrecy = secrecy
        self._told: dict[str, float] = {}

    async def get(self, key: str) -> bytes | None:
        name = self.secrecy.name(key)
        return self.secrecy.open(await self.ask("GET", name), name)

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        name = self.secrecy.name(key)
        if ttl_s <= 0:
            self._server.ask(("DEL", name), self._stored)
            return
        sealed = self.secrecy.seal(value, name)
        self._server.ask(("SET", name, sealed, "PX", max(1, int(ttl_s * 1000))), self._stored)

    async def remove(self, key: str) -> None:
        await self.ask("DEL", self.secrecy.name(key))

    def run(self, script: Script, keys: tuple[str, ...], arguments: tuple[bytes | str | int, ...]) -> None:
        """Have a script run behind the call."""
        self._server.run(script, keys, arguments, self._stored)

    async def close(self) -> None:
        await self._server.close()

    def renew(self) -> None:
        """What may be connected to has changed."""
        self._server.renew()

    async def ask(self, *command: bytes | str | int) -> Any:
        """The reply to a command; Unavailable or Upstream."""
        reply = Reply()
        self._server.ask(command, reply.take)
        await reply
        if isinstance(reply.value, Refusal):
            self._stored(reply.value)
            raise reply.value
        return reply.value

    def _stored(self, reply: Any) -> None:
        """A server that is away tells the log itself; what one that is there refuses is told here, now and then."""
        if not isinstance(reply, Upstream):
            return
        if moved_on(reply):
            self._server.renew()
        now = time.monotonic()
        if now >= self._told.get(reply.code, 0.0):
            self._told[reply.code] = now + _TOLD_EVERY_S
            log.warning("the external cache does not do what it is asked: %s", reply.message)


class ExternalCaches:
    """The cache of the configuration in force; `connect` makes it. Nothing is connected before the first use."""

    def __init__(self, connect: Callable[[str, ValkeyAddress], ExternalCache]) -> None:
        self._connect = connect
        self._entry: CacheEntry | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self.cache: ExternalCache | None = None

    def use(self, entry: CacheEntry | None) -> None:
        """A cache that is as it was keeps its connection."""
        if entry == self._entry:
            return
        self._entry = entry
        before, self.cache = self.cache, None
        if before is not None:
            leaving = asyncio.get_running_loop().create_task(before.close())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        if entry is None:
            return
        try:
            self.cache = self._connect(entry.id, read_address(entry.connection))
        except ValueError as error:
            log.error("the external cache %r cannot be used: %s", entry.id, error)

    async def close(self) -> None:
        self.use(None)
        if self._leaving:
            await asyncio.wait(self._leaving)
