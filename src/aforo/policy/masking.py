"""What must not be read by people: credentials by name, and texts that were found to be secret. It knows no output.

Secrets are followed in two ways: by flow (`Site.secret`, `Exchange.tainted`), which catches what is made of them, and
by their text, which catches copies that went a way nobody follows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from aforo.messages import decode_component
from aforo.policy.exchange import Exchange

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
_SCHEME: Final = re.compile(r"^[A-Za-z][A-Za-z0-9-]*\s+")


class Secrets:
    """Texts that were found to be secret in one call; in upper and lower case they are the same."""

    __slots__ = ("_found", "_pattern", "longest")

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._found: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.longest = 0
        for text in known:
            self.add(text)

    def add(self, text: str) -> None:
        """The text itself, and as URLs and JSON write it; of `Bearer x` also the `x`."""
        for each in (text, _SCHEME.sub("", text)):
            plain = each.strip()
            if not SHORTEST <= len(plain) <= _LONGEST:
                continue
            for form in (plain, quote(plain, safe=""), json.dumps(plain, ensure_ascii=False)[1:-1]):
                if form not in self._found:
                    self._found.add(form)
                    self.longest = max(self.longest, len(form))
                    self._pattern = None

    def mask(self, text: str) -> str:
        if not self._found:
            return text
        if self._pattern is None:
            # The longest first: one secret may be a part of another.
            ordered = sorted(self._found, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE)
        return self._pattern.sub(MASK, text)


def is_credential(exchange: Exchange, header: str) -> bool:
    """Whether a header's value lets its reader in: by the usual names, or as this API's key."""
    api = exchange.api
    return header in CREDENTIAL_HEADERS or (api is not None and header == api.key_header.lower())


def is_credential_parameter(exchange: Exchange, name: str) -> bool:
    api = exchange.api
    folded = name.lower()
    return folded in CREDENTIAL_PARAMETERS or (api is not None and folded == api.key_query.lower())


def gather(exchange: Exchange, into: Secrets) -> None:
    """What the call holds of secrets just now: credentials that came with it, and variables that are tainted."""
    request = exchange.request
    headers = [request.headers] if exchange.response is None else [request.headers, exchange.response.headers]
    for each in headers:
        for name, value in each:
            if is_credential(exchange, name.decode("latin-1")):
                into.add(value.decode("utf-8", "replace"))
    for parameter, values in request.url.query_values().items():
        if is_credential_parameter(exchange, parameter):
            for text in values:
                into.add(text)
    for variable in exchange.tainted or ():
        for text in texts_of(exchange.variables.get(variable)):
            into.add(text)


def texts_of(value: Any) -> list[str]:
    """The texts in a value, as far as they are at hand: of a response its body."""
    body = getattr(value, "body", None)
    data = getattr(body, "data", None) if body is not None else value
    if isinstance(data, (bytes, bytearray)):
        return [bytes(data[:_LONGEST]).decode("utf-8", "replace")]
    if data is None or isinstance(data, bool):
        return []
    text = shown(data)
    return [text] if text is not None else []


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
