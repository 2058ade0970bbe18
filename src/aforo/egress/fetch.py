"""A whole request with a whole answer, for everything that is not a proxied call: tokens, imports, probes,
`send-request`. Redirects are followed only when asked, and each one is judged anew."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urljoin

from aforo.egress.http1 import ClientConnection, WireError
from aforo.egress.pool import Origin, Pool, Proxy, Way
from aforo.errors import Invalid, Timeout, Upstream
from aforo.messages import Headers, Url, is_token, parse_url, wire_target

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_REDIRECTS = 5
# What goes with a request to another origin than it was made for: any other field may be a credential.
FOR_ANYBODY = frozenset(
    (b"accept", b"accept-encoding", b"accept-language", b"content-encoding", b"content-type", b"user-agent")
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; `body` is as received (`content-encoding` applies)."""

    status: int
    reason: str
    headers: Headers
    body: bytes


class _Waiter:
    """Collects one answer."""

    def __init__(self, connection: ClientConnection, max_bytes: int) -> None:
        self.connection = connection
        self.max_bytes = max_bytes
        self.size = 0
        self.chunks: list[bytes] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def progress(self) -> None:
        for chunk in self.connection.take():
            self.size += len(chunk)
            self.chunks.append(chunk)
        if self.done.done():
            return
        if self.connection.failure is not None:
            self.done.set_exception(self.connection.failure)
        elif self.size > self.max_bytes:
            self.done.set_exception(Upstream(f"the answer is larger than {self.max_bytes} bytes"))
        elif self.connection.ended:
            self.done.set_result(None)

    def can_write(self, ready: bool) -> None:
        """The body was handed over whole; there is nothing to hold back."""


async def fetch(
    pool: Pool,
    method: str,
    url: str,
    headers: Headers | None = None,
    body: bytes = b"",
    *,
    timeout_s: float = 60.0,
    max_bytes: int = MAX_ANSWER_BYTES,
    follow_redirects: bool = False,
    validate_chain: bool = True,
    validate_name: bool = True,
    way: Way | None = None,
) -> Answer:
    """Send a request and wait for the whole answer; Invalid, Denied, Upstream or Timeout when there is none."""
    reach = _Reach(pool, max_bytes, validate_chain, validate_name, way)
    work = _fetch(
        reach, method, url, headers or Headers(), body, timeout_s, follow_redirects=follow_redirects
    )
    # In a task of its own: a call that is stepped by hand may not use asyncio's time-outs.
    return await asyncio.get_running_loop().create_task(work)


@dataclass(frozen=True, slots=True)
class _Reach:
    """What stays the same over redirects, but for what is given up at another origin."""

    pool: Pool
    max_bytes: int
    validate_chain: bool
    validate_name: bool
    way: Way | None

    def origin(self, url: Url) -> Origin:
        return Origin(url.scheme, url.host, url.port, self.validate_chain, self.validate_name, self.way)

    def elsewhere(self) -> _Reach:
        """Another origin gets no certificate of ours, and shows its own like anybody."""
        proxy = self.way.proxy if self.way is not None else None
        return _Reach(self.pool, self.max_bytes, True, True, Way(None, proxy) if proxy is not None else None)


async def _fetch(
    reach: _Reach,
    method: str,
    url: str,
    headers: Headers,
    body: bytes,
    timeout_s: float,
    *,
    follow_redirects: bool,
) -> Answer:
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(MAX_REDIRECTS + 1):
                answer = await _once(reach, method, _parse(url), headers, body)
                location = answer.headers.get(b"location")
                if not follow_redirects or answer.status not in (301, 302, 303, 307, 308) or location is None:
                    return answer
                before, url = _parse(url), _joined(url, location.decode("latin-1"))
                after = _parse(url)
                if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                    method, body = "GET", b""
                if (before.scheme, before.host, before.port) != (after.scheme, after.host, after.port):
                    # Credentials are for who they were given to, and any field may be one.
                    headers = Headers.of(i for i in headers if i[0] in FOR_ANYBODY)
                    reach = reach.elsewhere()
            raise Upstream(f"more than {MAX_REDIRECTS} redirects")
    except TimeoutError as error:
        raise Timeout(f"no answer from {_shown(url)} within {timeout_s:g} s") from error


async def _once(reach: _Reach, method: str, url: Url, headers: Headers, body: bytes) -> Answer:
    origin = reach.origin(url)
    proxy = reach.way.proxy if reach.way is not None and url.scheme == "http" else None
    data = _request(method, url, headers, body, proxy)
    connection = reach.pool.take(origin)
    while True:
        if connection is None:
            connection = await reach.pool.connect(origin)
        waiter = _Waiter(connection, reach.max_bytes)
        connection.send(waiter, data, method == "HEAD")
        try:
            await waiter.done
        except WireError as failure:
            connection.close()
            if failure.reused and not failure.answered:
                connection = None
                continue
            raise Upstream(f"{url.host}:{url.port}: {failure}") from failure
        except BaseException:
            connection.close()
            raise
        answer = Answer(
            connection.status,
            connection.reason.decode("latin-1"),
            connection.headers,
            b"".join(waiter.chunks),
        )
        connection.release()
        return answer


def _request(method: str, url: Url, headers: Headers, body: bytes, proxy: Proxy | None = None) -> bytes:
    if not is_token(method):
        raise Invalid(f"{method!r} is not a method")
    authority = url.authority.encode("ascii" if url.authority.isascii() else "idna")
    target = wire_target(url.target).encode()
    if proxy is not None:
        # A proxy without a tunnel is told the whole URL (RFC 9112 3.2.2).
        target = b"http://%b%b" % (authority, target)
    lines = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method.encode(), target, authority)]
    if proxy is not None and proxy.authorization:
        lines.append(b"proxy-authorization: %b\r\n" % proxy.authorization.encode())
    for name, value in headers:
        if name not in (b"host", b"content-length", b"transfer-encoding", b"connection"):
            if not is_token(name.decode("latin-1")) or b"\r" in value or b"\n" in value or b"\0" in value:
                raise Invalid(
                    f"the header {name.decode('latin-1')!r} or its value has a character that it may not have"
                )
            lines.append(b"%b: %b\r\n" % (name, value))
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(b"content-length: %d\r\n" % len(body))
    lines.append(b"\r\n")
    lines.append(body)
    return b"".join(lines)


def _parse(url: str) -> Url:
    try:
        return parse_url(url)
    except ValueError as error:
        raise Invalid(str(error)) from error


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise Invalid(f"the redirect leads nowhere: {error}") from error


def _shown(url: str) -> str:
    """A URL for a message: its query may hold secrets."""
    return url.partition("?")[0]
