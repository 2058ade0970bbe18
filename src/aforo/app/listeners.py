"""Listening sockets: opened by the supervisor, handed to the processes. A port in use is refused in one sentence."""

from __future__ import annotations

import ipaddress
import socket

from aforo.errors import Conflict


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
        sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if count > 1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            for opened in sockets:
                opened.close()
            raise Conflict(
                f"{what}: {host}:{port} cannot be listened on ({error.strerror})", code="PortInUse"
            ) from error
        port = sock.getsockname()[1]
        sock.listen(2048)
        sock.setblocking(False)
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
