"""Logs delivered to real neighbours: a Kafka cluster (librdkafka's own) and a server that speaks S3 (moto, where it is
installed)."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from aforo.errors import Denied, Unavailable
from aforo.logs.delivery.events import Events
from aforo.logs.delivery.objects import Objects
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


def test_a_broker_that_is_not_there_or_not_allowed_is_tried_again_later(broker: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for to, judge in ((f"127.0.0.1:{port}", anywhere), (broker, nowhere)):
        place = Events("the hub", f"Endpoint=kafka://{to}", "one", judge)
        with pytest.raises(Unavailable, match="the hub"):
            place.deliver(batch(1, b"{}\n"))
        place.close()


def moto() -> list[str] | None:
    """How to start the server."""
    if importlib.util.find_spec("moto") is not None:
        return [sys.executable, "-m", "moto.server"]
    found = shutil.which("moto_server")
    return [found] if found else None


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    command = moto()
    if command is None:
        pytest.skip("moto is not installed: pip install 'moto[server]'")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [*command, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 30
        while True:
            try:
                request = urllib.request.Request(f"{url}/logs", method="PUT")
                urllib.request.urlopen(request, timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.1)
        yield url
    finally:
        server.kill()
        server.wait()


def test_a_batch_is_an_object_in_azures_folder_however_often_it_comes(endpoint: str) -> None:
    options = {"endpoint": endpoint, "accessKeyId": "a", "secretAccessKey": "b", "region": "us-east-1"}
    place = Objects("s3://logs/under", options, "w1", lambda host, port: None)
    for _ in range(2):
        place.deliver(batch(3, b'{"n":1}\n', b'{"n":2}\n'))
    place.deliver(batch(4, b'{"n":3}\n'))
    place.close()
    listed = urllib.request.urlopen(f"{endpoint}/logs?list-type=2", timeout=5).read().decode()
    assert listed.count("<Key>") == 2
    url = f"{endpoint}/logs/under/{FOLDER}/PT1H_w1_000000000003.json"
    assert urllib.request.urlopen(url, timeout=5).read() == b'{"n":1}\n{"n":2}\n'


def test_a_store_that_is_away_or_not_allowed_is_tried_again_later(tmp_path: Path) -> None:
    def no(host: str, port: int) -> None:
        raise Denied(f"{host}:{port}")

    options = {"endpoint": "http://127.0.0.1:1", "accessKeyId": "a", "secretAccessKey": "canary-secret"}
    with pytest.raises(Denied, match=r"127\.0\.0\.1:1"):
        Objects("s3://logs", options, "w", no).deliver(batch(1, b"{}\n"))
    with pytest.raises(Unavailable, match="does not take") as raised:
        Objects("s3://logs", options, "w", lambda host, port: None).deliver(batch(1, b"{}\n"))
    assert "canary-secret" not in str(raised.value)
