"""A Valkey or Redis server as the rest of the product uses it: one connection that comes back by itself.

While the server is away every command is refused at once, and nobody waits but for the first attempt. It knows no key
and no meaning; scripts run atomically on the server (`run`). The address is judged (policy.py) at each connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aforo.egress.policy import EgressPolicy
from aforo.egress.resolve import Resolver
from aforo.egress.resp import Link, Then
from aforo.egress.tls import client_context
from aforo.errors import Refusal, Unavailable, Upstream
from aforo.model.valkey_address import ValkeyAddress

log = logging.getLogger("aforo.egress")

CONNECT_S: Final = 2.0
TIMEOUT_S: Final = 1.0
_BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
# A connection that ended sooner was none.
_SHORT_S: Final = 1.0
_MAX_EARLY: Final = 1_000
# A server that has changed its role, or is about to.
_MOVED_ON: Final = frozenset(("READONLY", "MASTERDOWN", "LOADING"))


class Script:
    """A script for the server (`EVAL`). `sha` is how it knows it."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Valkey:
    """One server. `policy` says what may be connected to, at the time; `name` is what the log calls it."""

    def __init__(
        self,
        address: ValkeyAddress,
        policy: Callable[[], EgressPolicy],
        ca_file: Path | None = None,
        *,
        name: str = "the external cache",
        timeout_s: float = TIMEOUT_S,
        backoff_s: tuple[float, ...] = _BACKOFF_S,
        meanwhile: str = "Calls go on without it",
    ) -> None:
        self._address = address
        self._policy = policy
        self._ca_file = ca_file
        self._name = f"{name} at {address.where}"
        self._timeout_s = timeout_s
        self._backoff_s = backoff_s
        self._meanwhile = meanwhile
        self._resolver = Resolver()
        self._link: Link | None = None
        self._up_since = 0.0
        self._early: list[tuple[tuple[bytes | str | int, ...], Then]] = []
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._told = False
        self._closed = False
        self._sent: set[str] = set()

    @property
    def is_up(self) -> bool:
        return self._link is not None

    def ask(self, command: tuple[bytes | str | int, ...], then: Then) -> None:
        """Have a command done. `then` is told its reply, or a refusal; at once while the server is away."""
        link = self._link
        if link is not None:
            link.ask(command, then)
        elif self._closed or self._failures or len(self._early) >= _MAX_EARLY:
            then(Unavailable(f"{self._name} is away"))
        else:
            self._early.append((command, then))
            self._connect_soon()

    def run(
        self,
        script: Script,
        keys: tuple[bytes | str, ...],
        arguments: tuple[bytes | str | int, ...],
        then: Then,
    ) -> None:
        """Run a script: nothing else happens on the server meanwhile. It is sent whole once with each connection, so that
        commands keep their order."""
        if script.sha not in self._sent:
            self._sent.add(script.sha)
            self.ask(("EVAL", script.text, len(keys), *keys, *arguments), then)
            return

        def seen(reply: Any) -> None:
            if type(reply) is Upstream and reply.code == "NOSCRIPT":
                self.ask(("EVAL", script.text, len(keys), *keys, *arguments), then)
            else:
                then(reply)

        self.ask(("EVALSHA", script.sha, len(keys), *keys, *arguments), seen)

    async def query(self, *command: bytes | str | int) -> Any:
        """The reply to a command; Unavailable or Upstream."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.ask(command, _settling(future))
        reply = await future
        if isinstance(reply, Refusal):
            raise reply
        return reply

    def renew(self) -> None:
        """Connect anew: the server that answers is no longer the right one."""
        if self._link is not None:
            self._resolver = Resolver()
            self._link.close("another server is to be found")

    async def close(self) -> None:
        """No more commands; those that wait are refused."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._refuse_early()
        if self._link is not None:
            self._link.close("it is not needed any more")
            await asyncio.sleep(0)  # in which the loop lets go of the socket

    # --- connecting ---------------------------------------------------------------------------------------------------------

    def _connect_soon(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._come_up())

    async def _come_up(self) -> None:
        while True:
            if self._failures:
                pause = self._backoff_s[min(self._failures, len(self._backoff_s)) - 1]
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - gateways should not come all at once
            try:
                async with asyncio.timeout(CONNECT_S):
                    link = await self._connected()
                break
            except Exception as error:
                if not isinstance(error, (Refusal, OSError)):
                    # Without the next attempt everybody who asks would wait for ever.
                    log.exception("bug: connecting to %s failed", self._name)
                self._failures += 1
                self._tell_away(_reason(error))
                self._refuse_early()
        self._task = None
        self._failures = 0
        self._up_since = asyncio.get_running_loop().time()
        self._link = link
        if self._told:
            self._told = False
            log.warning("%s can be reached again", self._name)
        early, self._early = self._early, []
        for command, then in early:
            link.ask(command, then)

    async def _connected(self) -> Link:
        address = self._address
        loop = asyncio.get_running_loop()
        link = Link(self._lost, self._timeout_s)
        if address.path:
            self._policy().check_socket(address.path)
            await loop.create_unix_connection(lambda: link, address.path)
        else:
            await self._connect_to_host(loop, link)
        try:
            await self._sign_in(link)
        except BaseException:
            link.close("signing in did not succeed")
            raise
        if not link.is_open:
            # It ended behind its last reply, and told nobody: it was not in use yet.
            raise ConnectionError("the server closed the connection")
        return link

    async def _connect_to_host(self, loop: asyncio.AbstractEventLoop, link: Link) -> None:
        """The address is given, not the name: what was judged is what is connected."""
        wanted = self._address
        context = client_context(self._ca_file, protocol="") if wanted.tls else None
        found = await self._resolver.resolve(wanted.host)
        for each in found:
            self._policy().check(each, wanted.port)
        failure: OSError = ConnectionError("no address")
        for each in found:
            try:
                transport, _ = await loop.create_connection(
                    lambda: link,
                    each,
                    wanted.port,
                    ssl=context,
                    server_hostname=(wanted.tls_name or wanted.host) if context is not None else None,
                )
            except OSError as error:
                failure = error
                continue
            raw = transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return
        raise failure

    async def _sign_in(self, link: Link) -> None:
        address = self._address
        commands: list[tuple[bytes | str | int, ...]] = []
        if address.password:
            commands.append(("AUTH", *((address.user,) if address.user else ()), address.password))
        if address.database:
            commands.append(("SELECT", address.database))
        # A server that still reads its data says so, and one that wants a password.
        commands.append(("PING",))
        loop = asyncio.get_running_loop()
        for command in commands:
            future: asyncio.Future[Any] = loop.create_future()
            link.ask(command, _settling(future))
            reply = await future
            if isinstance(reply, Upstream) and not (command == ("PING",) and reply.code == "NOPERM"):
                # Not its words: they may repeat what was sent.
                raise Upstream(f"the server refused {command[0]!s} ({reply.code})", code=reply.code)
            if isinstance(reply, Refusal) and not isinstance(reply, Upstream):
                raise reply

    # --- losing it --------------------------------------------------------------------------------------------------------------

    def _lost(self, link: Link, why: str) -> None:
        if link is not self._link:
            return
        self._link = None
        self._sent.clear()
        if self._closed:
            return
        if asyncio.get_running_loop().time() - self._up_since < _SHORT_S:
            self._failures = 1
            self._tell_away(why)
        self._connect_soon()

    def _tell_away(self, why: str) -> None:
        if not self._told:
            self._told = True
            log.warning("%s cannot be reached: %s. %s", self._name, why, self._meanwhile)

    def _refuse_early(self) -> None:
        early, self._early = self._early, []
        for _, then in early:
            then(Unavailable(f"{self._name} is away"))


def moved_on(reply: object) -> bool:
    """Whether a refusal says that another server has to be found (`renew`)."""
    return isinstance(reply, Upstream) and reply.code in _MOVED_ON


def _settling(future: asyncio.Future[Any]) -> Then:
    def settle(reply: Any) -> None:
        if not future.done():
            future.set_result(reply)

    return settle


def _reason(error: Exception) -> str:
    if isinstance(error, Refusal):
        return error.message
    return f"no connection within {CONNECT_S:g} s" if isinstance(error, TimeoutError) else str(error)
