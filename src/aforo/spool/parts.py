"""The bytes of a record in parts: large bodies stand in them as they are, so that nobody copies them to write them down.
It opens no file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from aforo.spool.records import BeginRecord, CallRecord, Message

# A body below this is cheaper to copy than to keep apart.
APART_BYTES: Final = 64 * 1024
_ARRAY = struct.Struct(">BH")  # MessagePack's array 16
_BIN = struct.Struct(">BI")  # MessagePack's bin 32

_encode = msgspec.msgpack.Encoder().encode


def body_bytes(record: CallRecord) -> int:
    """How many bytes the bodies of a record have together."""
    return (
        len(record.request.body)
        + len(record.response.body)
        + len(record.backend_request.body)
        + len(record.backend_response.body)
    )


def parts_of(record: CallRecord | BeginRecord) -> list[bytes]:
    """The record's MessagePack; put together it is read like any other (not byte for byte what one encode makes)."""
    parts: list[bytes] = []
    small = bytearray()
    if isinstance(record, BeginRecord):
        small += _ARRAY.pack(0xDC, 1)
        record = record.call
    names = record.__struct_fields__
    small += _ARRAY.pack(0xDC, len(names))
    for name in names:
        value = getattr(record, name)
        if not isinstance(value, Message) or len(value.body) < APART_BYTES:
            small += _encode(value)
            continue
        small += _ARRAY.pack(0xDC, len(value.__struct_fields__))
        small += _encode(value.headers)
        small += _BIN.pack(0xC6, len(value.body))
        parts += (bytes(small), value.body)
        small = bytearray()
        for of_message in value.__struct_fields__[2:]:
            small += _encode(getattr(value, of_message))
    parts.append(bytes(small))
    return parts


def slices(parts: Iterable[bytes], size: int) -> Iterable[memoryview]:
    """The parts, none longer than `size`; nothing is copied."""
    for part in parts:
        view = memoryview(part)
        for at in range(0, len(view), size):
            yield view[at : at + size]
