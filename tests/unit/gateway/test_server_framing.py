"""Requests that two parsers could read differently are refused, and nothing behind them is ever served."""

from __future__ import annotations

import pytest

from aforo.gateway import server
from tests.support.gateway import gate, story

# What follows in the same bytes must never reach the backend: it is what a smuggler wants to be read.
SMUGGLED = b"GET /echo/smuggled HTTP/1.1\r\nHost: gate\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"POST /echo/x HTTP/1.1", b"Host: gate", *lines, b"", body))


CHUNKED = b"Transfer-Encoding: chunked"
REFUSED = {
    "two lengths that differ": post(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"),
    "two equal lengths": post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"),
    "a list of lengths": post(b"Content-Length: 3, 3", body=b"abc"),
    "a signed length": post(b"Content-Length: +3", body=b"abc"),
    "a hexadecimal length": post(b"Content-Length: 0x3", body=b"abc"),
    "an empty length": post(b"Content-Length:"),
    "a length beyond 64 bits": post(b"Content-Length: 99999999999999999999999", body=b"abc"),
    "length and coding": post(b"Content-Length: 3", CHUNKED, body=b"0\r\n\r\n"),
    "coding and length": post(CHUNKED, b"Content-Length: 3", body=b"0\r\n\r\n"),
    "coding in HTTP/1.0": b"POST /echo/x HTTP/1.0\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two codings": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "coding twice": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "coding identity": post(b"Transfer-Encoding: identity", body=b"abc"),
    "almost chunked": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunked, then more": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "vertical tab before chunked": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "bare LF after the request line": b"GET /echo/x HTTP/1.1\nHost: gate\r\n\r\n",
    "bare LF after a field": b"GET /echo/x HTTP/1.1\r\nHost: gate\nA: b\r\n\r\n",
    "bare LF as the blank line": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\n\n",
    "bare CR in a value": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nA: b\rC: d\r\n\r\n",
    "NUL in a value": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nA: b\x00c\r\n\r\n",
    "obsolete folding": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nA: b\r\n c\r\n\r\n",
    "folding with a tab": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nA: b\r\n\tc\r\n\r\n",
    "space before the colon": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nContent-Length : 0\r\n\r\n",
    "space before the first field": b"GET /echo/x HTTP/1.1\r\n Host: gate\r\n\r\n",
    "a field without a name": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\n: b\r\n\r\n",
    "a field without a colon": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nabc\r\n\r\n",
    "a name with a bracket": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nA(b): c\r\n\r\n",
    "no Host": b"GET /echo/x HTTP/1.1\r\nA: b\r\n\r\n",
    "two Hosts": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nHost: gate\r\n\r\n",
    "a path in Host": b"GET /echo/x HTTP/1.1\r\nHost: gate/echo\r\n\r\n",
    "two hosts in one": b"GET /echo/x HTTP/1.1\r\nHost: gate, other\r\n\r\n",
    "a user in Host": b"GET /echo/x HTTP/1.1\r\nHost: gate@other\r\n\r\n",
    "a quote in Host": b'GET /echo/x HTTP/1.1\r\nHost: gate"\r\n\r\n',
    "a raw byte in Host": b"GET /echo/x HTTP/1.1\r\nHost: g\xffte\r\n\r\n",
    "a lower-case method": b"get /echo/x HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a tab in the target": b"GET /echo/x\ty HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a raw byte in the target": b"GET /echo/\xff HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a blank after the version": b"GET /echo/x HTTP/1.1 \r\nHost: gate\r\n\r\n",
    "another protocol": b"GET /echo/x HTCPCP/1.1\r\nHost: gate\r\n\r\n",
    "an unknown version": b"GET /echo/x HTTP/1.2\r\nHost: gate\r\n\r\n",
    "the asterisk": b"OPTIONS * HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a tunnel": b"CONNECT gate:443 HTTP/1.1\r\nHost: gate:443\r\n\r\n",
    "a target for another host": b"GET http://other/echo/x HTTP/1.1\r\nHost: gate\r\n\r\n",
    "TLS on the plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
OTHER = {
    505: {
        "HTTP/0.9": b"GET /echo/x\r\n\r\n",
        "HTTP/2.0 by name": b"GET /echo/x HTTP/2.0\r\nHost: gate\r\n\r\n",
    },
    501: {
        "a WebSocket": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "an upgrade with a body": post(
            b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED
        ),
        "an upgrade with chunks": post(b"Connection: Upgrade", b"Upgrade: h2c", CHUNKED, body=b"0\r\n\r\n"),
    },
    414: {
        "a giant target": b"GET /echo/" + b"a" * server.MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: gate\r\n\r\n"
    },
    431: {
        "too many fields": b"GET /echo/x HTTP/1.1\r\nHost: gate\r\n"
        + b"a: b\r\n" * server.MAX_HEAD_FIELDS
        + b"\r\n",
    },
}
CASES = [(400, n, d) for n, d in REFUSED.items()] + [
    (s, n, d) for s, c in OTHER.items() for n, d in c.items()
]


@pytest.mark.parametrize(("status", "data"), [(s, d) for s, _, d in CASES], ids=[n for _, n, _ in CASES])
@story
async def test_refused_and_closed(status: int, data: bytes) -> None:
    async with gate() as g:
        got = await g.transcript(data + SMUGGLED)
        assert got.startswith(b"HTTP/1.1 %d " % status), got
        assert b"\r\nconnection: close\r\n" in got
        assert got.count(b"HTTP/1.1 ") == got.count(b"connection: close\r\n") == 1
        assert g.backend.heard == []


BAD_CHUNKS = {
    "a size that is none": b"xyz\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-1\r\na\r\n0\r\n\r\n",
    "a prefix": b"0x1\r\na\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"fffffffffffffffff\r\na\r\n0\r\n\r\n",
    "a blank before the size": b" 1\r\na\r\n0\r\n\r\n",
    "a blank after the size": b"1 \r\na\r\n0\r\n\r\n",
    "bare LF after the size": b"1\na\r\n0\r\n\r\n",
    "bare LF after the data": b"1\r\na\n0\r\n\r\n",
    "LF in an extension": b"1;a\nb\r\na\r\n0\r\n\r\n",
    "more data than said": b"1\r\nab\r\n0\r\n\r\n",
    "no size at all": b"\r\n\r\n",
}


@pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
@story
async def test_bad_chunks_end_the_connection(chunks: bytes) -> None:
    async with gate() as g:
        got = await g.transcript(post(CHUNKED, body=chunks) + SMUGGLED)
        # The call was under way: nothing of an answer may be mixed with another one.
        assert got == b"" or (got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1") == 1)
        assert not [h for h in g.backend.heard if "smuggled" in h.line]
        await g.settled()


@story
async def test_chunks_with_extensions_and_trailers_are_one_body() -> None:
    async with gate() as g:
        chunks = b'2;ext="x"\r\nab\r\n1;y\r\nc\r\n0\r\nX-Late: 9\r\nApi-Key: late\r\n\r\n'
        answer = await g.call(post(CHUNKED, body=chunks))
        assert answer.status == 200
        (heard,) = g.backend.heard
        assert (heard.body, heard.values("content-length"), heard.values("api-key")) == (b"abc", ["3"], [])


@story
async def test_a_head_without_end_is_refused_while_it_comes() -> None:
    async with gate() as g:
        client = await g.connect()
        await client.send(b"GET /echo/x HTTP/1.1\r\nHost: gate\r\n")
        for _ in range(40):
            await client.send(b"a: " + b"b" * 16 * 1024 + b"\r\n")
        answer = await client.answer()
        assert answer.status == 431
        assert g.backend.heard == []


@story
async def test_the_absolute_form_is_the_origin_form() -> None:
    async with gate() as g:
        await g.call(b"GET http://gate/echo/a?b HTTP/1.1\r\nHost: gate\r\n\r\n")
        await g.call(b"GET http://gate?echo/a HTTP/1.1\r\nHost: gate\r\n\r\n")
        assert [h.line for h in g.backend.heard] == ["GET /base/a?b HTTP/1.1"]
        assert g.records[1].url == "http://gate/?echo/a"


@story
async def test_an_offer_to_upgrade_is_not_taken_and_the_connection_goes_on() -> None:
    async with gate() as g:
        client = await g.connect()
        offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        await client.send(b"GET /echo/1 HTTP/1.1\r\nHost: gate\r\n" + offer + b"\r\n")
        assert (await client.answer()).status == 200
        await client.send(SMUGGLED)
        assert (await client.answer()).status == 200
        assert [h.line for h in g.backend.heard] == ["GET /base/1 HTTP/1.1", "GET /base/smuggled HTTP/1.1"]
        assert not [h for h in g.backend.heard if "upgrade" in h.head.lower()]


@pytest.mark.parametrize(
    "path", ["..", "%2e%2e", ".%2E", "a/../..", "a%2f..%2f..%2fx", "..%5cx", "..\\x", "x%2F%2e%2e"]
)
@story
async def test_dot_segments_match_nothing(path: str) -> None:
    async with gate() as g:
        answer = await g.call(b"GET /echo/%b HTTP/1.1\r\nHost: gate\r\n\r\n" % path.encode())
        assert (answer.status, answer.body) == (
            404,
            b'{ "statusCode": 404, "message": "Resource not found" }',
        )
        assert g.backend.heard == []
