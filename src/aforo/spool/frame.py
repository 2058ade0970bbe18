"""The bytes of a spool: segment heads, frames, and what to do where bytes are damaged. It opens no file."""

# Segment: one head, then frames, then (while it is written) zeros that reserve the space.
# Frame:   payload length u32, crc32 u32, sequence u64, kind u8, payload; little endian. The checksum covers the
# whole frame with its own four bytes taken as zero, so a wrong length is found too.
#
# Sequence numbers only grow: the high bits count the sessions of a spool (each opening of its writer), the low
# 40 the frames within one (docs/decisions/0020-the-spool-s-sequence-has-sessions.md).

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from aforo.errors import Unavailable

HEAD = struct.Struct("<IIQB")
HEAD_SIZE = HEAD.size
CRC_OFFSET = 4
CRC = struct.Struct("<I")
SEQUENCE = struct.Struct("<Q")
SEQUENCE_OFFSET = 8

SESSION_BITS = 40

MAX_PAYLOAD = 512 * 1024 * 1024

_SEGMENT = struct.Struct("<8sHHIQQQ16s")
_MAGIC = b"AFSPOOL\n"
VERSION = 1
SEGMENT_HEAD_SIZE = _SEGMENT.size + CRC.size

# After damage the next sequence numbers are searched for; more frames in a row than this are given up.
_SEARCH_AHEAD = 4096


class Frame(NamedTuple):
    """One frame as read."""

    sequence: int
    kind: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """The first bytes of a segment.

    `frames_before` counts the frames of this spool that were accepted before this segment, over all sessions.
    """

    spool: bytes  # 16 random bytes, made with the folder
    session: int
    first: int  # the sequence of its first frame
    frames_before: int
    created_ns: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no frame although something stands there."""

    start: int
    end: int
    frames: int  # how many frames were lost, as far as the sequence tells


def first_sequence(session: int) -> int:
    """The sequence of a session's first frame (the numbers within a session start at 1)."""
    return (session << SESSION_BITS) | 1


def session_of(sequence: int) -> int:
    return sequence >> SESSION_BITS


def encode_segment_head(head: SegmentHead) -> bytes:
    body = _SEGMENT.pack(
        _MAGIC, head.version, 0, head.session, head.first, head.frames_before, head.created_ns, head.spool
    )
    return body + CRC.pack(zlib.crc32(body))


def decode_segment_head(data: bytes) -> SegmentHead | None:
    """The head, None where the bytes are none. Unavailable: written by another version of the product."""
    if len(data) < SEGMENT_HEAD_SIZE:
        return None
    magic, version, _, session, first, before, created, spool = _SEGMENT.unpack_from(data)
    if magic != _MAGIC or CRC.unpack_from(data, _SEGMENT.size)[0] != zlib.crc32(data[: _SEGMENT.size]):
        return None
    if version != VERSION:
        raise Unavailable(f"spool segment of version {version}; this program reads version {VERSION}")
    return SegmentHead(spool, session, first, before, created, version)


def encode_head(sequence: int, kind: int, payload: bytes | bytearray | memoryview) -> bytes:
    """The head of a frame whose payload follows it."""
    size = len(payload)
    crc = zlib.crc32(payload, zlib.crc32(HEAD.pack(size, 0, sequence, kind)))
    return HEAD.pack(size, crc, sequence, kind)


def head_of_checked(sequence: int, kind: int, size: int, crc: int) -> bytes:
    """The head of a frame whose payload has `size` bytes and that checksum: it was read before its sequence was known."""
    begun = zlib.crc32(HEAD.pack(size, 0, sequence, kind))
    return HEAD.pack(size, _joined(begun, crc, size), sequence, kind)


def seal(buffer: bytearray, sequence: int, kind: int) -> None:
    """Fill in the head of a frame whose payload already stands in `buffer` behind HEAD_SIZE bytes of room."""
    HEAD.pack_into(buffer, 0, len(buffer) - HEAD_SIZE, 0, sequence, kind)
    CRC.pack_into(buffer, CRC_OFFSET, zlib.crc32(buffer))


