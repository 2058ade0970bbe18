"""The PROXY protocol's preamble, versions 1 and 2: a trusted load balancer says whose connection this is.

Source: HAProxy's specification of the PROXY protocol. Only connections from `trustedProxies` are read for it.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V1 = b"PROXY "
_V1_LONGEST = 107
_V2_HEAD = 16
_V2_LONGEST = 4096


class Preamble(NamedTuple):
    """How many bytes it took (0: there is none) and the client's address ("" when the balancer names none)."""

    size: int
    address: str


def read(data: bytes) -> Preamble | None:
    """The preamble at the start of a connection; None when more bytes are needed. ValueError when it is broken."""
    if data.startswith(_V1):
        return _version_1(data)
    if data.startswith(_V2):
        return _version_2(data)
    if _V1.startswith(data) or _V2.startswith(data):
        return None
    return Preamble(0, "")


def _version_1(data: bytes) -> Preamble | None:
    end = data.find(b"\r\n", 0, _V1_LONGEST)
    if end < 0:
        if len(data) >= _V1_LONGEST:
            raise ValueError("the PROXY line has no end")
        return None
    fields = data[:end].decode("ascii", "replace").split(" ")
    if len(fields) >= 2 and fields[1] == "UNKNOWN":
        return Preamble(end + 2, "")
    if len(fields) != 6 or fields[1] not in ("TCP4", "TCP6"):
        raise ValueError("the PROXY line is malformed")
    return Preamble(end + 2, str(ipaddress.ip_address(fields[2])))


def _version_2(data: bytes) -> Preamble | None:
    if len(data) < _V2_HEAD:
        return None
    length = int.from_bytes(data[14:16], "big")
    if data[12] >> 4 != 2 or length > _V2_LONGEST:
        raise ValueError("the PROXY header is malformed")
    size = _V2_HEAD + length
    if len(data) < size:
        return None
    command, family = data[12] & 0x0F, data[13] >> 4
    if command == 0:  # LOCAL: the balancer itself, checking health
        return Preamble(size, "")
    width = {1: 4, 2: 16}.get(family, 0)
    if not width:
        return Preamble(size, "")
    if length < 2 * width + 4:
        raise ValueError("the PROXY header is too short")
    return Preamble(size, str(ipaddress.ip_address(data[_V2_HEAD : _V2_HEAD + width])))
