"""A client that leaves with its answer half in our buffer: the record stands, and an amendment says what happened."""

from __future__ import annotations

from aforo.messages import Headers
from aforo.policy.exchange import Body, Exchange, ResponseState, Returned
from aforo.policy.pipeline import Pipeline
from tests.support.gateway import gate, story, until

GET = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"
SIZE = 24 * 1024 * 1024


async def big(exchange: Exchange) -> None:
    exchange.response = ResponseState(200, "OK", Headers(), Body(b"x" * SIZE))
    raise Returned


@story
async def test_an_answer_that_was_not_taken_is_amended() -> None:
    async with gate(Pipeline(inbound=big)) as g:
        client = await g.connect(limit=1024)
        await client.send(GET)
        await until(lambda: g.records)
        client.leave()
        await until(lambda: g.spool.amends)
        (amend,) = g.spool.amends
        assert (amend.call_id, amend.aborted) == (g.records[0].call_id, "client")


@story
async def test_an_answer_that_was_taken_is_not_amended() -> None:
    async with gate(Pipeline(inbound=big)) as g:
        client = await g.connect()
        await client.send(GET)
        assert len((await client.answer()).body) == SIZE
        client.leave()
        await g.settled()
        await until(lambda: not g.server.connections)
        assert not g.spool.amends
        assert [r.aborted for r in g.records] == [""]
