"""WebUtility and the formats of numbers: text that leaves or enters the program."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote_from_bytes, quote_plus, unquote_plus, unquote_to_bytes

from aforo.csharp.runtime.encodings import well_formed
from aforo.csharp.runtime.limits import fits, made, room, work
from aforo.csharp.runtime.objects import format_value
from aforo.csharp.types import TypeDecl, declare, member


def url_encode(text: str | None) -> str | None:
    if text is None:
        return None
    fits(len(text) * 3)
    room(len(text))
    # What RFC 1738 has without need of it; `~`, which Python leaves too, is not there.
    return quote_plus(well_formed(text), safe="-_.!*()").replace("~", "%7E")


def url_decode(text: str | None) -> str | None:
    if text is None:
        return None
    work(len(text) >> 1)
    return unquote_plus(made(text))


def html_encode(text: str | None) -> str | None:
    if text is None:
        return None
    fits(len(text) * 6)
    work(len(text) >> 2)
    room(len(text))
    import html

    escaped = html.escape(text, quote=True).replace("&#x27;", "&#39;")
    return "".join(f"&#{ord(c)};" if 160 <= ord(c) < 256 or ord(c) > 0xFFFF else c for c in escaped)


def html_decode(text: str | None) -> str | None:
    import html

    return None if text is None else html.unescape(made(text))


def url_encode_bytes(data: bytearray | None, at: int, size: int) -> bytearray | None:
    from aforo.csharp.runtime.hashing import part

    if data is None:
        return None
    piece = part(data, at, size)
    fits(size * 3)
    room(size * 3)
    return bytearray(quote_from_bytes(piece, safe="-_.!*() ").replace(" ", "+").replace("~", "%7E").encode())


def url_decode_bytes(data: bytearray | None, at: int, size: int) -> bytearray | None:
    from aforo.csharp.runtime.hashing import part

    if data is None:
        return None
    return bytearray(unquote_to_bytes(bytes(part(data, at, size)).replace(b"+", b" ")))


def formatted(value: Any, spec: str | None) -> str:
    """`number.ToString("N2")`"""
    return format_value(value, spec)


_WEB: Final = (("UrlEncode", url_encode), ("UrlDecode", url_decode), ("HtmlEncode", html_encode), ("HtmlDecode", html_decode))  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "WebUtility",
        *(member(f"static string? {name}(string value)", run) for name, run in _WEB),
        member("static byte[]? UrlEncodeToBytes(byte[] value, int offset, int count)", url_encode_bytes),
        member(
            "static byte[]? UrlDecodeToBytes(byte[] encodedValue, int offset, int count)", url_decode_bytes
        ),
        namespace="System.Net",
        kind="static",
    ),
    declare(
        "Formats",
        *(
            member(f"static string ToString(this {t} value, string format)", formatted)
            for t in (
                "int",
                "long",
                "double",
                "decimal",
                "uint",
                "ulong",
                "short",
                "ushort",
                "byte",
                "sbyte",
                "float",
            )
        ),
        kind="static",
    ),
)
