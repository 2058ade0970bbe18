"""Events to loggers: queues that never wait, bounded, counted and flushed; files of JSON lines."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from aforo.egress.kafka import Target
from aforo.errors import Invalid, Unavailable
from aforo.gateway import events
from aforo.gateway.events import Event, FileSink, Loggers
from aforo.gateway.kafka import target_of
from aforo.snapshot.snapshot import LoggerEntry
from tests.support.gateway import story

HUB = LoggerEntry("hub", "eventhub", "h")


class Broker:
    """A sink that can be away, and can hold the writer up."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.away = 0
        self.open = asyncio.Event()
        self.open.set()
        self.closed = False

    async def write(self, batch: list[Event]) -> list[Event]:
        await self.open.wait()
        if self.away:
            self.away -= 1
            raise Unavailable("the broker is away")
        self.got += [e.data for e in batch]
        return []

    async def close(self) -> None:
        self.closed = True


def send(loggers: Loggers, *texts: str, to: str = "hub") -> None:
    for text in texts:
        loggers.send(to, text.encode(), partition_id=None, partition_key=None)


async def until(said: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not said():  # noqa: ASYNC110 - it is a sink's state, which has no event
            await asyncio.sleep(0)


@story
async def test_events_go_in_their_order_and_the_drain_sends_what_is_queued() -> None:
    broker = Broker()
    loggers = Loggers(lambda _: broker)
    loggers.configure([HUB])
    broker.open.clear()
    send(loggers, "1", "2", to="HUB")
    await asyncio.sleep(0)
    send(loggers, "3")
    assert broker.got == []
    broker.open.set()
    await loggers.close(5)
    assert broker.got == [b"1", b"2", b"3"]
    assert broker.closed
    assert loggers.dropped == 0


@story
async def test_a_full_queue_drops_what_is_new_and_counts_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "QUEUE_EVENTS", 3)
    monkeypatch.setattr(events, "QUEUE_BYTES", 100)
    broker = Broker()
    broker.open.clear()
    loggers = Loggers(lambda _: broker)
    loggers.configure([HUB])
    send(loggers, "1", "2", "x" * 99, "3", "4")
    assert loggers.dropped == 2
    assert "1 events for the logger 'hub' were dropped: its queue is full" in caplog.text
    broker.open.set()
    await loggers.close(5)
    assert broker.got == [b"1", b"2", b"3"]


@story
async def test_a_broker_that_is_away_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "_BACKOFF_S", (0.0,))
    broker = Broker()
    broker.away = 3
    loggers = Loggers(lambda _: broker)
    loggers.configure([HUB])
    send(loggers, "1", "2")
    await until(lambda: len(broker.got) == 2)
    assert broker.got == [b"1", b"2"]
    assert caplog.text.count("cannot be reached: the broker is away") == 1
    assert "can be reached again" in caplog.text
    await loggers.close(5)


@story
async def test_what_a_drain_cannot_send_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    broker = Broker()
    broker.open.clear()
    loggers = Loggers(lambda _: broker)
    loggers.configure([HUB])
    send(loggers, "1", "2")
    await loggers.close(0.01)
    assert loggers.dropped == 2
    assert "2 events for the logger 'hub' were not delivered" in caplog.text


@story
async def test_an_unknown_logger_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    loggers = Loggers(lambda _: Broker())
    send(loggers, "1", "2", to="nobody")
    assert loggers.dropped == 2
    assert [r.levelno for r in caplog.records] == [logging.ERROR]


@story
async def test_another_configuration_keeps_what_is_the_same_and_empties_the_rest() -> None:
    made: list[Broker] = []

    def sink(_: LoggerEntry) -> Broker:
        made.append(Broker())
        return made[-1]

    loggers = Loggers(sink)
    loggers.configure([HUB, LoggerEntry("other", "file")])
    send(loggers, "1")
    send(loggers, "2", to="other")
    await until(lambda: len(made) == 2)
    loggers.configure([HUB])
    send(loggers, "3")
    await until(lambda: made[1].closed)
    assert made[0].got[:1] == [b"1"]
    assert made[1].got == [b"2"]
    await loggers.close(5)
    assert made[0].got == [b"1", b"3"]


@story
async def test_files_of_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "events" / "hub.jsonl"
    sink = FileSink(file, most_bytes=300)
    at = 1_795_000_000_123_456_789
    await sink.write(
        [Event(b'{"a":1}', at), Event("ü\n".encode(), at, "3"), Event(b"\xff", at, None, "team")]
    )
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == [
        {"time": "2026-11-18T11:06:40.123456Z", "body": '{"a":1}'},
        {"time": "2026-11-18T11:06:40.123456Z", "partitionId": "3", "body": "ü\n"},
        {"time": "2026-11-18T11:06:40.123456Z", "partitionKey": "team", "bodyBase64": "/w=="},
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    await sink.write([Event(b"x" * 200, at)])
    assert len(file.read_text().splitlines()) == 1
    assert len(file.with_name("hub.jsonl.1").read_text().splitlines()) == 3


KEY = "SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0="


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        (
            LoggerEntry("l", "eventhub", "hub", f"Endpoint=sb://ns.servicebus.windows.net/;{KEY}"),
            Target("ns.servicebus.windows.net", 9093, "hub", True, f"Endpoint=sb://ns.servicebus.windows.net/;{KEY}"),
        ),
        (
            LoggerEntry("l", "eventhub", "", f"Endpoint=sb://ns.servicebus.windows.net/;{KEY};EntityPath=eh"),
            Target(
                "ns.servicebus.windows.net", 9093, "eh", True, f"Endpoint=sb://ns.servicebus.windows.net/;{KEY};EntityPath=eh"
            ),
        ),
        (
            LoggerEntry("l", "eventhub", "hub", f"Endpoint=sb://localhost;{KEY};UseDevelopmentEmulator=true;"),
            Target("localhost", 9092, "hub", False, f"Endpoint=sb://localhost;{KEY};UseDevelopmentEmulator=true;"),
        ),
        (
            LoggerEntry("l", "eventhub", "hub", "", "ns.servicebus.windows.net", "SystemAssigned"),
            Target("ns.servicebus.windows.net", 9093, "hub", True, "", ""),
        ),
        (
            LoggerEntry("l", "eventhub", "hub", "", "https://ns.servicebus.windows.net/", "id-1"),
            Target("ns.servicebus.windows.net", 9093, "hub", True, "", "id-1"),
        ),
        (
            LoggerEntry("l", "eventhub", "hub", "Endpoint=kafka://broker:19092"),
            Target("broker", 19092, "hub", False),
        ),
    ],
)  # fmt: skip
def test_where_a_logger_goes(entry: LoggerEntry, target: Target) -> None:
    assert target_of(entry) == target
    assert "c2VjcmV0" not in repr(target)


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ("nonsense", "no endpoint"),
        ("Endpoint=sb://ns.servicebus.windows.net/", "no SharedAccessKey"),
        ("Endpoint=sb://ns:x/;SharedAccessKey=CANARY", "no endpoint"),
    ],
)
def test_a_connection_string_that_says_too_little(connection: str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as caught:
        target_of(LoggerEntry("l", "eventhub", "hub", connection))
    assert "CANARY" not in caught.value.message
