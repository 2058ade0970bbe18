"""Guid: 128 bits, written in groups."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import Final

from aforo.csharp.runtime.exceptions import ArgumentException, ArgumentNullException, FormatException
from aforo.csharp.runtime.numbers import compare, same
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, member


class Guid(Obj):
    __slots__ = ("value",)
    net_name = "System.Guid"

    def __init__(self, value: int) -> None:
        self.value = value

    def text(self, spec: str | None = None) -> str:
        digits = f"{self.value:032x}"
        dashed = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        match (spec or "D").upper():
            case "D":
                return dashed
            case "N":
                return digits
            case "B":
                return "{" + dashed + "}"
            case "P":
                return f"({dashed})"
            case "X":
                tail = ",".join(f"0x{digits[i : i + 2]}" for i in range(16, 32, 2))
                return f"{{0x{digits[:8]},0x{digits[8:12]},0x{digits[12:16]},{{{tail}}}}}"
        raise FormatException('Format String can be only "D", "d", "N", "n", "P", "p", "B", "b", "X" or "x".')

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Guid) and self.value == other.value

    def __lt__(self, other: Guid) -> bool:
        return self.value < other.value

    def __gt__(self, other: Guid) -> bool:
        return self.value > other.value

    def __hash__(self) -> int:
        return hash(self.value)


def new_guid() -> Guid:
    value = secrets.randbits(128)
    return Guid(value & ~(0xF << 76) & ~(0x3 << 62) | (4 << 76) | (2 << 62))


_GUID: Final = re.compile(
    r"\s*[({]?([0-9a-fA-F]{8})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{12})[)}]?\s*\Z"
)


def parse_guid(text: str | None) -> Guid:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: input")
    m = _GUID.match(text)
    if m is None:
        raise FormatException(
            "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)."
        )
    return Guid(int("".join(m.groups()), 16))


def try_parse_guid(text: str | None) -> tuple[bool, Guid]:
    try:
        return True, parse_guid(text)
    except (FormatException, ArgumentNullException):
        return False, EMPTY_GUID


def guid_of_bytes(data: bytearray | None) -> Guid:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: b")
    if len(data) != 16:
        raise ArgumentException("Byte array for GUID must be exactly 16 bytes long.\r\nParameter name: b")
    return Guid(uuid.UUID(bytes_le=bytes(data)).int)


def guid_of_parts(a: int, b: int, c: int, *rest: int) -> Guid:
    """Int32, two Int16 and eight bytes; or the eight as an array."""
    tail = rest[0] if len(rest) == 1 else bytearray(rest)
    if not isinstance(tail, bytearray) or len(tail) != 8:
        raise ArgumentException("Byte array for GUID must be exactly 8 bytes long.\r\nParameter name: d")
    return Guid(
        (a & 0xFFFFFFFF) << 96 | (b & 0xFFFF) << 80 | (c & 0xFFFF) << 64 | int.from_bytes(tail, "big")
    )


_EXACT: Final = {
    "D": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "N": r"[0-9a-f]{32}",
    "B": r"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}", "P": r"\([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)",
}  # fmt: skip


def parse_guid_exact(text: str | None, spec: str | None) -> Guid:
    if text is None or spec is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: input")
    pattern = _EXACT.get(spec.upper())
    if pattern is None:
        raise FormatException('Format String can be only "D", "d", "N", "n", "P", "p", "B", "b", "X" or "x".')
    if re.fullmatch(pattern, text.strip(), re.IGNORECASE) is None:
        raise FormatException("Unrecognized Guid format.")
    return parse_guid(text)


def try_parse_guid_exact(text: str | None, spec: str | None) -> tuple[bool, Guid]:
    try:
        return True, parse_guid_exact(text, spec)
    except (FormatException, ArgumentNullException):
        return False, EMPTY_GUID


def guid_bytes(value: Guid) -> bytearray:
    return bytearray(uuid.UUID(int=value.value).bytes_le)


def guid_text(value: Guid, spec: str | None = None) -> str:
    return value.text(spec)


EMPTY_GUID: Final = Guid(0)


def empty_guid() -> Guid:
    return EMPTY_GUID


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Guid",
        member("new()", empty_guid),
        member("new(string g)", parse_guid),
        member("new(byte[] b)", guid_of_bytes),
        member("new(int a, short b, short c, byte[] d)", guid_of_parts),
        member(
            "new(int a, short b, short c, byte d, byte e, byte f, byte g, byte h, byte i, byte j, byte k)",
            guid_of_parts,
        ),
        member("static Guid ParseExact(string input, string format)", parse_guid_exact),
        member(
            "static bool TryParseExact(string input, string format, out Guid result)", try_parse_guid_exact
        ),
        member("static Guid NewGuid()", new_guid),
        member("static Guid Empty", const=EMPTY_GUID),
        member("static Guid Parse(string input)", parse_guid),
        member("static bool TryParse(string input, out Guid result)", try_parse_guid),
        member("byte[] ToByteArray()", guid_bytes),
        member("string ToString(string format)", guid_text),
        member("bool Equals(Guid g)", same),
        member("int CompareTo(Guid value)", compare),
        kind="struct",
        python=Guid,
        default=EMPTY_GUID,
    ),
)
