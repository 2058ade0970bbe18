"""From spools to places: each record, in its order, whatever is killed or away; and never in the way of the tables."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from deltalake import DeltaTable, QueryBuilder

from aforo.errors import Unavailable
from aforo.identity.seal import Sealer
from aforo.logs.delivery import destination
from aforo.logs.delivery.delivering import Delivering
from aforo.logs.delivery.destination import Reading, deliver
from aforo.logs.delivery.folder import Folder
from aforo.logs.delivery.forms import read_row
from aforo.logs.delivery.held import Held
from aforo.logs.delivery.outbox import Batch, Outbox
from aforo.logs.delivery.state import states
from aforo.logs.delivery.tables import Tables, in_folder
from aforo.logs.rows import row_columns
from aforo.logs.shipper import Shipper
from aforo.model import deliveries_file
from aforo.model.deliveries_file import Destination
from aforo.spool.records import AmendRecord, BeginRecord
from aforo.tables.llm_logs import LLM_LOGS
from tests.support.calls import RESOURCE, START_NS, make_call, open_writer

TO = Destination("s#storage", RESOURCE, ("GatewayLogs",), "folder", "archive")
HOUR = f"insights-logs-gatewaylogs/resourceId={RESOURCE.upper()}/y=2026/m=11/d=18/h=11/m=00"


class List:
    """A place that keeps batches by number, as idempotent places do; it can be away."""

    def __init__(self) -> None:
        self.batches: dict[int, Batch] = {}
        self.away = False

    def deliver(self, batch: Batch) -> None:
        if self.away:
            raise Unavailable("away")
        self.batches[batch.positions.number] = batch

    def close(self) -> None:
        """Nothing is open."""

    def lines(self) -> list[dict[str, Any]]:
        found = [line for _, b in sorted(self.batches.items()) for part in b.parts for line in part.lines]
        return [json.loads(line) for line in found]


class One:
    """One destination over the spools below a folder; made again, it is what a restart would be."""

    def __init__(
        self,
        root: Path,
        to: Destination = TO,
        most_bytes: int = 1 << 40,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.held = Held(root / "held", root / "spool", most_bytes)
        self.outbox = Outbox(root / "out")
        self.reading = Reading(to, self.outbox, self.held, clock=clock)

    def go(self, place: Any) -> None:
        self.held.refresh()
        while self.reading.read():
            deliver(self.outbox, place, lambda: False)
        deliver(self.outbox, place, lambda: False)
        self.held.release([self.outbox.delivered.read])


def numbers(lines: list[dict[str, Any]]) -> list[int]:
    return [int(line["correlationId"].replace("-", ""), 16) for line in lines]


def test_a_record_looks_as_on_azure(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    both = msgspec.structs.replace(TO, categories=("GatewayLogs", "GatewayLlmLogs"))
    place = List()
    with writer:
        writer.append_call(make_call(number=7, context=context))
        writer.append_call(make_call(number=8, context=context, status=500))
        One(tmp_path, both).go(place)
    logs = [line for line in place.lines() if line["category"] == "GatewayLogs"]
    llm = [line for line in place.lines() if line["category"] == "GatewayLlmLogs"]
    first, second = logs
    assert first["time"] == "2026-11-18T11:06:40.1234560Z"
    assert first["resourceId"] == RESOURCE.upper()
    assert first["operationName"] == "Microsoft.ApiManagement/GatewayLogs"
    assert (first["isRequestSuccess"], first["level"], second["level"]) == (True, 4, 2)
    assert first["properties"]["responseCode"] == 200
    assert first["properties"]["requestHeaders"] == {"content-type": "application/json"}
    assert "_ResourceId" not in first["properties"]
    assert [line["properties"]["sequenceNumber"] for line in llm][:2] == [0, 1]
    assert {
        part.folder for b in place.batches.values() for part in b.parts if part.category == "GatewayLogs"
    } == {HOUR}


def test_only_the_calls_of_that_resource_and_since_that_time(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g")
    late = msgspec.structs.replace(TO, since_ns=START_NS + 10**9)
    other = msgspec.structs.replace(TO, resource_id=f"{RESOURCE}2")
    with writer:
        writer.append_call(make_call(number=1, context=context))
        writer.append_call(make_call(number=2, context=context, ended_ns=START_NS + 10**9))
        for to, wanted, name in ((late, [2], "a"), (other, [], "b")):
            one, place = One(tmp_path, to), List()
            one.outbox = one.reading.outbox = Outbox(tmp_path / name)
            one.go(place)
            assert numbers(place.lines()) == wanted


def test_what_aborts_is_said_and_what_begins_waits_for_its_end(tmp_path: Path) -> None:
    place = List()
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer:
        writer.append_begin(BeginRecord(make_call(number=1, context=context)))
        writer.append_call(make_call(number=2, context=context))
        writer.append_amend(AmendRecord(make_call(number=2).call_id, "client", START_NS))
        One(tmp_path).go(place)
        assert [(n, line["properties"].get("aborted")) for n, line in zip(numbers(place.lines()), place.lines(), strict=True)] == [(2, "client")]  # fmt: skip
        # Another process, while the first call is still under way.
        One(tmp_path).go(place)
        assert numbers(place.lines()) == [2]
    One(tmp_path).go(place)
    assert numbers(place.lines()) == [2, 1]
    assert place.lines()[-1]["properties"]["aborted"] == "gateway"
    One(tmp_path).go(place)
    assert numbers(place.lines()) == [2, 1]


@pytest.mark.parametrize("frames", [1, 2, 3, 100])
def test_an_end_that_is_not_read_yet_is_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    """All that was written is read before a call counts as broken off, though its process is long gone."""
    monkeypatch.setattr(destination, "_FRAMES", frames)
    place = List()
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=4096)
    with writer:
        writer.append_begin(BeginRecord(make_call(number=1, context=context)))
        one = One(tmp_path)
        one.go(place)
        # The end comes into segments that nobody has linked yet.
        for number in (*range(2, 30), 1):
            writer.append_call(make_call(number=number, context=context))
    while one.reading.read():
        pass
    deliver(one.outbox, place, lambda: False)
    for _ in range(2):
        One(tmp_path).go(place)
    assert sorted(numbers(place.lines())) == list(range(1, 30))
    assert not any("aborted" in line["properties"] for line in place.lines())


def test_a_call_that_broke_off_is_told_once_though_its_frames_are_read_again(tmp_path: Path) -> None:
    """As they are while a minute's metrics are open."""
    both = msgspec.structs.replace(TO, categories=("GatewayLogs", "AllMetrics"))
    now = float(START_NS // 10**9)
    place = List()
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer:
        writer.append_call(make_call(number=1, context=context))
        writer.append_begin(BeginRecord(make_call(number=2, context=context)))
    for _ in range(3):
        One(tmp_path, both, clock=lambda: now).go(place)
        logs = [line for line in place.lines() if line.get("category") == "GatewayLogs"]
        assert numbers(logs) == [1, 2]
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer:
        writer.append_begin(BeginRecord(make_call(number=3, context=context)))
    for _ in range(2):
        One(tmp_path, both, clock=lambda: now).go(place)
        logs = [line for line in place.lines() if line.get("category") == "GatewayLogs"]
        assert numbers(logs) == [1, 2, 3]


def test_a_place_that_is_away_holds_nothing_up_and_gets_all_when_it_is_back(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=4096)
    one, place = One(tmp_path), List()
    place.away = True
    with writer, Shipper(tmp_path / "spool", tmp_path / "tables", before_discard=one.held.keep) as shipper:
        for number in range(60):
            writer.append_call(make_call(number=number, context=context))
            if number % 10 == 0:
                while shipper.run_once():
                    pass
                with pytest.raises(Unavailable):
                    one.go(place)
        while shipper.run_once():
            pass
        held = list((tmp_path / "held").rglob("*"))
        live = [p for p in (tmp_path / "spool" / "g").iterdir() if p.stat().st_size >= 4096]
        assert len(held) > len(live) + 3  # the spool gave its segments back all the same
        place.away = False
        one.go(place)
        assert numbers(place.lines()) == list(range(60))
        assert one.outbox.delivered.records == 60
        assert one.reading.pending() == 0
        assert len([p for p in (tmp_path / "held").rglob("*") if p.is_file() and p.name != "lock"]) == 1


def test_what_waits_beyond_the_bound_is_given_up_and_counted(tmp_path: Path) -> None:
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=4096)
    one, place = One(tmp_path, most_bytes=20_000), List()
    with writer, Shipper(tmp_path / "spool", tmp_path / "tables", before_discard=one.held.keep) as shipper:
        one.go(place)
        for number in range(80):
            writer.append_call(make_call(number=number, context=context))
            while number % 5 == 0 and shipper.run_once():
                pass
        while shipper.run_once():
            pass
        one.held.release([one.outbox.delivered.read])
        one.go(place)
    got = numbers(place.lines())
    assert got == list(range(got[0], 80))
    # Frames: each segment begins with what its calls have in common.
    assert got[0] < one.outbox.delivered.skipped < got[0] + 20
    assert got[0] > 0


