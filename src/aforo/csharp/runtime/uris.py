"""Uri: absolute and relative references, in .NET's canonical form."""

from __future__ import annotations

import ipaddress
import re
from enum import IntEnum
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from aforo.csharp.runtime.encodings import well_formed
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    InvalidOperationException,
    UriFormatException,
    given,
)
from aforo.csharp.runtime.limits import fits, made, room, work
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, enumeration, member


class UriKind(IntEnum):
    RelativeOrAbsolute = 0
    Absolute = 1
    Relative = 2


class UriPartial(IntEnum):
    Scheme = 0
    Authority = 1
    Path = 2
    Query = 3


class UriHostNameType(IntEnum):
    Unknown = 0
    Basic = 1
    Dns = 2
    IPv4 = 3
    IPv6 = 4


_PORTS: Final = {
    "http": 80,
    "https": 443,
    "ftp": 21,
    "ws": 80,
    "wss": 443,
    "ldap": 389,
    "telnet": 23,
    "gopher": 70,
}
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_KEPT: Final = re.compile(r"(?i)%(?:2[3456BCF]|3[ABDF]|40|5[CBD]|[01][0-9A-F]|7F)")
_NO_AUTHORITY: Final = ("mailto", "urn", "data", "news", "tel", "about")


class Uri(Obj):
    """`scheme` is empty for a relative one; then `path` is all of it."""

    __slots__ = ("fragment", "host", "original", "path", "port", "query", "scheme", "user")
    net_name = "System.Uri"

    def __init__(self, text: str | None, kind: int = UriKind.Absolute) -> None:
        if text is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: uriString")
        room(len(text))
        self.original = text
        self.user = self.host = self.query = self.fragment = ""
        self.port = -1
        found = _SCHEME.match(text.lstrip())
        if found is None or kind == UriKind.Relative:
            if kind == UriKind.Absolute or (kind == UriKind.Relative and found is not None):
                raise UriFormatException
            self.scheme, self.path = "", text
            return
        self.scheme = found[1].lower()
        self._split(text.strip())

    def _split(self, text: str) -> None:
        try:
            parts = urlsplit(text.replace("\\", "/") if self.scheme in _PORTS else text)
            port = parts.port
        except ValueError:
            raise UriFormatException("Invalid URI: Invalid port specified.") from None
        self.path, self.query, self.fragment = (
            _escaped(parts.path),
            _escaped(parts.query),
            _escaped(parts.fragment),
        )
        if self.scheme in _NO_AUTHORITY:
            return
        if not parts.netloc and self.scheme in _PORTS:
            raise UriFormatException("Invalid URI: The hostname could not be parsed.")
        user, at, _ = parts.netloc.rpartition("@")
        self.user = user if at else ""
        self.host = _host(parts.hostname or "")
        self.port = port if port is not None else _PORTS.get(self.scheme, -1)
        if self.scheme in _PORTS or self.scheme == "file":
            self.path = _without_dots(self.path) or "/"

    def text(self, _spec: str | None = None) -> str:
        """Canonical, with what is safe to read unescaped."""
        if not self.scheme:
            return self.original
        return made(_readable(absolute(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Uri):
            return False
        if not self.scheme or not other.scheme:
            return self.original == other.original
        return absolute(self).partition("#")[0] == absolute(other).partition("#")[0]

    def __hash__(self) -> int:
        return hash(absolute(self).partition("#")[0] if self.scheme else self.original)


def _host(host: str) -> str:
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host.partition('%')[0])}]"
        except ValueError:
            raise UriFormatException("Invalid URI: The hostname could not be parsed.") from None
    if any(c.isspace() or c in '<>^`{|}"\\' for c in host):
        raise UriFormatException("Invalid URI: The hostname could not be parsed.")
    return host.lower()


def _escaped(text: str) -> str:
    """What cannot stand in a URI is written in hexadecimal; what is written so already stays."""
    fits(len(text) * 3)
    text = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    return quote(well_formed(text), safe="%/?:@!$&'()*+,;=~-._#[]")


def _readable(text: str) -> str:
    if "%" not in text:
        return text
    out: list[str] = []
    at = 0
    for found in _KEPT.finditer(text):
        out += (unquote(text[at : found.start()]), found[0])
        at = found.end()
    return "".join((*out, unquote(text[at:])))


def _without_dots(path: str) -> str:
    if "/." not in path:
        return path
    out: list[str] = []
    pieces = path.split("/")
    for i, each in enumerate(pieces):
        last = i == len(pieces) - 1
        if each == "..":
            if len(out) > 1:
                out.pop()
            if last:
                out.append("")
        elif each == ".":
            if last:
                out.append("")
        else:
            out.append(each)
    return "/".join(out)


