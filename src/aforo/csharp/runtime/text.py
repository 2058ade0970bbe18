"""Encoding, WebUtility, Uri, formats of numbers: text that leaves or enters the program."""

from __future__ import annotations

import html
import re
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    UriFormatException,
)
from aforo.csharp.runtime.limits import fits, made, room
from aforo.csharp.runtime.objects import Obj, format_value
from aforo.csharp.types import TypeDecl, declare, member


class Encoding(Obj):
    __slots__ = ("name",)
    net_name = "System.Text.Encoding"

    def __init__(self, name: str) -> None:
        self.name = name


UTF8: Final = Encoding("utf-8")
ASCII: Final = Encoding("ascii")
UNICODE: Final = Encoding("utf-16-le")


def encode(encoding: Encoding, text: str | None) -> bytearray:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    fits(len(text) * 3)
    room(len(text))
    if encoding.name in ("ascii", "latin-1"):
        return bytearray(text.encode(encoding.name, "replace"))
    return bytearray(
        text.encode("utf-16-le", "surrogatepass")
        if encoding.name == "utf-16-le"
        else well_formed(text).encode()
    )


def decode(encoding: Encoding, data: bytearray | None) -> str:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: bytes")
    room(len(data))
    if encoding.name == "ascii":
        return "".join(chr(b) if b < 128 else "?" for b in data)
    return bytes(data).decode(encoding.name, "replace")


def well_formed(text: str) -> str:
    """Lone surrogates replaced, so that the text can be encoded."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def byte_count(encoding: Encoding, text: str) -> int:
    return len(encode(encoding, text))


# --- WebUtility, Uri ------------------------------------------------------------------------------------------------


def url_encode(text: str | None) -> str | None:
    if text is None:
        return None
    fits(len(text) * 3)
    room(len(text))
    return quote_plus(well_formed(text), safe="-_.!*()")


def url_decode(text: str | None) -> str | None:
    return None if text is None else unquote_plus(made(text))


def html_encode(text: str | None) -> str | None:
    if text is None:
        return None
    fits(len(text) * 6)
    room(len(text))
    escaped = html.escape(text, quote=True).replace("&#x27;", "&#39;")
    return "".join(f"&#{ord(c)};" if 160 <= ord(c) < 256 or ord(c) > 0xFFFF else c for c in escaped)


def html_decode(text: str | None) -> str | None:
    return None if text is None else html.unescape(made(text))


def escape_data(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: stringToEscape")
    fits(len(text) * 3)
    room(len(text))
    return quote(well_formed(text), safe="-_.~")


def unescape_data(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: stringToUnescape")
    return unquote(made(text))


class Uri(Obj):
    __slots__ = ("original", "parts")
    net_name = "System.Uri"

    def __init__(self, text: str | None) -> None:
        if text is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: uriString")
        try:
            self.parts = urlsplit(text.strip())
            _ = self.parts.port
        except ValueError:
            raise UriFormatException from None
        if not self.parts.scheme or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", self.parts.scheme):
            raise UriFormatException
        self.original = text

    def text(self, _spec: str | None = None) -> str:
        path = self.parts.path or "/"
        query = f"?{self.parts.query}" if self.parts.query else ""
        fragment = f"#{self.parts.fragment}" if self.parts.fragment else ""
        return f"{self.parts.scheme.lower()}://{uri_authority(self)}{path}{query}{fragment}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Uri) and self.text() == other.text()

    def __hash__(self) -> int:
        return hash(self.text())


def uri_host(uri: Uri) -> str:
    return (uri.parts.hostname or "").lower()


def uri_port(uri: Uri) -> int:
    return uri.parts.port or {"http": 80, "https": 443, "ftp": 21}.get(uri.parts.scheme.lower(), -1)


def uri_authority(uri: Uri) -> str:
    default = {"http": 80, "https": 443, "ftp": 21}.get(uri.parts.scheme.lower(), -1)
    return uri_host(uri) if uri_port(uri) in (default, -1) else f"{uri_host(uri)}:{uri_port(uri)}"


def uri_scheme(uri: Uri) -> str:
    return uri.parts.scheme.lower()


def uri_path(uri: Uri) -> str:
    return uri.parts.path or "/"


def uri_query(uri: Uri) -> str:
    return f"?{uri.parts.query}" if uri.parts.query else ""


def uri_path_and_query(uri: Uri) -> str:
    return uri_path(uri) + uri_query(uri)


def uri_fragment(uri: Uri) -> str:
    return f"#{uri.parts.fragment}" if uri.parts.fragment else ""


def uri_segments(uri: Uri) -> list[str]:
    return re.findall(r"/|[^/]+/?", uri_path(uri))


def uri_original(uri: Uri) -> str:
    return uri.original


def formatted(value: Any, spec: str | None) -> str:
    """`number.ToString("N2")`"""
    return format_value(value, spec)


_WEB: Final = (("UrlEncode", url_encode), ("UrlDecode", url_decode), ("HtmlEncode", html_encode), ("HtmlDecode", html_decode))  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Encoding",
        member("static Encoding UTF8", const=UTF8),
        member("static Encoding ASCII", const=ASCII),
        member("static Encoding Unicode", const=UNICODE),
        member("byte[] GetBytes(string s)", encode),
        member("string GetString(byte[] bytes)", decode),
        member("int GetByteCount(string s)", byte_count),
        namespace="System.Text",
        python=Encoding,
    ),
    declare(
        "WebUtility",
        *(member(f"static string? {name}(string value)", run) for name, run in _WEB),
        namespace="System.Net",
        kind="static",
    ),
    declare(
        "Uri",
        member("new(string uriString)", Uri),
        member("static string EscapeDataString(string stringToEscape)", escape_data),
        member("static string UnescapeDataString(string stringToUnescape)", unescape_data),
        member("string Host", uri_host),
        member("int Port", uri_port),
        member("string Authority", uri_authority),
        member("string Scheme", uri_scheme),
        member("string AbsolutePath", uri_path),
        member("string LocalPath", uri_path),
        member("string AbsoluteUri", Uri.text),
        member("string Query", uri_query),
        member("string Fragment", uri_fragment),
        member("string PathAndQuery", uri_path_and_query),
        member("string OriginalString", uri_original),
        member("string[] Segments", uri_segments),
        python=Uri,
    ),
    declare(
        "Formats",
        *(
            member(f"static string ToString(this {t} value, string format)", formatted)
            for t in ("int", "long", "double", "decimal", "uint", "ulong", "short", "byte", "float")
        ),
        kind="static",
    ),
)
