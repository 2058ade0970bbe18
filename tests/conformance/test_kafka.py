"""Events through the producer into a Kafka cluster: librdkafka's own, which its wheel carries for tests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from aforo.egress.kafka import Target
from aforo.errors import Denied, Unavailable
from aforo.gateway.events import Event, Loggers
from aforo.gateway.kafka import KafkaSink
from aforo.snapshot.snapshot import LoggerEntry
from tests.support.gateway import story

confluent_kafka = pytest.importorskip(
    "confluent_kafka", reason="the Kafka clients are not installed (dependency group `clients`)"
)
pytest.importorskip("aiokafka", reason="the extra `events` is not installed")

TOPIC = "hub"
HUB = LoggerEntry("hub", "eventhub", TOPIC)


@pytest.fixture(scope="module")
def broker() -> Iterator[tuple[str, int]]:
    # The cluster lives as long as this client; topics have four partitions.
    cluster = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (found,) = cluster.list_topics(timeout=10).brokers.values()
    yield found.host, found.port
    del cluster


async def anywhere(_host: str, _port: int) -> None:
    """No egress policy."""


async def no_token(_resource: str, _client: str | None) -> str:
    raise AssertionError("nobody signs in here")


def kept(broker: tuple[str, int], number: int) -> list[tuple[int, bytes | None, bytes, int]]:
    """(partition, key, value, unix ms) of what the topic has; waits for `number` of them."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": f"{broker[0]}:{broker[1]}",
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.assign([confluent_kafka.TopicPartition(TOPIC, n, 0) for n in range(4)])
    out = []
    until = time.monotonic() + 20
    while len(out) < number and time.monotonic() < until:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            out.append((message.partition(), message.key(), message.value(), message.timestamp()[1]))
    consumer.close()
    return out


@story
async def test_events_arrive_where_they_belong(broker: tuple[str, int]) -> None:
    threads = threading.active_count()
    asked: list[tuple[str, int]] = []

    async def judge(host: str, port: int) -> None:
        asked.append((host, port))

    sink = KafkaSink(Target(*broker, TOPIC, tls=False), judge, no_token)
    loggers = Loggers(lambda _: sink)
    loggers.configure([HUB])
    loggers.send("hub", b"first", partition_id="2", partition_key=None)
    for number in range(5):
        loggers.send("hub", b"keyed %d" % number, partition_id=None, partition_key="team-a")
    loggers.send("hub", b"nowhere", partition_id="77", partition_key=None)
    loggers.send("hub", b"x" * 204_800, partition_id="2", partition_key=None)
    await asyncio.wait_for(loggers.close(20), 30)
    assert threading.active_count() == threads
    assert set(asked) == {broker}
    found = kept(broker, 7)
    assert [value[:10] for partition, _, value, _ in found if partition == 2 and value[:5] != b"keyed"] == [
        b"first",
        b"x" * 10,
    ]
    keyed = [(partition, key, value) for partition, key, value, _ in found if key is not None]
    assert [value for *_, value in keyed] == [b"keyed %d" % n for n in range(5)]
    assert len({partition for partition, *_ in keyed}) == 1
    assert {key for _, key, _ in keyed} == {b"team-a"}
    assert abs(found[0][3] / 1000 - time.time()) < 60


@story
async def test_a_host_that_may_not_be_reached_is_not_connected_to(broker: tuple[str, int]) -> None:
    async def judge(_host: str, _port: int) -> None:
        raise Denied("not there")

    sink = KafkaSink(Target(*broker, TOPIC, tls=False), judge, no_token)
    with pytest.raises(Denied):
        await sink.write([Event(b"x", 1)])
    await sink.close()


@story
async def test_a_broker_that_is_not_there() -> None:
    sink = KafkaSink(Target("127.0.0.1", 9, TOPIC, tls=False), anywhere, no_token)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await sink.write([Event(b"x", 1)])
    await sink.close()
