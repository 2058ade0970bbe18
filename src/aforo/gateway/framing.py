"""What of a request's head two parsers could read differently, and what is refused of it. It knows no connection.

httptools refuses most; repeated or missing `Host`, and `Transfer-Encoding` in HTTP/1.0 or beside a length, end here.
"""

from __future__ import annotations

from aforo.messages import Fields, Headers
from aforo.policy import answers

# What a host with its port consists of (RFC 3986 3.2), without user names.
_AUTHORITY = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+;=:[]%"


class Misframed(Exception):  # noqa: N818 - raised through the parser, answered at once
    """A request that ends its connection, with the status and the words that the client gets."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def answer(self) -> bytes:
        """The whole answer that says so, and that the connection ends."""
        body = answers.body_of(self.status, self.message)
        return (
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (self.status, answers.reason_of(self.status).encode(), len(body), body)
        )


def stated_length(fields: Fields, version: str) -> int:
    """The stated length of a request, -1 when it states none; refuses what could be read in two ways."""
    if version not in ("1.1", "1.0"):
        raise Misframed(505, "Only versions 1.1 and 1.0 of HTTP are spoken here")
    host = fields.get(b"host")
    if (host is None and version == "1.1") or isinstance(host, list):
        raise Misframed(400, "Bad request: exactly one Host header is needed")
    if host is not None and host.translate(None, _AUTHORITY):
        raise Misframed(400, "Bad request: the Host header is no host")
    length = fields.get(b"content-length")
    coding = fields.get(b"transfer-encoding")
    if coding is not None:
        if version == "1.0" or isinstance(coding, list) or coding.lower() != b"chunked":
            raise Misframed(400, "Bad request: Transfer-Encoding must be `chunked`, and not in HTTP/1.0")
        if length is not None:
            raise Misframed(400, "Bad request: Content-Length and Transfer-Encoding exclude each other")
    if isinstance(length, list):
        raise Misframed(400, "Bad request: Content-Length may stand only once")
    return -1 if length is None else int(length)


def origin_form(target: bytes, host: bytes | list[bytes] | None) -> bytes:
    """RFC 9112 3.2: a server must accept the absolute form too, whose host must be the one of `Host`."""
    if target[:7].lower() == b"http://" or target[:8].lower() == b"https://":
        rest = target.partition(b"://")[2]
        ends = [at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0]
        end = min(ends, default=len(rest))
        if isinstance(host, bytes) and rest[:end].lower() != host.lower():
            raise Misframed(400, "Bad request: the request target and Host name different hosts")
        return rest[end:] if rest[end : end + 1] == b"/" else b"/" + rest[end:]
    raise Misframed(400, "Bad request: the request target must be a path")


def upgrade_refused(fields: Fields, length: int, *, upgrades: bool) -> None:
    """Misframed for what would leave HTTP/1.1; an offer that may be ignored is. `upgrades`: the parser would do it."""
    if b"websocket" in (Headers(fields).joined(b"upgrade") or b"").lower():
        raise Misframed(501, "Upgrading the connection to WebSocket is not supported")
    if upgrades and (length > 0 or b"transfer-encoding" in fields):
        # The parser would take the body for what follows the upgrade: the next request, as we see it.
        raise Misframed(501, "Upgrading the connection with a request that has a body is not supported")