def absolute(uri: Uri) -> str:
    """`AbsoluteUri`"""
    _known(uri)
    if uri.scheme in _NO_AUTHORITY:
        return f"{uri.scheme}:{path_and_query(uri)}{fragment(uri)}"
    return f"{left_part(uri, UriPartial.Query)}{fragment(uri)}"


def _known(uri: Uri) -> Uri:
    if not uri.scheme:
        raise InvalidOperationException("This operation is not supported for a relative URI.")
    return uri


def left_part(uri: Uri, part: int) -> str:
    _known(uri)
    start = f"{uri.scheme}:" if uri.scheme in _NO_AUTHORITY else f"{uri.scheme}://"
    if part == UriPartial.Scheme:
        return start
    user = f"{uri.user}@" if uri.user else ""
    start += user + authority(uri)
    if part == UriPartial.Authority:
        return start
    return start + (uri.path if part == UriPartial.Path else path_and_query(uri))


def host(uri: Uri) -> str:
    return _known(uri).host


def dns_host(uri: Uri) -> str:
    return _known(uri).host.strip("[]")


def port(uri: Uri) -> int:
    return _known(uri).port


def authority(uri: Uri) -> str:
    return _known(uri).host if is_default_port(uri) else f"{uri.host}:{uri.port}"


def is_default_port(uri: Uri) -> bool:
    return _known(uri).port == _PORTS.get(uri.scheme, -1)


def scheme(uri: Uri) -> str:
    return _known(uri).scheme


def absolute_path(uri: Uri) -> str:
    return _known(uri).path


def local_path(uri: Uri) -> str:
    return unquote(_known(uri).path)


def query(uri: Uri) -> str:
    return f"?{uri.query}" if _known(uri).query else ""


def path_and_query(uri: Uri) -> str:
    return _known(uri).path + query(uri)


def fragment(uri: Uri) -> str:
    return f"#{uri.fragment}" if _known(uri).fragment else ""


def user_info(uri: Uri) -> str:
    return _known(uri).user


def segments(uri: Uri) -> list[str]:
    return re.findall(r"/|[^/]+/?", _known(uri).path)


def is_absolute(uri: Uri) -> bool:
    return bool(uri.scheme)


def is_file(uri: Uri) -> bool:
    return _known(uri).scheme == "file"


def is_loopback(uri: Uri) -> bool:
    return _known(uri).host in ("localhost", "loopback", "127.0.0.1", "[::1]") or (
        uri.host.startswith("127.") and host_type(uri) is UriHostNameType.IPv4
    )


def host_type(uri: Uri) -> UriHostNameType:
    return check_host(_known(uri).host)


def check_host(name: str | None) -> UriHostNameType:
    if not name:
        return UriHostNameType.Unknown
    try:
        found = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        fits_dns = re.fullmatch(r"[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*\.?", name)
        return UriHostNameType.Dns if fits_dns else UriHostNameType.Unknown
    return UriHostNameType.IPv4 if found.version == 4 else UriHostNameType.IPv6


def combined(base: Uri | None, relative: str | None) -> Uri:
    """`new Uri(base, "relative")`"""
    if base is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: baseUri")
    if not base.scheme:
        raise ArgumentException(
            "This operation is not supported for a relative URI.\r\nParameter name: baseUri"
        )
    return Uri(urljoin(absolute(base), relative or ""))


def combined_uris(base: Uri | None, relative: Uri | None) -> Uri:
    return combined(base, relative.original if relative is not None else None)


def relative_to(base: Uri, other: Uri) -> Uri:
    """`base.MakeRelativeUri(other)`"""
    if (base.scheme, base.host, base.port) != (other.scheme, other.host, other.port):
        return other
    here, there = base.path.split("/"), other.path.split("/")
    same = 0
    while same < min(len(here), len(there)) - 1 and here[same] == there[same]:
        same += 1
    path = "../" * (len(here) - 1 - same) + "/".join(there[same:])
    return Uri(path + query(other) + fragment(other), UriKind.RelativeOrAbsolute)


def is_base_of(base: Uri, other: Uri | None) -> bool:
    """Whether what stands in front of the last `/` is where the other one begins."""
    there = given(other, "uri")
    if (base.scheme, base.host, base.port) != (there.scheme, there.host, there.port):
        return False
    return there.path.startswith(base.path[: base.path.rfind("/") + 1])


def is_well_formed_original(uri: Uri) -> bool:
    return is_well_formed(uri.original, 0)


def is_scheme(name: str | None) -> bool:
    return name is not None and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", name) is not None


def is_hex_digit(char: str) -> bool:
    return char in "0123456789abcdefABCDEF"


def from_hex(char: str) -> int:
    if not is_hex_digit(char):
        raise ArgumentException("Value does not fall within the expected range.\r\nParameter name: digit")
    return int(char, 16)


