"""How a gateway ends whose place another one has taken: nobody is cut off, and nobody stays."""

from __future__ import annotations

import asyncio

import pytest

from aforo.gateway import draining
from tests.support.gateway import gate, story, until
from tests.support.metered import STREAM_HEAD, TEXT, chunk

CALL = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@story
async def test_who_is_idle_gets_his_next_answer_and_hears_that_it_was_the_last() -> None:
    async with gate() as g:
        g.backend.plays(PLAIN)
        client = await g.connect()
        await client.send(CALL)
        assert b"connection: close" not in (await client.reader.readuntil(b"ok")).lower()
        retiring = asyncio.create_task(draining.retire(g.server, asyncio.Event()))
        await asyncio.sleep(0.02)
        g.backend.plays(PLAIN)
        await client.send(CALL)
        assert b"connection: close" in (await client.reader.read()).lower()
        await retiring
        assert not g.server.connections


@story
async def test_a_stream_goes_on_to_its_end_and_its_connection_serves_one_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gate() as g:
        end = asyncio.Event()
        g.backend.plays(STREAM_HEAD, chunk(TEXT), end, chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")
        client = await g.connect()
        await client.send(CALL)
        await client.reader.readuntil(TEXT)
        retiring = asyncio.create_task(draining.retire(g.server, asyncio.Event()))
        await asyncio.sleep(0.02)
        end.set()
        await client.reader.readuntil(b"[DONE]\n\n\r\n0\r\n\r\n")
        # Its head had said that the connection stays.
        g.backend.plays(PLAIN)
        await client.send(CALL)
        assert b"connection: close" in (await client.reader.read()).lower()
        await retiring


@story
async def test_who_says_nothing_goes_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "LINGER_S", 0.05)
    async with gate() as g:
        g.backend.plays(PLAIN)
        client = await g.connect()
        await client.send(CALL)
        await client.reader.readuntil(b"ok")
        retiring = asyncio.create_task(draining.retire(g.server, asyncio.Event()))
        await asyncio.sleep(0.02)
        g.server.sweep()
        assert len(g.server.connections) == 1
        await asyncio.sleep(0.05)
        g.server.sweep()
        await retiring
        assert await client.reader.read() == b""


@story
async def test_it_is_told_to_end_while_a_call_lasts() -> None:
    async with gate() as g:
        g.backend.plays(STREAM_HEAD, chunk(TEXT), asyncio.Event())
        client = await g.connect()
        await client.send(CALL)
        await client.reader.readuntil(TEXT)
        told = asyncio.Event()
        retiring = asyncio.create_task(draining.retire(g.server, told))
        await asyncio.sleep(0.02)
        assert not retiring.done()
        told.set()
        await retiring
        assert await g.server.drain(0.01) == 1
        await until(lambda: not g.server.connections)