def test_metrics_are_told_when_their_minute_is_over_and_count_each_call_once(tmp_path: Path) -> None:
    """Whatever is started anew in between."""
    minute_s = START_NS // 10**9 // 60 * 60
    metrics = msgspec.structs.replace(TO, categories=("AllMetrics",))
    now = float(minute_s + 59)
    place = List()

    def go() -> One:
        one = One(tmp_path, metrics, clock=lambda: now)
        one.go(place)
        return one

    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=4096)
    with writer:
        for number in range(20):
            writer.append_call(make_call(number=number, context=context, status=500 if number == 3 else 200))
            if number % 6 == 0:
                go()
        writer.append_call(make_call(number=20, context=context, ended_ns=START_NS + 60 * 10**9))
        go()
        assert place.lines() == []
        now += 4
        go()
        told = {line["metricName"]: line for line in place.lines()}
        assert {(line["time"][:19], line["timeGrain"]) for line in told.values()} == {
            ("2026-11-18T11:06:00", "PT1M")
        }
        assert told["Requests"] == {
            "count": 20.0,
            "total": 20.0,
            "minimum": 1.0,
            "maximum": 1.0,
            "average": 1.0,
            "time": "2026-11-18T11:06:00.0000000Z",
            "metricName": "Requests",
            "timeGrain": "PT1M",
            "resourceId": RESOURCE.upper(),
        }
        assert told["FailedRequests"]["total"] == 1.0
        assert told["Duration"]["average"] == pytest.approx(45.6)
        go()
        assert len(place.lines()) == len(told)
        now += 60
        one = go()
        assert [line["total"] for line in place.lines() if line["metricName"] == "Requests"] == [20.0, 1.0]
        assert one.reading.pending() == 0
        # Only now nothing is needed any more: before, the open minute was counted again at each start.
        assert one.outbox.delivered.read == one.outbox.delivered.taken
    assert {p.folder for b in place.batches.values() for p in b.parts} == {
        HOUR.replace("insights-logs-gatewaylogs", "insights-metrics-pt1m")
    }


