"""Requests that are sent again, meanwhile or later, are stored once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aforo.errors import Invalid, Unavailable
from aforo.logs.ingest import Flow, Ingestion, Stream, Target, identity_of
from aforo.logs.question import QueryAnswer, QueryRequest
from aforo.logs.reader import Workspace
from aforo.spool.records import RowsRecord

COLUMNS = (("TimeGenerated", "datetime"), ("a", "long"))
TARGET = Target(Workspace("w", "law", "/w"), "A_CL", COLUMNS)
STREAM = Stream("/rule", COLUMNS, (Flow((TARGET,)),))


class World:
    root = Path()

    def __init__(self) -> None:
        self.records: list[RowsRecord] = []
        self.now = 1_000.0
        self.full = False
        self.ingestion = Ingestion(self, self.append, lambda: self.now)

    def append(self, record: RowsRecord) -> None:
        if self.full:
            raise Unavailable("no room")
        self.records.append(record)

    async def query(self, request: QueryRequest) -> QueryAnswer:
        raise AssertionError(request)

    async def take(self, identity: str = "id", rows: Any = ({"a": 1},)) -> int:
        return await self.ingestion.take_stream(STREAM, list(rows), identity)


def test_a_row_has_its_time_or_that_of_its_coming() -> None:
    world = World()
    asyncio.run(world.take(rows=[{"a": "7"}, {"TimeGenerated": "1970-01-01T00:00:05Z"}]))
    (record,) = world.records
    assert (record.workspaces, record.table, record.columns) == (["w"], "A_CL", list(COLUMNS))
    assert record.rows == [{"a": 7, "TimeGenerated": 1_000_000_000_000}, {"TimeGenerated": 5_000_000_000}]


def test_the_same_request_is_stored_once_for_a_while() -> None:
    world = World()

    async def send() -> list[int]:
        meanwhile = await asyncio.gather(*(world.take() for _ in range(3)))
        return [*meanwhile, await world.take()]

    assert asyncio.run(send()) == [1, 1, 1, 1]
    assert len(world.records) == 1
    asyncio.run(world.take("another"))
    asyncio.run(world.take(""))
    asyncio.run(world.take(""))
    assert len(world.records) == 4


def test_what_failed_may_be_sent_again() -> None:
    world = World()
    world.full = True
    with pytest.raises(Unavailable):
        asyncio.run(world.take())
    world.full = False
    assert asyncio.run(world.take()) == 1
    with pytest.raises(Invalid, match="Row 2, column 'a'"):
        asyncio.run(world.take("bad", [{"a": 1}, {"a": "x"}]))
    assert len(world.records) == 1


def test_tries_of_one_request_have_one_identity() -> None:
    assert identity_of("KPC.executeManagedStreamingIngest;u;0", b"x") == identity_of(
        "KPC.executeManagedStreamingIngest;u;1", b"x"
    )
    assert identity_of("KPC.execute;u", b"x") != identity_of("KPC.execute;v", b"x")
    assert identity_of("a", b"x") != identity_of("a", b"y")
    assert identity_of(None, b"x") == ""