def hex_escape(char: str) -> str:
    if ord(char) > 255:
        raise ArgumentOutOfRangeException(
            "Specified argument was out of the range of valid values.\r\nParameter name: character"
        )
    return f"%{ord(char):02X}"


def is_hex_encoding(text: str | None, at: int) -> bool:
    return re.match(r"%[0-9A-Fa-f]{2}", given(text, "pattern")[max(at, 0) : max(at, 0) + 3]) is not None


def hex_unescape(text: str | None, at: int) -> tuple[str, int]:
    """One character from that place, and the place behind it."""
    pattern = given(text, "pattern")
    if not 0 <= at < len(pattern):
        raise ArgumentOutOfRangeException(
            "Specified argument was out of the range of valid values.\r\nParameter name: index"
        )
    if is_hex_encoding(pattern, at):
        return chr(int(pattern[at + 1 : at + 3], 16)), at + 3
    return pattern[at], at + 1


def never(_uri: Uri) -> bool:
    return False


def try_create(text: str | None, kind: int) -> tuple[bool, Uri | None]:
    try:
        return True, Uri(text, kind)
    except (UriFormatException, ArgumentNullException):
        return False, None


def is_well_formed(text: str | None, kind: int) -> bool:
    made_one, uri = try_create(text, kind)
    if not made_one or uri is None or text is None:
        return False
    return not re.search(r'[\s<>"{}|\\^`]|%(?![0-9A-Fa-f]{2})', text)


def escape_data(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: stringToEscape")
    fits(len(text) * 3)
    room(len(text))
    return quote(well_formed(text), safe="-_.~")


def escape_uri(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: stringToEscape")
    fits(len(text) * 3)
    room(len(text))
    return quote(well_formed(text), safe="-_.~!*'();:@&=+$,/?#[]")


def unescape_data(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: stringToUnescape")
    work(len(text) >> 1)
    return unquote(made(text))


TYPES: Final[tuple[TypeDecl, ...]] = (
    enumeration("UriKind", UriKind),
    enumeration("UriPartial", UriPartial),
    enumeration("UriHostNameType", UriHostNameType),
    declare(
        "Uri",
        member("new(string uriString)", Uri),
        member("new(string uriString, UriKind uriKind)", Uri),
        member("new(Uri baseUri, string relativeUri)", combined),
        member("new(Uri baseUri, Uri relativeUri)", combined_uris),
        *(
            member(f"static string UriScheme{name.capitalize()}", const=name)
            for name in ("http", "https", "ftp", "file", "mailto", "ws", "wss")
        ),
        member("static string SchemeDelimiter", const="://"),
        member("static string EscapeDataString(string stringToEscape)", escape_data),
        member("static string EscapeUriString(string stringToEscape)", escape_uri),
        member("static string UnescapeDataString(string stringToUnescape)", unescape_data),
        member("static bool TryCreate(string uriString, UriKind uriKind, out Uri result)", try_create),
        member("static bool IsWellFormedUriString(string uriString, UriKind uriKind)", is_well_formed),
        member("static UriHostNameType CheckHostName(string name)", check_host),
        member("static bool CheckSchemeName(string schemeName)", is_scheme),
        member("static bool IsHexDigit(char character)", is_hex_digit),
        member("static int FromHex(char digit)", from_hex),
        member("static string HexEscape(char character)", hex_escape),
        member("static bool IsHexEncoding(string pattern, int index)", is_hex_encoding),
        member("static char HexUnescape(string pattern, ref int index)", hex_unescape),
        member("bool IsBaseOf(Uri uri)", is_base_of),
        member("bool IsWellFormedOriginalString()", is_well_formed_original),
        member("bool IsUnc", never),
        member("bool UserEscaped", never),
        member("string Host", host),
        member("string DnsSafeHost", dns_host),
        member("string IdnHost", dns_host),
        member("UriHostNameType HostNameType", host_type),
        member("int Port", port),
        member("string Authority", authority),
        member("string Scheme", scheme),
        member("string AbsolutePath", absolute_path),
        member("string LocalPath", local_path),
        member("string AbsoluteUri", absolute),
        member("string Query", query),
        member("string Fragment", fragment),
        member("string UserInfo", user_info),
        member("string PathAndQuery", path_and_query),
        member("string OriginalString", attr="original"),
        member("string[] Segments", segments),
        member("bool IsAbsoluteUri", is_absolute),
        member("bool IsDefaultPort", is_default_port),
        member("bool IsFile", is_file),
        member("bool IsLoopback", is_loopback),
        member("string GetLeftPart(UriPartial part)", left_part),
        member("Uri MakeRelativeUri(Uri uri)", relative_to),
        python=Uri,
    ),
)
