"""HTTP as plain values: headers, URLs, bodies. It knows no socket, no server framework and no policy.

Header names are lower-case bytes everywhere inside the product and on its wires, as HTTP/2 and Envoy have it
(docs/decisions/0003-lower-case-headers.md); values are bytes as received.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote_plus

# RFC 9110 7.6.1: a proxy does not forward these; `te`, `upgrade` and the proxy pair with them.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


class Headers:
    """An ordered multimap of header fields: `items` is a list of (lower-case name, value) pairs of bytes."""

    __slots__ = ("items",)

    def __init__(self, items: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.items: list[tuple[bytes, bytes]] = list(items)

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field, None when absent."""
        for n, v in self.items:
            if n == name:
                return v
        return None

    def get_all(self, name: bytes) -> list[bytes]:
        return [v for n, v in self.items if n == name]

    def joined(self, name: bytes) -> bytes | None:
        """All values of a field joined with a comma (RFC 9110 5.3), None when absent."""
        values = self.get_all(name)
        return b",".join(values) if values else None

    def set(self, name: bytes, *values: bytes) -> None:
        """Replace all fields of that name; the first one's place is kept."""
        out: list[tuple[bytes, bytes]] = []
        placed = False
        for item in self.items:
            if item[0] != name:
                out.append(item)
            elif not placed:
                out.extend((name, v) for v in values)
                placed = True
        if not placed:
            out.extend((name, v) for v in values)
        self.items = out

    def append(self, name: bytes, value: bytes) -> None:
        self.items.append((name, value))

    def remove(self, name: bytes) -> None:
        self.items = [item for item in self.items if item[0] != name]

    def copy(self) -> Headers:
        return Headers(self.items)

    def names(self) -> list[bytes]:
        """Distinct names in order of first appearance."""
        return list(dict.fromkeys(n for n, _ in self.items))

    def __contains__(self, name: object) -> bool:
        return any(n == name for n, _ in self.items)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        # Values may be credentials: a representation that ends in a log shows names alone.
        return f"Headers({[n.decode('latin-1') for n in self.names()]})"


@dataclass(slots=True)
class Url:
    """An absolute URL in its parts. `path` and `query` are as on the wire (percent-encoded, no `?`)."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @property
    def authority(self) -> str:
        """Host, with the port where it is not the scheme's own; an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """What stands in the request line."""
        path = self.path or "/"
        return f"{path}?{self.query}" if self.query else path

    def query_values(self) -> dict[str, list[str]]:
        """Decoded query parameters; names keep their case, blank values count."""
        out: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            out.setdefault(name, []).append(value)
        return out

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_url(text: str) -> Url:
    """Split an absolute http(s) URL. ValueError says what is wrong with it."""
    scheme, sep, rest = text.partition("://")
    scheme = scheme.lower()
    if not sep or scheme not in ("http", "https"):
        raise ValueError(f"{text!r} is not an absolute http or https URL")
    rest = rest.partition("#")[0]
    cut = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    authority, tail = rest[:cut], rest[cut:]
    path, _, query = tail.partition("?")
    if "@" in authority:
        raise ValueError("a URL with credentials in it is not accepted; give them as headers")
    host, port = split_authority(authority, 443 if scheme == "https" else 80)
    if not host:
        raise ValueError(f"{text!r} names no host")
    return Url(scheme, host.lower(), port, path, query)


def split_authority(authority: str, default_port: int) -> tuple[str, int]:
    """(host, port) of `host`, `host:port`, `[v6]` or `[v6]:port`. ValueError when the port is none."""
    if authority.startswith("["):
        host, _, tail = authority[1:].partition("]")
        port_text = tail.removeprefix(":")
    else:
        host, _, port_text = authority.partition(":")
    if not port_text:
        return host, default_port
    if not port_text.isascii() or not port_text.isdigit() or not 0 < int(port_text) < 65536:
        raise ValueError(f"{port_text!r} is not a port")
    return host, int(port_text)


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs as a query string, percent-encoded (RFC 3986), in order."""
    return "&".join(f"{quote(n, safe='-._~$')}={quote(v, safe='-._~:/,$@!*()')}" for n, v in pairs)


def decode_component(text: str) -> str:
    """A query component as its sender meant it (`+` is a space)."""
    return unquote_plus(text)
