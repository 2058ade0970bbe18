"""Listening sockets: refused in one sentence when the port is taken, shared when they are several."""

from __future__ import annotations

import os
import socket

import pytest

from aforo.app.listeners import inherited, is_loopback, listening, probe
from aforo.errors import Conflict


def test_a_port_in_use_is_refused_with_the_option_that_helps() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for count in (1, 3):
            with pytest.raises(
                Conflict, match=f"gateway-tls: 127.0.0.1:{port} .*--gateway-tls-port"
            ) as caught:
                listening("127.0.0.1", port, "gateway-tls", count)
            assert caught.value.code == "PortInUse"
    for sock in listening("127.0.0.1", port, "gateway"):
        sock.close()


def test_a_second_system_does_not_share_the_port() -> None:
    first = listening("127.0.0.1", 0, "gateway", 2)
    port = first[0].getsockname()[1]
    with pytest.raises(Conflict):
        listening("127.0.0.1", port, "gateway", 2)
    for sock in first:
        sock.close()


def test_several_listen_on_one_port_and_none_blocks() -> None:
    sockets = listening("127.0.0.1", 0, "gateway", 3)
    assert len({s.getsockname() for s in sockets}) == 1
    assert not any(s.getblocking() for s in sockets)
    with socket.create_connection(sockets[0].getsockname(), 5):
        pass
    for sock in sockets:
        sock.close()


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(Conflict, match=r"192\.0\.2\.1:0"):
        listening("192.0.2.1", 0, "control")
    probe("192.0.2.1", 0, "control")  # nothing to probe: any port is meant


def test_a_descriptor_becomes_the_socket_that_it_was() -> None:
    (sock,) = listening("127.0.0.1", 0, "gateway")
    with inherited(os.dup(sock.fileno())) as copy:
        assert copy.getsockname() == sock.getsockname()
        assert not copy.getblocking()
    sock.close()


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("10.0.0.1", False), ("example.com", False), ("", False)],
)  # fmt: skip
def test_what_is_reached_from_here_alone(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
