"""Bodies whose framing is wrong or outgrows them: refused with an answer, recorded as what they are."""

from __future__ import annotations

from hashlib import sha256

import pytest

from aforo.gateway import server
from aforo.gateway.record import masked_target
from tests.support.gateway import gate, story

CHUNKED = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("body", [b"2d\nx", b"3\r\nabcXX", b"-1\r\n", b"0x2d\r\n", b"ffffffffffffffffff\r\n"])
def test_a_broken_chunk_is_answered(body: bytes) -> None:
    @story
    async def told() -> None:
        async with gate() as g:
            answer = await g.transcript(CHUNKED + body)
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert b'"statusCode": 400' in answer
            await g.settled()
            assert not [r for r in g.records if r.status == 200]

    told()


@pytest.mark.parametrize("endless", [b"1\r\na\r\n0\r\nX: ", b"1;x="], ids=["trailers", "chunk extensions"])
@story
async def test_what_frames_a_body_has_an_end(endless: bytes) -> None:
    async with gate() as g:
        client = await g.connect()
        await client.send(CHUNKED + endless)
        for _ in range(server.MAX_FRAMING_BYTES // 65_536):
            assert not g.records
            await client.send(b"y" * 65_536)
        answer = await client.answer()
        assert (answer.status, answer.values("connection")) == (400, ["close"])
        await g.settled()
        (record,) = g.records
        assert (record.status, record.aborted, record.errors[-1].reason) == (
            0,
            "client",
            "ClientConnectionFailure",
        )


KEY = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


@pytest.mark.parametrize(
    "query", ["Ocp-Apim-Subscription-Key=K", "api-version=1;api-key=K", "x=K", "api%2dkey=K", "a=1&apikey=K"]
)
def test_keys_under_other_names_are_masked(query: str) -> None:
    @story
    async def told() -> None:
        async with gate(required=True, keys={sha256(KEY.encode()).digest()}) as g:
            shown = query[:-1]
            await g.call(f"GET /echo/a?trace={OTHER}&{shown}{KEY} HTTP/1.1\r\nHost: gate\r\n\r\n".encode())
            (record,) = g.records
            assert KEY not in record.url
            assert OTHER in record.url

    told()


def test_what_is_no_key_stays() -> None:
    assert (
        masked_target("/a?api-version=2024-10-21&b=c;d=e", "api-key") == "/a?api-version=2024-10-21&b=c;d=e"
    )