def test_an_outbox_that_begins_anew_takes_another_name(tmp_path: Path) -> None:
    """Its numbers begin anew too, and a place knows what it has by both."""
    first = Outbox(tmp_path / "out").writer
    assert first
    assert Outbox(tmp_path / "out").writer == first
    (tmp_path / "out" / "positions.json").write_bytes(b"{")
    assert Outbox(tmp_path / "out").writer not in ("", first)


def killed(work: Callable[[], None], chance: random.Random) -> None:
    """Do it, or stop somewhere in the middle of it."""
    import aforo.logs.delivery.folder as folder_module
    import aforo.logs.delivery.outbox as outbox_module

    plain = outbox_module.write_private

    def failing(path: Path, data: bytes, **options: Any) -> None:
        if chance.random() < 0.2:
            raise KeyboardInterrupt
        plain(path, data, **options)
        if chance.random() < 0.2:
            raise KeyboardInterrupt

    outbox_module.write_private = folder_module.write_private = failing
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        outbox_module.write_private = folder_module.write_private = plain


@pytest.mark.parametrize("seed", range(12))
def test_killed_anywhere_a_folder_has_each_line_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=8192)
    with writer:
        for number in range(40):
            writer.append_call(make_call(number=number, context=context))
            if chance.random() < 0.5:
                killed(lambda: One(tmp_path).go(Folder(tmp_path / "exports")), chance)
        One(tmp_path).go(Folder(tmp_path / "exports"))
    (file,) = (tmp_path / "exports").rglob("PT1H.json")
    assert file.parent == tmp_path / "exports" / HOUR
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert numbers(lines) == list(range(40))


