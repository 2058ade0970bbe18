"""Names to addresses, remembered for a short while. It judges nothing: policy.py does."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time

from aforo.errors import Upstream

TTL_S = 30.0
MAX_NAMES = 1024


class Resolver:
    """`resolve` gives addresses in the order of the operating system; literals are returned as they are."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, list[str]]] = {}

    async def resolve(self, host: str) -> list[str]:
        """Addresses of a host; Upstream when it has none."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        known = self._known.get(host)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        # UnicodeError: no host can be called that (a label of more than 63 bytes, nothing between two dots).
        except (OSError, UnicodeError) as error:
            raise Upstream(f"the name {host} cannot be resolved: {error}", code="NameNotResolved") from error
        addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
        if len(self._known) >= MAX_NAMES:
            self._known.clear()
        self._known[host] = (time.monotonic() + TTL_S, addresses)
        return addresses
