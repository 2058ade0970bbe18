"""What must not be read by people: credentials by name, and texts that were found to be secret. It knows no output.

Secrets are followed in two ways: by flow (`Site.secret`, `Exchange.tainted`), which catches what is made of them, and
by their text (`written_forms`), which catches copies that went a way nobody follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import orjson

from aforo.messages import decode_component
from aforo.policy.exchange import Exchange
from aforo.policy.written_forms import forms, pattern, views

MASK: Final = "*****"

# Headers whose values are credentials: what is made of them is as secret as they are.
CREDENTIAL_HEADERS: Final = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "api-key",
        "x-api-key",
        "ocp-apim-subscription-key",
        "cookie",
        "set-cookie",
        "apim-debug-authorization",
        "x-functions-key",
    )
)
CREDENTIAL_PARAMETERS: Final = frozenset(
    (
        "subscription-key",
        "ocp-apim-subscription-key",
        "api-key",
        "apikey",
        "api_key",
        "code",
        "sig",
        "key",
        "token",
        "access_token",
        "client_secret",
    )
)
# A shorter text is masked where it flows, and not wherever its letters stand.
SHORTEST: Final = 6
_LONGEST: Final = 64 * 1024
_SHORTEST_LEAF: Final = 8
_MOST_PARTS: Final = 200
_LARGEST_BODY: Final = 4096
_SCHEME: Final = re.compile(r"^[A-Za-z][A-Za-z0-9-]*\s+")
# A signed or an encrypted token (JWS, JWE), whatever the header or parameter is called that brings it.
_TOKEN: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]* +)?(ey[JA-I][\w-]{8,}(?:\.[\w-]*){2,4})\s*", re.ASCII)


class Secrets:
    """Texts that were found to be secret in one call, however they are written: in `written_forms`."""

    __slots__ = ("_found", "longest")

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._found: set[str] = set()
        self.longest = 0  # of the ways in which they may be written
        for text in known:
            self.add(text)

    def add(self, text: str) -> None:
        """The text itself; of `Bearer x` also the `x`."""
        for each in (text, _SCHEME.sub("", text)):
            plain = each.strip()
            if SHORTEST <= len(plain) <= _LONGEST and plain not in self._found:
                self._found.add(plain)
                self.longest = max(self.longest, *map(len, forms(plain)))

    def mask(self, text: str) -> str:
        if not self._found or len(text) < SHORTEST:
            return text
        seen = views(text)
        there = [plain for plain in self._found if _stands_in(plain, seen)]
        if not there:
            return text
        # The longest first: one secret may be a part of another.
        there.sort(key=len, reverse=True)
        for plain in there:
            text = pattern(plain).sub(MASK, text)
        seen = views(text)
        # Escaped in a way that no pattern has: nothing of it is shown.
        return MASK if any(_stands_in(plain, seen) for plain in there) else text


def _stands_in(plain: str, seen: tuple[str, ...]) -> bool:
    return any(form in view for form in forms(plain) for view in seen)


def is_credential(exchange: Exchange, header: str) -> bool:
    """Whether a header's value lets its reader in: by the usual names, or as this API's key."""
    api = exchange.api
    return header in CREDENTIAL_HEADERS or (api is not None and header == api.key_header.lower())


def is_credential_parameter(exchange: Exchange, name: str) -> bool:
    api = exchange.api
    folded = name.lower()
    return folded in CREDENTIAL_PARAMETERS or (api is not None and folded == api.key_query.lower())


def holds_credential(exchange: Exchange, part: str | None = None) -> bool:
    """Whether a parameter of the call's URL is a credential; with a text, whether that is no plain part of the URL
    which has all of them whole."""
    url = exchange.request.url
    found = [
        value
        for name, values in url.query_values().items()
        if is_credential_parameter(exchange, name)
        for value in values
    ]
    if not found or part is None:
        return bool(found)
    return part not in str(url) or not all(len(v) >= SHORTEST and v in decode_component(part) for v in found)


def gather(exchange: Exchange, into: Secrets) -> None:
    """What the call holds of secrets just now: credentials that came with it, and all that is tainted."""
    request, response = exchange.request, exchange.response
    tainted = exchange.tainted or ()
    for headers in (request.headers, *(() if response is None else (response.headers,))):
        for field, value in headers:
            name = field.decode("latin-1")
            if is_credential(exchange, name) or f"header:{name}" in tainted:
                into.add(value.decode("utf-8", "replace"))
            elif b"ey" in value and (token := _TOKEN.fullmatch(value.decode("utf-8", "replace"))):
                into.add(token[1])
    for parameter, values in request.url.query_values().items():
        credential = is_credential_parameter(exchange, parameter)
        for text in values:
            if credential or _TOKEN.fullmatch(text):
                into.add(text)
    for name in tainted:
        if name in exchange.variables:
            for text in texts_of(exchange.variables[name]):
                into.add(text)
    for text in _places(exchange) if tainted else ():
        into.add(text)


def _places(exchange: Exchange) -> Iterable[str]:
    """What stands where a secret went into the request, but for headers."""
    request, tainted = exchange.request, exchange.tainted or ()
    if "@base-url" in tainted:
        for base in (exchange.backend_base_url, exchange.backend_id):
            if base:
                yield base
                authority = base.partition("://")[2].partition("/")[0]
                yield authority
                yield authority.rpartition("@")[2].rpartition(":")[0] or authority
    if "@path" in tainted:
        yield request.path
        yield from request.path.split("/")
    if "@query" in tainted:
        for part in request.query.split("&"):
            name, _, value = part.partition("=")
            if "query:*" in tainted or f"query:{decode_component(name).lower()}" in tainted:
                yield decode_component(value)
    for place, message in (("@request-body", request), ("@response-body", exchange.response)):
        if place in tainted and message is not None and len(message.body.data or b"") <= _LARGEST_BODY:
            yield from texts_of(message)


def texts_of(value: Any) -> list[str]:
    """The texts in a value, as far as they are at hand: of a response its body; of JSON also what it holds."""
    body = getattr(value, "body", None)
    data = getattr(body, "data", None) if body is not None else value
    if isinstance(data, (bytes, bytearray)):
        text: str | None = bytes(data[:_LONGEST]).decode("utf-8", "replace")
    elif isinstance(data, (list, tuple, set, dict)):
        items = [*data.keys(), *data.values()] if isinstance(data, dict) else list(data)
        return [text for item in items[:_MOST_PARTS] for text in texts_of(item)]
    elif data is None or isinstance(data, bool):
        return []
    else:
        text = shown(data)
    if text is None:
        return []
    return [text, *_leaves(text)] if text[:1] in ("{", "[") else [text]


def _leaves(text: str) -> list[str]:
    """The texts in a JSON text that are long enough to be no word of a protocol."""
    try:
        waiting = [orjson.loads(text)]
    except ValueError:
        return []
    found: list[str] = []
    while waiting and len(found) < _MOST_PARTS:
        at = waiting.pop()
        if isinstance(at, dict):
            waiting += [*at.keys(), *at.values()]
        elif isinstance(at, list):
            waiting += at
        elif isinstance(at, str) and len(at) >= _SHORTEST_LEAF:
            found.append(at)
    return found


def shown(value: Any) -> str | None:
    """A value as C# writes it; None for null. What cannot be written says so."""
    from aforo.csharp.runtime.limits import begin
    from aforo.csharp.runtime.objects import to_string

    if value is None:
        return None
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes"
    # Not part of the expression that gave it: a tree that is written out here has a budget of its own.
    begin()
    try:
        return to_string(value)
    except Exception:  # noqa: BLE001 - whatever it is, a trace must not fail the call
        return "(a value that cannot be shown)"


def shown_query(exchange: Exchange, query: str) -> str:
    """A query string whose credentials are masked."""
    parts = []
    for part in query.split("&"):
        name, equals, _ = part.partition("=")
        secret = is_credential_parameter(exchange, decode_component(name))
        parts.append(f"{name}={MASK}" if equals and secret else part)
    return "&".join(parts)


def shown_url(exchange: Exchange, url: str) -> str:
    """A backend's URL; parameters that the request does not have are the backend's credentials."""
    path, asked, query = url.partition("?")
    if not asked:
        return path
    ours = set(exchange.request.query.split("&"))
    parts = [p if p in ours else f"{p.partition('=')[0]}={MASK}" for p in query.split("&")]
    return f"{path}?{shown_query(exchange, '&'.join(parts))}"
