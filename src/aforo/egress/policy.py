"""What may be reached from inside: judged on the address that is really connected. It opens nothing itself.

Link-local addresses (the cloud's metadata service among them), Azure's host address and the product's own control
ports are always refused; loopback and private ranges only where the operator lists them.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field

from aforo.errors import Denied, Invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


# The machine's host as Azure shows it to its guests ("wire server"): public by number, reachable from inside alone.
_AZURE_HOST = ipaddress.ip_address("168.63.129.16")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")
# Private by their own documents, but not in Python's tables of what is not global.
_LOCAL_USE = (ipaddress.IPv6Network("64:ff9b:1::/48"), ipaddress.IPv6Network("fec0::/10"))


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """`allowed` lists private networks, `allowed_ports` single (address, port) pairs of private hosts;
    `own_ports` are ports of this system, at any address of this machine, that nothing may be sent to."""

    allowed: tuple[Network, ...] = ()
    allowed_ports: frozenset[tuple[str, int]] = frozenset()
    own_ports: frozenset[int] = field(default_factory=frozenset)
    # The cloud's own identity service, where the environment of the process names it: (address, port).
    identity: frozenset[tuple[str, int]] = field(default_factory=frozenset)
    # Paths of Unix sockets.
    allowed_sockets: frozenset[str] = field(default_factory=frozenset)

    def check_socket(self, path: str) -> None:
        """Denied unless this Unix socket is listed: nothing else on this machine may be spoken to."""
        if path not in self.allowed_sockets:
            raise Denied(
                f"the socket {path} needs leave: list `unix:{path}` under `privateEgress` of the service"
            )

    def check(self, address: str, port: int) -> None:
        """Denied when this address may not be connected to."""
        if (address, port) in self.identity:
            return
        ip = _plain(ipaddress.ip_address(address))
        if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip == _AZURE_HOST:
            raise Denied(f"outbound connections to {ip} are never allowed (link-local or no host address)")
        if port in self.own_ports and _is_here(ip):
            raise Denied(f"outbound connections to the control plane itself ({ip}:{port}) are never allowed")
        local = ip.version == 6 and any(ip in network for network in _LOCAL_USE)
        if (ip.is_global and not local) or (str(ip), port) in self.allowed_ports:
            return
        if any(ip in network for network in self.allowed if network.version == ip.version):
            return
        raise Denied(
            f"outbound connections to the private address {ip} need leave: list it (or its network) under "
            "`privateEgress` of the service"
        )


def parse(entries: tuple[str, ...], own_ports: frozenset[int] = frozenset()) -> EgressPolicy:
    """A policy of entries like `10.0.0.0/8`, `192.168.1.5`, `127.0.0.1:8082` or `unix:/run/valkey.sock`; Invalid names a
    bad one."""
    networks: list[Network] = []
    ports: set[tuple[str, int]] = set()
    sockets: set[str] = set()
    for entry in entries:
        if entry.startswith("unix:/"):
            sockets.add(entry.removeprefix("unix:"))
            continue
        try:
            host, sep, port = entry.rpartition(":")
            if sep and "/" not in entry and (entry.count(":") == 1 or host.startswith("[")):
                ports.add((str(ipaddress.ip_address(host.strip("[]"))), int(port)))
            else:
                networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError as error:
            raise Invalid(f"{entry!r} is not a network, an address or address:port ({error})") from error
    return EgressPolicy(tuple(networks), frozenset(ports), own_ports, allowed_sockets=frozenset(sockets))


def _is_here(ip: Address) -> bool:
    """Whether an address is one of this machine's own: only such a one can be bound. Nothing is sent."""
    if ip.is_loopback:
        return True
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(ip), 0))
        except OSError:
            return False
    return True


def _plain(ip: Address) -> Address:
    """An IPv4 address in IPv6 clothes is judged as the IPv4 address that it is."""
    if not isinstance(ip, ipaddress.IPv6Address):
        return ip
    inner = ip.ipv4_mapped or ip.sixtofour
    if inner is not None:
        return inner
    embedded = ip in _NAT64 or ip in _TRANSLATED or (ip in _IPV4_COMPATIBLE and int(ip) > 0xFFFF)
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if embedded else ip
