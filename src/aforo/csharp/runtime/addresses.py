"""IPAddress: addresses of both families."""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from typing import Any, Final

from aforo.csharp.runtime.exceptions import ArgumentException, ArgumentNullException, FormatException
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, enumeration, member


class AddressFamily(IntEnum):
    Unknown = -1
    Unspecified = 0
    InterNetwork = 2
    InterNetworkV6 = 23


class IPAddress(Obj):
    __slots__ = ("value",)
    net_name = "System.Net.IPAddress"

    def __init__(self, value: Any) -> None:
        self.value = value

    def text(self, _spec: str | None = None) -> str:
        mapped = getattr(self.value, "ipv4_mapped", None)
        return f"::ffff:{mapped}" if mapped is not None else str(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IPAddress) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


def _number(text: str) -> int | None:
    """A part of an IPv4 address: decimal, `0x` hexadecimal or `0` octal."""
    digits = text.lower()
    if not digits.isascii() or not digits.isalnum():
        return None
    try:
        if digits.startswith("0x"):
            return int(digits[2:], 16)
        return int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)
    except ValueError:
        return None


def _parse(text: str) -> Any:
    """The address or None. IPv4 may have fewer than four parts, as inet_aton reads them."""
    if ":" in text:
        try:
            return ipaddress.IPv6Address(text.strip("[]") if text.startswith("[") else text)
        except ValueError:
            return None
    parts = text.split(".")
    if not 1 <= len(parts) <= 4 or len(text) > 64:
        return None
    value = 0
    for at, part in enumerate(parts):
        number = _number(part)
        last = at == len(parts) - 1
        room = 8 * (5 - len(parts)) if last else 8
        if number is None or number >= 1 << room:
            return None
        value = (value << room) | number
    return ipaddress.IPv4Address(value)


def parse(text: str | None) -> IPAddress:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: ipString")
    found = _parse(text)
    if found is None:
        raise FormatException("An invalid IP address was specified.")
    return IPAddress(found)


def try_parse(text: str | None) -> tuple[bool, IPAddress | None]:
    found = _parse(text) if text is not None else None
    return found is not None, None if found is None else IPAddress(found)


def from_bytes(data: bytearray | None) -> IPAddress:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: address")
    if len(data) not in (4, 16):
        raise ArgumentException("An invalid IP address was specified.\r\nParameter name: address")
    return IPAddress(ipaddress.ip_address(bytes(data)))


def from_number(value: int) -> IPAddress:
    return IPAddress(ipaddress.IPv4Address((value & 0xFFFFFFFF).to_bytes(4, "little")))


def address_bytes(address: IPAddress) -> bytearray:
    return bytearray(address.value.packed)


def family(address: IPAddress) -> AddressFamily:
    return AddressFamily.InterNetwork if address.value.version == 4 else AddressFamily.InterNetworkV6


def is_loopback(address: IPAddress | None) -> bool:
    if address is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: address")
    mapped = getattr(address.value, "ipv4_mapped", None)
    return bool((mapped or address.value).is_loopback)


def is_mapped(address: IPAddress) -> bool:
    return getattr(address.value, "ipv4_mapped", None) is not None


def to_v4(address: IPAddress) -> IPAddress:
    mapped = getattr(address.value, "ipv4_mapped", None)
    return address if mapped is None else IPAddress(mapped)


def to_v6(address: IPAddress) -> IPAddress:
    if address.value.version == 6:
        return address
    return IPAddress(ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.value.packed))


def same_address(left: IPAddress, right: Any) -> bool:
    return bool(left == right)


def swapped(bits: int) -> Any:
    """`HostToNetworkOrder`: the bytes of a number the other way round."""

    def swap(value: int) -> int:
        return int.from_bytes(value.to_bytes(bits // 8, "little", signed=True), "big", signed=True)

    swap.__qualname__ = f"swap_{bits}"
    return swap


_WELL_KNOWN: Final = (
    ("Any", "0.0.0.0"), ("Loopback", "127.0.0.1"), ("Broadcast", "255.255.255.255"), ("None", "255.255.255.255"),  # noqa: S104
    ("IPv6Any", "::"), ("IPv6Loopback", "::1"), ("IPv6None", "::"),
)  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    enumeration("AddressFamily", AddressFamily, "System.Net.Sockets"),
    declare(
        "IPAddress",
        member("new(byte[] address)", from_bytes),
        member("new(long newAddress)", from_number),
        *(
            member(f"static IPAddress {name}", const=IPAddress(ipaddress.ip_address(text)))
            for name, text in _WELL_KNOWN
        ),
        member("static IPAddress Parse(string ipString)", parse),
        member("static bool TryParse(string ipString, out IPAddress address)", try_parse),
        member("static bool IsLoopback(IPAddress address)", is_loopback),
        *(
            member(f"static {t} {name}({t} value)", swapped(bits))
            for name in ("HostToNetworkOrder", "NetworkToHostOrder")
            for t, bits in (("short", 16), ("int", 32), ("long", 64))
        ),
        member("AddressFamily AddressFamily", family),
        member("byte[] GetAddressBytes()", address_bytes),
        member("bool IsIPv4MappedToIPv6", is_mapped),
        member("IPAddress MapToIPv4()", to_v4),
        member("IPAddress MapToIPv6()", to_v6),
        member("bool Equals(object comparand)", same_address),
        namespace="System.Net",
        python=IPAddress,
    ),
)
