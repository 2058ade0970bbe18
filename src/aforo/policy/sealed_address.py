"""A backend's address as the record of a call shows it: without what policies made of secrets. It knows no record."""

from __future__ import annotations

from typing import Final

from aforo.messages import decode_component
from aforo.policy.exchange import Exchange
from aforo.policy.masking import MASK
from aforo.policy.running import reads_sealed

# Where in the request to the backend a secret may stand.
PLACES: Final = frozenset(("@base-url", "@path", "@query"))


def without_sealed(exchange: Exchange, url: str) -> str:
    """A backend's URL without the parts into which a secret went, as far as more than a token's claims."""

    def sealed(place: str) -> bool:
        return reads_sealed(exchange, frozenset((place,)))

    address, asked, query = url.partition("?")
    scheme, found, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    if sealed("@base-url"):
        # A base URL has a path too.
        scheme, found, host, slash, path = "", "", MASK, "/" if slash else "", MASK if slash else ""
    elif sealed("@path"):
        path = MASK
    if asked and sealed("query:*"):
        query = MASK
    elif asked and "@query" in (exchange.tainted or ()):
        parts = (part.partition("=") for part in query.split("&"))
        query = "&".join(
            f"{name}{equals}{MASK if sealed(f'query:{decode_component(name).lower()}') else value}"
            for name, equals, value in parts
        )
    return f"{scheme}{found}{host}{slash}{path}{asked}{query}"
