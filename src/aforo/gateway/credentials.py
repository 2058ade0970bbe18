"""What backends are shown of us: headers, parameters, tokens, client certificates, and the proxy on the way."""

from __future__ import annotations

from base64 import b64encode

from aforo.egress.pool import Proxy as EgressProxy
from aforo.egress.pool import Way
from aforo.egress.tls import Identity
from aforo.errors import Upstream
from aforo.messages import Headers, encode_query, parse_url
from aforo.policy.masking import MASK
from aforo.policy.services import Certificate, Proxy, Tokens
from aforo.snapshot.snapshot import BackendEntry


def way_of(certificate: Certificate | None, proxy: Proxy | None) -> Way | None:
    """How a connection is made; None: plainly."""
    if certificate is None and proxy is None:
        return None
    through = None
    if proxy is not None:
        try:
            url = parse_url(proxy.url)
        except ValueError as error:
            raise Upstream(f"the proxy's URL is wrong: {error}") from error
        through = EgressProxy(url.host, url.port, proxy.authorization)
    return Way(Identity(certificate.pem, certificate.key_pem) if certificate is not None else None, through)


def proxy_of(entry: BackendEntry) -> Proxy | None:
    """The proxy that a backend resource names."""
    if entry.proxy is None:
        return None
    url, name, word = entry.proxy
    login = b64encode(f"{name}:{word}".encode()).decode()
    return Proxy(url, f"Basic {login}" if name else "")


def add_query(query: str, entry: BackendEntry) -> tuple[str, str]:
    """The query with the backend's own parameters, as it is sent and as it may be shown."""
    own = encode_query((name, value) for name, values in entry.query for value in values)
    masked = "&".join(f"{name}={MASK}" for name, values in entry.query for _ in values)
    return (f"{query}&{own}", f"{query}&{masked}") if query else (own, masked)


async def add_headers(headers: Headers, entry: BackendEntry, tokens: Tokens) -> Headers:
    """The headers with the backend's own credentials; the given ones are not changed."""
    if not (entry.headers or entry.authorization or entry.managed_identity):
        return headers
    headers = headers.copy()
    for name, values in entry.headers:
        headers.set(name.lower().encode(), *(v.encode() for v in values))
    if entry.authorization is not None:
        headers.set(b"authorization", " ".join(entry.authorization).encode())
    if entry.managed_identity is not None:
        resource, client_id = entry.managed_identity
        token = tokens.cached(resource, client_id) or await tokens.fetch(resource, client_id)
        headers.set(b"authorization", b"Bearer " + token.encode())
    return headers
