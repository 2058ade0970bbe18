"""HTTP as plain values: headers, URLs, bodies. It knows no socket, no server framework and no policy.

Header names are lower-case bytes everywhere inside the product and on its wires, as HTTP/2 and Envoy have it
(docs/decisions/0003-lower-case-header-names.md); values are bytes as received.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote_plus

import msgspec

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


_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # noqa: S105 - characters of a token in the sense of HTTP
_BREAKS = bytes.maketrans(b"\r\n\0", b"   ")
_COLON = b": ".join
# Values of `Connection` that name no other field, and that there is none.
_NAMES_NOTHING = (None, b"keep-alive", b"close", b"Keep-Alive")

Fields = dict[bytes, bytes | list[bytes]]


def repeat(fields: Fields, name: bytes, value: bytes) -> None:
    """Another value of a field that stands in `fields` already; only for who has not shared them yet."""
    known = fields[name]
    if isinstance(known, list):
        known.append(value)
    else:
        fields[name] = [known, value]


class Headers(msgspec.Struct, eq=False, gc=False):
    """An ordered multimap of header fields, names in lower case.

    `fields` maps a name to its value, or to a list of values where the field stands more than once: almost
    every message has each field once, and then a look-up or a copy is one step in C. It is taken without a copy.
    """

    fields: Fields = {}

    @classmethod
    def of(cls, items: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Of pairs of name and value, in their order."""
        made = cls()
        for name, value in items:
            made.append(name, value)
        return made

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field, None when absent."""
        value = self.fields.get(name)
        return value[0] if isinstance(value, list) else value

    def get_all(self, name: bytes) -> list[bytes]:
        value = self.fields.get(name)
        if value is None:
            return []
        return list(value) if isinstance(value, list) else [value]

    def joined(self, name: bytes) -> bytes | None:
        """All values of a field joined with a comma (RFC 9110 5.3), None when absent."""
        value = self.fields.get(name)
        return b",".join(value) if isinstance(value, list) else value

    def set(self, name: bytes, *values: bytes) -> None:
        """Replace all fields of that name; the first one's place is kept."""
        if len(values) == 1:
            self.fields[name] = values[0]
        elif values:
            self.fields[name] = list(values)
        else:
            self.fields.pop(name, None)

    def append(self, name: bytes, value: bytes) -> None:
        known = self.fields.get(name)
        if known is None:
            self.fields[name] = value
        else:
            self.fields[name] = [*known, value] if isinstance(known, list) else [known, value]

    def remove(self, name: bytes) -> None:
        self.fields.pop(name, None)

    def copy(self) -> Headers:
        return Headers(self.fields.copy())

    def names(self) -> list[bytes]:
        """Distinct names in order of first appearance."""
        return list(self.fields)

    def passed_on(self) -> Headers:
        """A copy without what `Connection` names (RFC 9110 7.6.1): that was meant for the neighbour alone. Make it on
        receipt: later, a sender could strike out what a policy has set."""
        out = Headers(self.fields.copy())
        if self.fields.get(b"connection") not in _NAMES_NOTHING:
            for name in (self.joined(b"connection") or b"").split(b","):
                token = name.strip().lower()
                if token not in (b"close", b"keep-alive", b"connection"):
                    out.fields.pop(token, None)
        return out

    def block(self, dropped: frozenset[bytes]) -> bytes:
        """`name: value` of every field that is not dropped, with CR LF between them and none at the end.

        What a policy put in must not end a line: a line break or NUL becomes a blank (RFC 9110 5.5).
        """
        try:
            # A field with several values breaks this off; hardly any message has one.
            lines = [_COLON(item) for item in self.fields.items() if item[0] not in dropped]  # type: ignore[arg-type]
        except TypeError:
            pass
        else:
            text = b"".join(lines)
            # A number is looked for ten times as fast as a byte string of one.
            if 10 not in text and 13 not in text and 0 not in text:
                return b"\r\n".join(lines)
        return b"\r\n".join((n + b": " + v).translate(_BREAKS) for n, v in self if n not in dropped)

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for name, value in self.fields.items():
            if isinstance(value, list):
                for one in value:
                    yield name, one
            else:
                yield name, value

    def __len__(self) -> int:
        return sum(len(v) if isinstance(v, list) else 1 for v in self.fields.values())

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


def is_event_stream(headers: Headers) -> bool:
    """Whether a message with these fields comes event by event."""
    content_type = headers.fields.get(b"content-type")
    if type(content_type) is bytes:
        return _tells_events(content_type)
    return content_type is not None and _tells_events(content_type[0])


@lru_cache(maxsize=256)
def _tells_events(content_type: bytes) -> bool:
    return content_type[:17].lower() == b"text/event-stream"


def parse_url(text: str) -> Url:
    """Split an absolute http(s) URL. ValueError says what is wrong with it."""
    scheme, sep, rest = text.partition("://")
    scheme = scheme.lower()
    if any(c <= " " or c == "\x7f" for c in text):
        raise ValueError("a URL may not have blanks, line breaks or control characters in it")
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
    """(host, port) of `host`, `host:port`, `[v6]` or `[v6]:port`. ValueError for anything else."""
    if authority.startswith("["):
        host, end, tail = authority[1:].partition("]")
        if not end or (tail and not tail.startswith(":")):
            raise ValueError(f"{authority!r} is not [address] or [address]:port")
        port_text = tail[1:]
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


def wire_target(target: str) -> str:
    """A request target that is one word on the wire: what may not stand in a request line is percent-encoded."""
    if target.isascii() and target.isprintable() and " " not in target:
        return target
    return quote(target, safe=_PRINTABLE)


def is_token(text: str) -> bool:
    """Whether this is a token (RFC 9110 5.6.2): a method or a field name."""
    return text.isascii() and bool(text) and not text.strip(_TOKEN)


def decode_component(text: str) -> str:
    """A query component as its sender meant it (`+` is a space)."""
    return unquote_plus(text)
