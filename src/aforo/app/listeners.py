"""Listening sockets: opened by the supervisor, handed to the processes. A port in use is refused in one sentence."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from pathlib import Path

from aforo.errors import Conflict, Invalid
from aforo.identity.ca import TlsFiles


def probe(host: str, port: int, what: str) -> None:
    """Conflict when somebody listens on that port: with SO_REUSEPORT two systems would share it unnoticed."""
    if not port:
        return
    with socket.socket(_family(host), socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise Conflict(
                f"{what}: {host}:{port} cannot be listened on ({error.strerror}); another --{what}-port, or 0 for a free one",
                code="PortInUse",
            ) from error


def listening(host: str, port: int, what: str, count: int = 1) -> list[socket.socket]:
    """`count` sockets on one port, shared by the kernel when there are several."""
    probe(host, port, what)
    sockets: list[socket.socket] = []
    for _ in range(count):
        sock = socket.socket(_family(host), socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if count > 1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise Conflict(
                f"{what}: {host}:{port} cannot be listened on ({error.strerror})", code="PortInUse"
            ) from error
        port = sock.getsockname()[1]
        sock.listen(2048)
        sock.setblocking(False)
        sockets.append(sock)
    return sockets


def inherited(descriptor: int) -> socket.socket:
    """The listening socket of a descriptor that the supervisor passed on."""
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    return sock


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Certificate:
    """The server certificate of all https listeners: the operator's, or the local CA's leaf.

    `reload` takes up changed files without dropping a call: handshakes from then on use them.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._stamp = self._load()

    def _load(self) -> tuple[float, float]:
        stamp = (self._chain.stat().st_mtime, self._key.stat().st_mtime)
        try:
            self.context.load_cert_chain(self._chain, self._key)
        except (ssl.SSLError, OSError) as error:
            raise Invalid(f"{self._chain} and {self._key} are no certificate and its key: {error}") from error
        return stamp

    def reload(self) -> bool:
        """Whether the files had changed; a pair that does not load leaves the old one in force."""
        try:
            if (self._chain.stat().st_mtime, self._key.stat().st_mtime) == self._stamp:
                return False
            self._stamp = self._load()
        except (OSError, Invalid):
            return False
        return True


def certificate(chain: str, key: str, local: TlsFiles) -> Certificate:
    """The operator's certificate when there is one, else the local one."""
    if chain and key:
        return Certificate(Path(chain), Path(key))
    return Certificate(local.certificate, local.key)
