"""Redirects of a backend that `forward-request` follows: which request comes next. It opens nothing."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urljoin

from aforo.egress.fetch import FOR_ANYBODY
from aforo.egress.pool import Way
from aforo.gateway.backends import Backend
from aforo.messages import Headers, parse_url

STATUSES = frozenset((301, 302, 303, 307, 308))
MOST = 5
_OF_A_BODY = frozenset((b"content-type", b"content-encoding", b"content-language", b"content-location"))


class Next(NamedTuple):
    """The request to send instead. Its `backend` has no entry where it is another origin than the one before."""

    backend: Backend
    method: str
    headers: Headers
    body: bytes
    target: str
    url: str


def following(
    status: int,
    location: bytes | None,
    url: str,
    backend: Backend,
    method: str,
    headers: Headers,
    body: bytes,
) -> Next | None:
    """None: the answer goes to the client. From https to http nothing is followed.

    Another origin gets no credentials, neither of the call nor of the backend; only the proxy stays.
    """
    try:
        to = parse_url(urljoin(url, (location or b"").decode("latin-1")))
    except ValueError:
        return None
    origin = backend.origin
    if location is None or (origin.scheme == "https" and to.scheme == "http"):
        return None
    # RFC 9110 15.4: 303 asks for the answer, and everybody reads 301 and 302 so after a POST.
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        headers = Headers.of(item for item in headers if item[0] not in _OF_A_BODY)
    entry, way = backend.entry, origin.way
    if (to.scheme, to.host, to.port) != (origin.scheme, origin.host, origin.port):
        headers = Headers.of(item for item in headers if item[0] in FOR_ANYBODY)
        entry = None
        way = Way(None, way.proxy) if way is not None and way.proxy is not None else None
    return Next(Backend(to, entry, way), method, headers, body, to.target, str(to))
