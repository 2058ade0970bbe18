"""Writes small databases in MaxMind's format: networks, each with a record of nested maps, arrays, texts and reals."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_MARK = b"\xab\xcd\xefMaxMind.com"
_GAP = bytes(16)  # between tree and data
_TEXT, _REAL, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY = 2, 3, 5, 6, 7, 9, 11

# A node: for each bit a further node, an encoded record or nothing.
_Node = list[Any]


def write_places(path: Path, places: Mapping[str, Any], *, ip_version: int = 6) -> None:
    """`places` are networks (IPv4 or IPv6) with their records. IPv4 lies in ::/96, as in GeoLite2."""
    root: _Node = [None, None]
    for network, record in places.items():
        _lay(root, _bits(network, ip_version), _encoded(record))
    nodes = [root]
    for node in nodes:
        nodes.extend(child for child in node if isinstance(child, list))
    number = {id(node): i for i, node in enumerate(nodes)}
    tree, data = bytearray(), bytearray()
    for node in nodes:
        for child in node:
            if child is None:
                pointer = len(nodes)
            elif isinstance(child, list):
                pointer = number[id(child)]
            else:
                pointer = len(nodes) + len(_GAP) + len(data)
                data += child
            tree += pointer.to_bytes(3, "big")
    about = {
        "node_count": (_UINT32, len(nodes)), "record_size": (_UINT16, 24), "ip_version": (_UINT16, ip_version),
        "database_type": "Test-City", "languages": ["en"], "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0), "build_epoch": (_UINT64, 1_700_000_000),
        "description": {"en": "written by a test"},
    }  # fmt: skip
    path.write_bytes(bytes(tree) + _GAP + bytes(data) + _MARK + _encoded(about))


def _bits(network: str, ip_version: int) -> str:
    parsed = ip_network(network)
    bits = f"{int(parsed.network_address):0{parsed.max_prefixlen}b}"[: parsed.prefixlen]
    return "0" * 96 + bits if ip_version == 6 and parsed.version == 4 else bits


def _lay(root: _Node, bits: str, record: bytes) -> None:
    node = root
    for bit in bits[:-1]:
        if node[int(bit)] is None:
            node[int(bit)] = [None, None]
        node = node[int(bit)]
    node[int(bits[-1])] = record


def _encoded(value: Any) -> bytes:
    match value:
        case str():
            text = value.encode()
            return _head(_TEXT, len(text)) + text
        case float():
            return _head(_REAL, 8) + struct.pack(">d", value)
        case dict():
            return _head(_MAP, len(value)) + b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
        case list():
            return _head(_ARRAY, len(value)) + b"".join(map(_encoded, value))
        case (int() as kind, int() as number):
            digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
            return _head(kind, len(digits)) + digits
    raise TypeError(f"no such value in these tests: {value!r}")


def _head(kind: int, size: int) -> bytes:
    """Kinds above 7 have a byte of their own; sizes from 29 on too."""
    assert size < 29 + 256
    first = (kind << 5 if kind <= 7 else 0) | min(size, 29)
    return bytes([first, *([kind - 7] if kind > 7 else []), *([size - 29] if size >= 29 else [])])
