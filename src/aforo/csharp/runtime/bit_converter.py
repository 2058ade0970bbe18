"""BitConverter and Buffer: numbers as bytes, least significant first."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    given,
)
from aforo.csharp.runtime.limits import room, work
from aforo.csharp.types import TypeDecl, declare, member

# C# type, .NET name, struct format.
_KINDS: Final = (
    ("short", "Int16", "<h"), ("int", "Int32", "<i"), ("long", "Int64", "<q"), ("ushort", "UInt16", "<H"),
    ("uint", "UInt32", "<I"), ("ulong", "UInt64", "<Q"), ("double", "Double", "<d"), ("float", "Single", "<f"),
    ("bool", "Boolean", "<?"),
)  # fmt: skip


def hex_text(data: bytearray | None) -> str:
    """`BitConverter.ToString`"""
    room(3 * len(given(data)))
    return given(data).hex("-").upper() if data else ""


def hex_text_from(data: bytearray | None, at: int) -> str:
    return hex_text_part(data, at, len(given(data)) - at)


def hex_text_part(data: bytearray | None, at: int, size: int) -> str:
    whole = given(data)
    if at < 0 or (at >= len(whole) and at > 0):
        raise ArgumentOutOfRangeException(
            "StartIndex cannot be less than zero.\r\nParameter name: startIndex"
        )
    if size < 0:
        raise ArgumentOutOfRangeException("Value must be positive.\r\nParameter name: length")
    if at > len(whole) - size:
        raise ArgumentException(
            "Destination array is not long enough to copy all the items in the collection. Check array index and length."
        )
    return hex_text(whole[at : at + size])


def _to_bytes(name: str, form: str) -> Callable[[Any], bytearray]:
    packed = struct.Struct(form)

    def get_bytes(value: Any) -> bytearray:
        return bytearray(packed.pack(value))

    get_bytes.__qualname__ = f"bytes_of_{name}"
    return get_bytes


def _from_bytes(name: str, form: str) -> Callable[[bytearray | None, int], Any]:
    packed = struct.Struct(form)

    def read(data: bytearray | None, at: int) -> Any:
        return packed.unpack_from(_checked(data, at, packed.size), at)[0]

    read.__qualname__ = f"{name}_of_bytes"
    return read


def _checked(data: bytearray | None, at: int, size: int) -> bytearray:
    whole = given(data)
    if not 0 <= at < len(whole):
        raise ArgumentOutOfRangeException(
            "Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: startIndex"
        )
    if at > len(whole) - size:
        raise ArgumentException(
            "Destination array is not long enough to copy all the items in the collection. Check array index and length."
        )
    return whole


def bytes_of_char(value: str) -> bytearray:
    return bytearray(value.encode("utf-16-le", "surrogatepass"))


def char_of_bytes(data: bytearray | None, at: int) -> str:
    whole = _checked(data, at, 2)
    return chr(whole[at] | whole[at + 1] << 8)


def double_bits(value: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def double_of_bits(value: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", value))[0])


def block_copy(source: bytearray | None, at: int, target: bytearray | None, to: int, size: int) -> None:
    if source is None or target is None:
        raise ArgumentNullException(
            f"Value cannot be null.\r\nParameter name: {'src' if source is None else 'dst'}"
        )
    if min(at, to, size) < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: count")
    if at > len(source) - size or to > len(target) - size:
        raise ArgumentException(
            "Offset and length were out of bounds for the array or count is greater than the number of elements from index to the end of the source collection."
        )
    work(1 + (size >> 8))
    room(size)
    target[to : to + size] = source[at : at + size]


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "BitConverter",
        member("static bool IsLittleEndian", const=True),
        member("static string ToString(byte[] value)", hex_text),
        member("static string ToString(byte[] value, int startIndex)", hex_text_from),
        member("static string ToString(byte[] value, int startIndex, int length)", hex_text_part),
        *(member(f"static byte[] GetBytes({t} value)", _to_bytes(n, form)) for t, n, form in _KINDS),
        *(member(f"static {t} To{n}(byte[] value, int startIndex)", _from_bytes(n, form)) for t, n, form in _KINDS),
        member("static byte[] GetBytes(char value)", bytes_of_char),
        member("static char ToChar(byte[] value, int startIndex)", char_of_bytes),
        member("static long DoubleToInt64Bits(double value)", double_bits),
        member("static double Int64BitsToDouble(long value)", double_of_bits),
        kind="static",
    ),
    declare(
        "Buffer",
        member("static void BlockCopy(byte[] src, int srcOffset, byte[] dst, int dstOffset, int count)", block_copy),
        kind="static",
    ),
)  # fmt: skip
