"""`retry` and large request bodies: what is kept is sent again, what went on as it came is sent once, and no call waits for
an attempt that cannot be made."""

from __future__ import annotations

import pytest

from aforo.gateway import call as call_module
from tests.support.gateway import Client, story
from tests.support.regions import Regions, answer, policy, regions

PIECE = b"x" * (1 << 18)
BUSY = answer(429, b"busy", b"retry-after: 7")
# A second attempt would have to wait longer than a test may last.
ONCE = (
    '<retry condition="@(context.Response.StatusCode == 429 || context.Response.StatusCode &gt;= 500)" count="3" '
    'interval="60"><forward-request{}/></retry>'
)
PLAIN, KEPT = ONCE.format(""), ONCE.format(' buffer-request-body="true"')


def head(*lines: bytes) -> bytes:
    kind = b"Content-Type: application/octet-stream"
    return b"\r\n".join((b"POST /echo/a HTTP/1.1", b"Host: gate", kind, *lines, b"", b""))


async def upload(client: Client, pieces: int, *, chunked: bool = False) -> None:
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (pieces * len(PIECE))
    await client.send(head(length))
    for _ in range(pieces):
        await client.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
    if chunked:
        await client.send(b"0\r\n\r\n")


def sizes(r: Regions) -> tuple[list[int], list[int]]:
    return [h.size for h in r.east.heard], [h.size for h in r.west.heard]


def reasons(r: Regions) -> list[str]:
    return [error.reason for error in r.gate.records[0].errors]


@pytest.mark.parametrize("chunked", [True, False])
@story
async def test_twenty_megabytes_go_to_the_next_region(chunked: bool) -> None:
    async with regions() as r:
        r.east.plays(BUSY)
        client = await r.gate.connect()
        await upload(client, 80, chunked=chunked)
        assert (await client.answer()).raw.endswith(b"west")
        assert sizes(r) == ([20 << 20], [20 << 20])
        assert r.gate.records[0].attempts == 2
        assert r.gate.server.room.left == type(r.gate.server.room)().left  # and the room is given back


@pytest.mark.parametrize("chunked", [True, False])
@story
async def test_what_was_not_kept_is_answered_as_its_only_attempt_was(chunked: bool) -> None:
    """At once: neither does the client wait for attempts that cannot be made, nor does it get another error."""
    async with regions(policy(backend=PLAIN)) as r:
        r.east.plays(BUSY)
        client = await r.gate.connect()
        await upload(client, 8, chunked=chunked)
        got = await client.answer()
        assert (got.status, got.values("retry-after")) == (429, ["7"])
        assert got.raw.endswith(b"busy")
        assert sizes(r) == ([2 << 20], [])
        assert (r.gate.records[0].attempts, reasons(r)) == (1, ["RequestBodyNotKept"])


@story
async def test_a_region_that_dies_in_the_middle_of_what_was_not_kept() -> None:
    async with regions(policy(backend=PLAIN)) as r:
        r.east.plays("close")
        client = await r.gate.connect()
        await upload(client, 8)
        assert (await client.answer()).status == 500
        assert sizes(r) == ([2 << 20], [])
        assert r.gate.records[0].attempts == 1
        # The last one is what the row says first.
        assert reasons(r) == ["RequestBodyNotKept", "BackendConnectionFailure"]


@story
async def test_a_region_that_is_gone_before_anything_was_sent_costs_nothing() -> None:
    fast = PLAIN.replace('interval="60"', 'interval="60" first-fast-retry="true"')
    async with regions(policy(backend=fast)) as r:
        await r.east.stop()
        client = await r.gate.connect()
        await upload(client, 8)
        assert (await client.answer()).raw.endswith(b"west")
        assert sizes(r) == ([], [2 << 20])
        assert [e.recovered for e in r.gate.records[0].errors] == [True]
        await r.east.start()


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("busy", [True, False])
@story
async def test_what_is_too_large_to_be_kept_is_sent_once(
    monkeypatch: pytest.MonkeyPatch, busy: bool, chunked: bool
) -> None:
    monkeypatch.setattr(call_module, "MAX_COLLECTED_BYTES", 1 << 20)
    # The first attempt after the first one is made at once, where one is made.
    fast = KEPT.replace('interval="60"', 'interval="60" first-fast-retry="true"')
    async with regions(policy(backend=fast)) as r:
        if busy:
            r.east.plays(BUSY)
        client = await r.gate.connect()
        await upload(client, 12, chunked=chunked)
        assert (await client.answer()).status == (429 if busy else 200)
        assert sizes(r) == ([3 << 20], [])
        assert (r.gate.records[0].attempts, r.gate.records[0].request.size) == (1, 3 << 20)
        # The connection goes on, and a body that can be kept is sent again.
        r.east.plays(BUSY)
        await client.send(head(b"Content-Length: 2") + b"hi")
        assert (await client.answer()).raw.endswith(b"west")
    assert r.gate.server.room.left == type(r.gate.server.room)().left


@pytest.mark.parametrize("chunked", [True, False])
@story
async def test_where_other_calls_hold_all_the_room_it_is_sent_once(chunked: bool) -> None:
    async with regions(policy(backend=KEPT)) as r:
        r.gate.server.room.left = 1 << 20
        client = await r.gate.connect()
        await upload(client, 16, chunked=chunked)
        assert (await client.answer()).raw.endswith(b"east")
        assert sizes(r) == ([4 << 20], [])


@story
async def test_the_limit_of_the_api_holds_all_the_same() -> None:
    async with regions(policy(backend=KEPT), max_body_bytes=1 << 20) as r:
        client = await r.gate.connect()
        await client.send(head(b"Transfer-Encoding: chunked"))
        with pytest.raises(ConnectionError):
            await client.send((b"%x\r\n%b\r\n" % (len(PIECE), PIECE)) * 200)
        await r.gate.settled()
        assert sizes(r) == ([], [])
        assert r.gate.records[0].aborted == "gateway"
