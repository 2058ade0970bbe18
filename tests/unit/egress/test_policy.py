"""What may be reached from inside."""

from __future__ import annotations

import socket

import pytest

from aforo.egress.policy import EgressPolicy, parse
from aforo.errors import Denied, Invalid

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%1",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "168.63.129.16",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd00::1",
    "fec0::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "2002:a00:1::",
    "198.18.0.1",
    "192.0.2.1",
    "240.0.0.1",
]
EVERYTHING = parse(("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize("address", NEVER)
def test_never_whatever_the_operator_lists(address: str) -> None:
    for policy in (EgressPolicy(), EVERYTHING):
        with pytest.raises(Denied, match="never allowed"):
            policy.check(address, 80)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_only_with_leave(address: str) -> None:
    with pytest.raises(Denied, match="need leave"):
        EgressPolicy().check(address, 80)
    EVERYTHING.check(address, 80)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_the_world_is_open(address: str) -> None:
    EgressPolicy().check(address, 443)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_our_own_ports_stay_shut(address: str) -> None:
    policy = parse(("127.0.0.0/8", "::1", "127.0.0.1:8081", "[::1]:8081"), frozenset({8081}))
    policy.check(address, 8082)
    with pytest.raises(Denied, match="control plane"):
        policy.check(address, 8081)


def test_our_own_ports_stay_shut_at_every_address_of_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing, picks the address that would be sent from
        except OSError:
            pytest.skip("this machine has no address but loopback")
        own = probe.getsockname()[0]
    policy = parse((f"{own}/32", "192.0.2.0/24"), frozenset({8081}))
    policy.check(own, 8082)
    policy.check("192.0.2.1", 8081)
    with pytest.raises(Denied, match="control plane"):
        policy.check(own, 8081)


def test_one_port_of_one_host() -> None:
    policy = parse(("127.0.0.1:8082", "[fd00::1]:443", "10.1.0.0/16", "192.168.0.7"))
    for address, port in (("127.0.0.1", 8082), ("fd00::1", 443), ("10.1.2.3", 9), ("192.168.0.7", 9)):
        policy.check(address, port)
    for address, port in (("127.0.0.1", 8083), ("fd00::1", 444), ("10.2.0.1", 9), ("192.168.0.8", 9)):
        with pytest.raises(Denied):
            policy.check(address, port)


@pytest.mark.parametrize("entry", ["example.com", "10.0.0.0/33", "1.2.3.4:", "1.2.3.4:http", "", "[::1"])
def test_a_wrong_entry_is_named(entry: str) -> None:
    with pytest.raises(Invalid, match=f"'{entry}'".replace("[", r"\[")):
        parse(("10.0.0.0/8", entry))
