"""Whose address counts: the peer's, or the one that a trusted proxy says. It opens nothing."""

from __future__ import annotations

import ipaddress

from aforo.messages import Headers


class TrustedProxies:
    """Networks whose `X-Forwarded-For` and PROXY preamble are believed."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = [ipaddress.ip_network(n, strict=False) for n in networks]
        self.any = bool(networks)

    def client_ip(self, peer_ip: str, proxied_ip: str, headers: Headers) -> str:
        """The client's address: the last one of the chain that no trusted proxy vouches for.

        `proxied_ip` is what a trusted balancer's PROXY preamble said, "" when there was none.
        """
        if not self._networks or not self.trusts(peer_ip):
            return peer_ip
        if proxied_ip:
            peer_ip = proxied_ip
            if not self.trusts(peer_ip):
                return peer_ip
        forwarded = headers.joined(b"x-forwarded-for")
        if forwarded is None:
            return peer_ip
        chain = [_address(part) for part in forwarded.decode("latin-1").split(",")]
        for address in reversed(chain):
            if not address:
                return peer_ip
            if not self.trusts(address):
                return address
        return chain[0] or peer_ip

    def trusts(self, address: str) -> bool:
        """Whether what a peer with this address says of others is believed."""
        if not self._networks:
            return False
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped  # an IPv4 peer of a listener on `::`
        return any(ip in network for network in self._networks if network.version == ip.version)


def is_loopback(address: str) -> bool:
    """Whether it is this machine's own, in the form in which a socket gives it."""
    return address.startswith(("127.", "::ffff:127.")) or address == "::1"


def _address(part: str) -> str:
    """The address in one entry, without port or brackets; "" when there is none."""
    part = part.strip()
    if part.startswith("["):
        part = part[1:].partition("]")[0]
    elif part.count(":") == 1:
        part = part.partition(":")[0]
    try:
        return str(ipaddress.ip_address(part))
    except ValueError:
        return ""
