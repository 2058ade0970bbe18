"""xxHash64, as Kusto's `hash` has it: over a text's UTF-8 bytes, or a value's bytes with the least one first."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

from aforo.kql.natives.spec import Native, native
from aforo.kql.types import BOOL, GUID, INT, LONG, REAL, STRING

_MASK = (1 << 64) - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def _rotated(x: int, by: int) -> int:
    return (x << by | x >> 64 - by) & _MASK


def _round(a: int, lane: int) -> int:
    return _rotated(a + lane * _P2 & _MASK, 31) * _P1 & _MASK


def xxhash64(data: bytes) -> int:
    """The 64-bit hash with seed 0, unsigned."""
    n, at = len(data), 0
    if n >= 32:
        lanes = [_P1 + _P2 & _MASK, _P2, 0, -_P1 & _MASK]
        end = n - n % 32
        for words in struct.iter_unpack("<4Q", data[:end]):
            lanes = [_round(lane, word) for lane, word in zip(lanes, words, strict=True)]
        at = end
        h = sum(_rotated(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            h = ((h ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        h = _P5
    h = (h + n) & _MASK
    while at + 8 <= n:
        h = (_rotated(h ^ _round(0, int.from_bytes(data[at : at + 8], "little")), 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= n:
        h = (_rotated(h ^ int.from_bytes(data[at : at + 4], "little") * _P1 & _MASK, 23) * _P2 + _P3) & _MASK
        at += 4
    while at < n:
        h = _rotated(h ^ data[at] * _P5 & _MASK, 11) * _P1 & _MASK
        at += 1
    h = (h ^ h >> 33) * _P2 & _MASK
    h = (h ^ h >> 29) * _P3 & _MASK
    return h ^ h >> 32


def _hash(pack: Callable[..., bytes]) -> Callable[..., int | None]:
    def of(value: object, mod: int | None) -> int | None:
        if value is None:
            return None
        h = xxhash64(pack(value))
        if mod is None:
            return h - (1 << 64) if h >> 63 else h
        # From 0 up to the divisor, whatever the sign of the hash.
        return h % mod if mod > 0 else None

    return of


def _number(form: str) -> Callable[..., bytes]:
    return struct.Struct(form).pack


NATIVES: tuple[Native, ...] = (
    native("hash_text", _hash(lambda text: text.encode()), LONG, STRING, LONG),
    native("hash_long", _hash(_number("<q")), LONG, LONG, LONG),
    native("hash_int", _hash(_number("<i")), LONG, INT, LONG),
    native("hash_real", _hash(_number("<d")), LONG, REAL, LONG),
    native("hash_bool", _hash(_number("<?")), LONG, BOOL, LONG),
    native("hash_guid", _hash(lambda text: uuid.UUID(text).bytes_le), LONG, GUID, LONG),
)
