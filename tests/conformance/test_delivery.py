"""Events delivered to a real neighbour: a Kafka cluster (librdkafka's own)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from aforo.errors import Denied, Unavailable
from aforo.logs.delivery.events import Events
from aforo.logs.delivery.outbox import Batch, Part, Positions

FOLDER = "insights-logs-gatewaylogs/resourceId=/R/y=2026/m=11/d=18/h=11/m=00"


def batch(number: int, *lines: bytes, category: str = "GatewayLogs") -> Batch:
    return Batch(Positions(number), [Part(category, FOLDER, list(lines))])


async def anywhere(_host: str, _port: int) -> None:
    """No egress policy."""


async def nowhere(_host: str, _port: int) -> None:
    raise Denied("not there")


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    kafka = pytest.importorskip(
        "confluent_kafka", reason="the Kafka clients are not installed (group `clients`)"
    )
    pytest.importorskip("aiokafka", reason="the extra `events` is not installed")
    cluster = kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (found,) = cluster.list_topics(timeout=10).brokers.values()
    yield f"{found.host}:{found.port}"
    del cluster


def kept(broker: str, topic: str, number: int) -> list[tuple[bytes, bytes, dict[str, bytes]]]:
    import confluent_kafka

    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker, "group.id": "g", "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.assign([confluent_kafka.TopicPartition(topic, n, 0) for n in range(4)])
    out = []
    until = time.monotonic() + 20
    while len(out) < number and time.monotonic() < until:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            out.append((message.key(), message.value(), dict(message.headers() or ())))
    consumer.close()
    return out


def test_records_come_in_batches_of_azures_form(broker: str) -> None:
    place = Events("the hub", f"Endpoint=kafka://{broker}", "", anywhere)
    large = json.dumps({"n": 2, "text": "x" * 150_000}).encode() + b"\n"
    place.deliver(batch(1, b'{"n":1}\n', large, large))
    place.close()
    events = kept(broker, "insights-logs-gatewaylogs", 2)
    assert [key for key, _, _ in events] == [b"GatewayLogs"] * 2
    found = [record for _, value, _ in events for record in json.loads(value)["records"]]
    assert [record["n"] for record in found] == [1, 2, 2]
    assert [headers["number"] for _, _, headers in events] == [b"1", b"1"]


def test_one_hub_for_all(broker: str) -> None:
    place = Events("the hub", f"Endpoint=kafka://{broker}", "one", anywhere)
    place.deliver(batch(1, b'{"n":1}\n'))
    place.deliver(batch(2, b'{"n":2}\n', category="GatewayLlmLogs"))
    place.close()
    assert [key for key, _, _ in kept(broker, "one", 2)] == [b"GatewayLogs", b"GatewayLlmLogs"]


def test_metrics_have_the_hub_that_azure_gives_them(broker: str) -> None:
    place = Events("the hub", f"Endpoint=kafka://{broker}", "", anywhere)
    place.deliver(batch(1, b'{"metricName":"Requests"}\n', category="AllMetrics"))
    place.close()
    ((key, value, _),) = kept(broker, "insights-metrics-pt1m", 1)
    assert (key, json.loads(value)) == (b"AllMetrics", {"records": [{"metricName": "Requests"}]})


def test_a_broker_that_is_not_there_or_not_allowed_is_tried_again_later(broker: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for to, judge in ((f"127.0.0.1:{port}", anywhere), (broker, nowhere)):
        place = Events("the hub", f"Endpoint=kafka://{to}", "one", judge)
        with pytest.raises(Unavailable, match="the hub"):
            place.deliver(batch(1, b"{}\n"))
        place.close()
