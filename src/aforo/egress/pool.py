"""Connections to other servers, kept alive and handed out again. What is connected out of
here has been judged (policy.py); the Kafka client, which connects by itself, is judged in gateway/kafka.py."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from aforo.egress.http1 import ClientConnection
from aforo.egress.policy import EgressPolicy
from aforo.egress.resolve import Resolver
from aforo.egress.tls import Identity, client_context
from aforo.egress.tunnel import tunnel
from aforo.errors import Timeout, Upstream

CONNECT_TIMEOUT_S = 10.0
# Below the idle time-outs of the servers that are met in the field (nginx 75 s, Azure's load balancer 240 s).
IDLE_S = 55.0
MAX_IDLE = 256


class Proxy(NamedTuple):
    """A proxy that is spoken to over HTTP. `authorization` is the value of `Proxy-Authorization`, a secret."""

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


class Way(NamedTuple):
    """How a connection is made where it is not made plainly: the client certificate, the proxy in between."""

    identity: Identity | None = None
    proxy: Proxy | None = None


class Origin(NamedTuple):
    """Where a connection goes, how its certificate is checked, and the way there (None: straight)."""

    scheme: str
    host: str
    port: int
    validate_chain: bool = True
    validate_name: bool = True
    way: Way | None = None


class Pool:
    """Idle connections by origin, last in first out, so that few stay warm and the rest grow old."""

    def __init__(self, policy: EgressPolicy, ca_file: Path | None = None) -> None:
        self.policy = policy
        self._ca_file = ca_file
        self._idle: dict[Origin, deque[ClientConnection]] = {}
        self._resolver = Resolver()
        self._now = time.monotonic()  # as of the last sweep: near enough for idle connections

    def take(self, origin: Origin) -> ClientConnection | None:
        """An idle connection, at once; None when one must be opened."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                return connection
        return None

    async def judge(self, host: str, port: int) -> None:
        """Denied unless every address of the host may be connected to: for a library that connects by itself."""
        for address in await self._resolver.resolve(host):
            self.policy.check(address, port)

    async def connect(self, origin: Origin) -> ClientConnection:
        """A new connection; Denied, Upstream or Timeout say why there is none."""
        # In a task of its own: a call that is stepped by hand may not use asyncio's time-outs.
        return await asyncio.get_running_loop().create_task(self._connect(origin))

    async def _connect(self, origin: Origin) -> ClientConnection:
        way = origin.way
        proxy = way.proxy if way is not None else None
        try:
            addresses = await self._resolver.resolve(origin.host)
        except Upstream:
            if proxy is None:
                raise
            # A name that only the proxy knows is the proxy's to judge.
            addresses = []
        for address in addresses:
            self.policy.check(address, origin.port)
        where = f"{origin.host}:{origin.port}"
        if proxy is not None:
            addresses = await self._resolver.resolve(proxy.host)
            for address in addresses:
                self.policy.check(address, proxy.port)
            where += f" over the proxy {proxy.host}:{proxy.port}"
        context = None
        if origin.scheme == "https":
            context = client_context(
                self._ca_file,
                validate_chain=origin.validate_chain,
                validate_name=origin.validate_name,
                identity=way.identity if way is not None else None,
            )
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._open(origin, proxy, address, context)
            except (OSError, TimeoutError) as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise Timeout(f"no connection to {where} within {CONNECT_TIMEOUT_S:g} s") from failure
        raise Upstream(f"no connection to {where}: {failure}") from failure

    async def _open(
        self, origin: Origin, proxy: Proxy | None, address: str, context: ssl.SSLContext | None
    ) -> ClientConnection:
        """The address is given, not the name: what was judged is what is connected."""
        loop = asyncio.get_running_loop()
        made = ClientConnection(origin, self._put_back)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if proxy is not None and context is not None:
                transport = await tunnel(address, proxy.port, origin.host, origin.port, proxy.authorization)
                try:
                    secure = await loop.start_tls(transport, made, context, server_hostname=origin.host)
                except BaseException:
                    transport.abort()
                    raise
                if secure is None:
                    raise ConnectionResetError("the proxy closed the connection")
                made.connection_made(secure)
                return made
            await loop.create_connection(
                lambda: made,
                address,
                origin.port if proxy is None else proxy.port,
                ssl=context,
                server_hostname=origin.host if context is not None else None,
            )
        return made

    def _put_back(self, connection: ClientConnection) -> None:
        origin = connection.origin
        idle = self._idle.get(origin)  # type: ignore[call-overload]
        if idle is None:
            assert isinstance(origin, Origin)
            idle = self._idle[origin] = deque()
        if len(idle) >= MAX_IDLE:
            connection.close()
            return
        connection.idle_since = self._now
        idle.append(connection)

    def sweep(self) -> None:
        """Close what has been idle too long; call it about once a second."""
        self._now = time.monotonic()
        oldest = self._now - IDLE_S
        for origin, idle in list(self._idle.items()):
            while idle and (idle[0].idle_since < oldest or not idle[0].usable):
                idle.popleft().close()
            if not idle:
                del self._idle[origin]

    def close(self) -> None:
        """Close all idle connections."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