def decode(data: bytes | memoryview, offset: int) -> tuple[Frame, int] | None:
    """The frame at `offset` and the offset behind it; None when there is no whole and sound frame."""
    if len(data) - offset < HEAD_SIZE:
        return None
    size, crc, sequence, kind = HEAD.unpack_from(data, offset)
    end = offset + HEAD_SIZE + size
    if sequence == 0 or end > len(data):
        return None
    payload = bytes(data[offset + HEAD_SIZE : end])
    if zlib.crc32(payload, zlib.crc32(HEAD.pack(size, 0, sequence, kind))) != crc:
        return None
    return Frame(sequence, kind, payload), end


# Checksums are remainders of polynomials over two elements: bit 31 stands for 1, bit 30 for x. To go on over `n` bytes is to
# multiply by x to the power of 8 n.
_ONE = 1 << 31
_X_BYTE = 1 << 23
_POLYNOMIAL = 0xEDB88320


def _times(one: int, other: int) -> int:
    """The product of two remainders."""
    product = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            product ^= other
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product


def _joined(crc: int, following: int, size: int) -> int:
    """The checksum of bytes with `crc` and of `size` bytes behind them that have the checksum `following`."""
    power, base = _ONE, _X_BYTE
    while size:
        if size & 1:
            power = _times(power, base)
        base = _times(base, base)
        size >>= 1
    return _times(power, crc) ^ following


def wanted_size(data: bytes | memoryview, offset: int) -> int:
    """How many bytes the frame at `offset` says it has (0: no head there, or one that no writer wrote)."""
    if len(data) - offset < HEAD_SIZE:
        return 0
    size, _, sequence, _ = HEAD.unpack_from(data, offset)
    return HEAD_SIZE + size if sequence and size <= MAX_PAYLOAD else 0


def is_blank(data: bytes | memoryview, offset: int) -> bool:
    """Only zeros from `offset` on: reserved space."""
    return not any(bytes(data[offset:]).strip(b"\0"))


def find_next(data: bytes, offset: int, expected: int) -> tuple[int, int] | None:
    """After damage at `offset`, where frame `expected` should stand: the next sound frame.

    Returns (offset, sequence) or None. Frames before it are lost; only frames of the same session count.
    """
    last = expected + _SEARCH_AHEAD
    used = len(data.rstrip(b"\0"))
    best: tuple[int, int] | None = None
    # All but the lowest byte of a sequence is the same for 256 frames: few patterns to look for.
    for high in range(expected >> 8, (last >> 8) + 1):
        needle = SEQUENCE.pack(high << 8)[1:]
        at = data.find(needle, offset + SEQUENCE_OFFSET + 1, used)
        while at >= 0:
            start = at - 1 - SEQUENCE_OFFSET
            if best is not None and start >= best[0]:
                break
            found = decode(data, start)
            if found is not None and expected <= found[0].sequence < last:
                best = start, found[0].sequence
                break
            at = data.find(needle, at + 1, used)
    return best


def scan(data: bytes, offset: int, expected: int) -> tuple[list[Frame], list[Damage], int]:
    """All sound frames of a finished segment from `offset` on, the damage between them, the end of the last.

    A blank rest is no damage; a rest that is neither blank nor a frame is (with `frames` 0 where it cannot be
    known how many were in it: a torn last write).
    """
    frames: list[Frame] = []
    damage: list[Damage] = []
    while True:
        found = decode(data, offset)
        if found is not None and found[0].sequence == expected:
            frames.append(found[0])
            offset, expected = found[1], expected + 1
            continue
        if offset >= len(data) or is_blank(data, offset):
            return frames, damage, offset
        resumed = find_next(data, offset, expected)
        if resumed is None:
            damage.append(Damage(offset, len(data), 0))
            return frames, damage, offset
        start, sequence = resumed
        damage.append(Damage(offset, start, sequence - expected))
        offset, expected = start, sequence
