"""Audit mode, and records that the spool does not take: what the client gets, what is counted, what is told later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from aforo.errors import Unavailable
from aforo.gateway.lost_records import LostRecords
from aforo.logs.shipper import Shipper
from aforo.snapshot.snapshot import Bundle, LogPlan
from aforo.spool.dropped import Dropped, read_dropped
from aforo.spool.records import LOG_GATEWAY, BeginRecord
from tests.support.calls import RESOURCE, START_NS, WORKSPACE, make_call, open_writer, rows_of
from tests.support.gateway import LOG_ALL, gate, story, until
from tests.support.metered import DONE, STREAM_HEAD, TEXT, chunk, plain, post, said
from tests.support.snapshots import DEPLOYMENT

AUDIT = msgspec.structs.replace(LOG_ALL, audit=True)
COUNT = msgspec.structs.replace(LOG_ALL, on_full="count")


@story
async def test_a_call_is_written_down_before_its_backend_hears_of_it() -> None:
    async with gate(log=AUDIT) as g:
        heard: list[int] = []

        async def look(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            heard.append(len(g.spool.begins))

        g.backend.plays(look, plain(said()))
        answer = await g.call(post())
        assert (answer.status, heard) == (200, [1])
        (begun,), (record,) = g.spool.begins, g.records
        assert (begun.call_id, begun.status, begun.request.body) == (
            record.call_id,
            0,
            record.request.body,
        )
        assert begun.backend_url == record.backend_url
        assert begun.log_flags & LOG_GATEWAY


@story
async def test_without_audit_mode_nothing_is_begun() -> None:
    async with gate() as g:
        assert (await g.call(post())).status == 200
        assert g.spool.begins == []


@pytest.mark.parametrize(("on_full", "status", "asked"), [("refuse", 503, 0), ("count", 200, 1)])
@story
async def test_what_cannot_be_begun_is_the_apis_choice(on_full: str, status: int, asked: int) -> None:
    async with gate(log=msgspec.structs.replace(AUDIT, on_full=on_full)) as g:
        g.spool.broken = True
        assert ((await g.call(post())).status, len(g.backend.heard)) == (status, asked)


@pytest.mark.parametrize(("log", "whole"), [(LOG_ALL, False), (COUNT, True)])
@story
async def test_a_stream_whose_record_is_lost_ends_well_only_where_that_is_counted(
    log: LogPlan, whole: bool
) -> None:
    async with gate(log=log) as g:
        go_on = asyncio.Event()
        g.backend.plays(STREAM_HEAD, chunk(TEXT), go_on, chunk(DONE), b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True))
        await client.reader.readuntil(TEXT[-8:])
        g.spool.broken = True
        go_on.set()
        if whole:
            await client.reader.readuntil(b"[DONE]\n\n\r\n0\r\n\r\n")
        else:
            assert b"[DONE]" not in await client.rest()
        await until(lambda: g.proxy.recorder.dropped == 1)
        await g.settled()


class Meter:
    """The Metrics port as a list."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, str, float, dict[str, str]]] = []

    def emit(self, namespace: str, name: str, value: float, dimensions: dict[str, str]) -> None:
        self.emitted.append((namespace, name, value, dimensions))


BUNDLE = Bundle(
    1, DEPLOYMENT, RESOURCE, {"GatewayLogs": [WORKSPACE]}, (), (), (), (), (), (), (), None, (), log=LOG_ALL
)


def test_what_was_lost_is_a_row_and_a_measurement_once_there_is_room(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "gateway-0"
    writer, context = open_writer(folder)
    meter = Meter()
    with writer:
        lost = LostRecords(Dropped(folder, lambda: START_NS), writer, meter, "gateway-0")
        for api in ("a", "a", ""):
            lost.note(api)
        writer.append_begin(BeginRecord(make_call(number=9, context=context, status=0)))
        lost.note_open(f"{9:032x}")
        assert (lost.total, read_dropped(folder).apis) == (3, {"a": 2, "": 1})
        # A gateway that is killed before there is room has not forgotten it.
        lost = LostRecords(Dropped(folder, lambda: START_NS), writer, meter, "gateway-0")
        lost.note_open(f"{9:032x}")
        lost.tell(BUNDLE)
        lost.tell(BUNDLE)
        assert (lost.total, read_dropped(folder).apis) == (3, {})
        with Shipper(tmp_path / "spool", tmp_path / "tables") as shipper:
            while shipper.run_once():
                pass
            # The begun call holds back no segment any more.
            (intake,) = shipper._discover()
            assert intake.oldest_begun is None
    assert [(n, v, d["API ID"]) for _, n, v, d in meter.emitted] == [
        ("Dropped Log Records", 2, "a"),
        ("Dropped Log Records", 1, ""),
    ]
    rows = rows_of(tmp_path / "tables", "Operation", "ApiId", "DroppedRecords", "Detail", "Computer")
    assert [(a, n, c) for a, n, _, c in rows] == [("", 1, "gateway-0"), ("a", 2, "gateway-0")]
    assert rows[1][2].startswith("2 records of calls could not be kept between 2026-11-18T11:06:40")
    assert rows_of(tmp_path / "tables", "ApiManagementGatewayLogs", "Aborted") == [("gateway",)]


def test_while_there_is_no_room_nothing_is_told(tmp_path: Path) -> None:
    class Full:
        def has_room(self) -> bool:
            return False

        def append_rows(self, record: object) -> int:
            raise Unavailable("full")

        append_amend = append_rows

    lost = LostRecords(Dropped(tmp_path), Full(), Meter(), "g")
    lost.note("a")
    lost.tell(BUNDLE)
    assert read_dropped(tmp_path).apis == {"a": 1}


def test_the_count_has_a_bound_whatever_apis_there_are(tmp_path: Path) -> None:
    dropped = Dropped(tmp_path)
    for number in range(100):
        dropped.add(f"{number}-" + "x" * 300)
    found = read_dropped(tmp_path)
    assert (found.total, sum(found.apis.values()), len(found.apis)) == (100, 100, 33)
    assert (tmp_path / "dropped.json").stat().st_size == 4096
    dropped.close()