@pytest.mark.parametrize("seed", range(2))
def test_killed_anywhere_a_table_has_each_row_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    to = msgspec.structs.replace(TO, kind="delta", categories=("GatewayLogs", "GatewayLlmLogs"))
    folder = tmp_path / "exports"

    def go() -> None:
        one = One(tmp_path, to)
        one.go(Tables(in_folder(folder), one.outbox.writer, str))

    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=8192)
    with writer:
        for number in range(20):
            writer.append_call(make_call(number=number, context=context))
            if chance.random() < 0.4:
                killed(go, chance)
        go()
    rows = rows_in(folder / "insights-logs-gatewaylogs" / "ApiManagementGatewayLogs")
    assert sorted(int(row["CorrelationId"].replace("-", ""), 16) for row in rows) == list(range(20))
    assert rows[0]["_ResourceId"] == RESOURCE.lower()
    assert rows[0]["TotalTokens"] == 13
    assert len(rows_in(folder / "insights-logs-gatewayllmlogs" / "ApiManagementGatewayLlmLog")) == 40


def rows_in(table: Path) -> list[dict[str, Any]]:
    columns = QueryBuilder().register("t", DeltaTable(table)).execute("select * from t").read_all()
    return columns.to_pylist() if hasattr(columns, "to_pylist") else columns.to_struct_array().to_pylist()


def test_a_row_that_an_earlier_version_made_has_the_columns_of_today() -> None:
    row = read_row(LLM_LOGS, msgspec.msgpack.encode({"CorrelationId": "c", "Gone": 1}))
    named = dict(zip((c.name for c in row_columns(LLM_LOGS)), row, strict=True))
    assert (named["CorrelationId"], named["ModelName"], named["PromptTokens"]) == ("c", "", None)


def test_destinations_come_and_go_and_none_waits_for_another(tmp_path: Path) -> None:
    sealer = Sealer(b"k" * 32)
    published = tmp_path / "deliveries.json"
    good = msgspec.structs.replace(TO, id="good")
    # Nothing listens there, and the policy does not let it be tried.
    bad = Destination("bad", RESOURCE, ("GatewayLogs",), "objects", "s3://b", {}, since_ns=1)
    bad = msgspec.structs.replace(bad, options={"endpoint": _sealed(sealer, "http://127.0.0.1:1")})
    deliveries_file.save([good, bad], published)
    kept = [msgspec.structs.replace(d, since_ns=1) for d in deliveries_file.load(published)]
    published.write_bytes(msgspec.json.encode(kept))
    assert [d.since_ns for d in deliveries_file.save([good, bad], published)] == [1, 1]
    writer, context = open_writer(tmp_path / "spool" / "g")
    with writer:
        writer.append_call(make_call(number=1, context=context))
        delivering = Delivering(tmp_path / "d", tmp_path / "spool", tmp_path / "exports", published, sealer)
        delivering.start()
        delivering.close()
    told = {s.destination: s for s in states(tmp_path / "d")}
    assert (told["good"].records, told["good"].pending, told["good"].error) == (1, 0, "")
    assert (told["bad"].records, told["bad"].waiting_batches) == (0, 1)
    assert "privateEgress" in told["bad"].error
    assert told["bad"].failing_since > 0
    assert len(list((tmp_path / "exports" / "archive").rglob("PT1H.json"))) == 1
    deliveries_file.save([], published)
    delivering = Delivering(tmp_path / "d", tmp_path / "spool", tmp_path / "exports", published, sealer)
    delivering.look()
    assert states(tmp_path / "d") == []
    assert list((tmp_path / "d" / ".held").iterdir()) == []


def _sealed(sealer: Sealer, text: str) -> str:
    from aforo.snapshot.sealed import seal_value

    return seal_value(sealer, text)
