"""Logs delivered to real storage: a server that speaks S3 (moto) and one that speaks Azure's blobs (Azurite)."""

from __future__ import annotations

import random
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from deltalake import DeltaTable, QueryBuilder
from deltalake._internal import DeltaFileSystemHandler

from aforo.egress.policy import parse
from aforo.egress.pool import Pool
from aforo.errors import Denied, Refusal, Unavailable
from aforo.logs.delivery.destination import Reading, deliver
from aforo.logs.delivery.held import Held
from aforo.logs.delivery.objects import Objects
from aforo.logs.delivery.outbox import Batch, Outbox, Part, Positions
from aforo.logs.delivery.stores import Stores
from aforo.logs.delivery.tables import Tables, in_storage
from aforo.model.deliveries_file import Destination
from tests.support.calls import RESOURCE, make_call, open_writer
from tests.support.cutting_proxy import CuttingProxy
from tests.support.storage_servers import ACCOUNT, ACCOUNT_KEY, blob_server, make_bucket, s3_server

pytestmark = pytest.mark.slow

FOLDER = "insights-logs-gatewaylogs/resourceId=/R/y=2026/m=11/d=18/h=11/m=00"
CATEGORIES = ("GatewayLogs", "GatewayLlmLogs", "AllMetrics")
TO = Destination("s#delta", RESOURCE, CATEGORIES, "delta", "there")
SECRET = "canary-secret"


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    with s3_server() as port:
        yield port


@pytest.fixture
def blobs() -> Iterator[int]:
    with blob_server() as port:
        yield port


def pool() -> Pool:
    return Pool(parse(("127.0.0.0/8",)))


def bucket(port: int, name: str, **options: str) -> Stores:
    given = {
        "endpoint": f"http://127.0.0.1:{port}",
        "accessKeyId": "key",
        "secretAccessKey": SECRET,
        **options,
    }
    return Stores(f"s3://{name}/under", given, pool())


def account(port: int, **options: str) -> Stores:
    given = {"endpoint": f"http://127.0.0.1:{port}/{ACCOUNT}", "accountKey": ACCOUNT_KEY, **options}
    return Stores(f"https://{ACCOUNT}.blob.core.windows.net", given, pool())


@pytest.fixture(params=["s3", "blobs"])
def stores(request: pytest.FixtureRequest) -> Stores:
    port: int = request.getfixturevalue(request.param)
    if request.param == "blobs":
        return account(port)
    make_bucket(port, name := f"b{request.node.name.encode().hex()[:40]}")
    return bucket(port, name)


def batch(number: int, *lines: bytes) -> Batch:
    return Batch(Positions(number), [Part("GatewayLogs", FOLDER, list(lines))])


def content(stores: Stores, container: str, name: str) -> bytes:
    at = stores.at(container)
    return bytes(DeltaFileSystemHandler(at.root, at.options).open_input_file(at.below + name).read())


def rows(stores: Stores, container: str, table: str) -> list[dict[str, Any]]:
    where = in_storage(stores)(container, table)
    delta = DeltaTable(where.uri, storage_options=where.options)
    found = QueryBuilder().register("t", delta).execute("select * from t").read_all()
    return list(found.to_struct_array().to_pylist())


def test_a_batch_is_an_object_in_azures_folder_however_often_it_comes(stores: Stores) -> None:
    place = Objects(stores, "w1")
    for _ in range(2):
        place.deliver(batch(3, b'{"n":1}\n', b'{"n":2}\n'))
    place.deliver(batch(4, b'{"n":3}\n'))
    place.close()
    container, _, folder = FOLDER.partition("/")
    assert content(stores, container, f"{folder}/PT1H_w1_000000000003.json") == b'{"n":1}\n{"n":2}\n'
    assert content(stores, container, f"{folder}/PT1H_w1_000000000004.json") == b'{"n":3}\n'


def test_objects_of_a_bucket_lie_below_its_prefix(s3: int) -> None:
    make_bucket(s3, "listed")
    Objects(bucket(s3, "listed"), "w1").deliver(batch(1, b"{}\n"))
    listed = urllib.request.urlopen(f"http://127.0.0.1:{s3}/listed?list-type=2", timeout=5).read().decode()
    assert f"<Key>under/{FOLDER}/PT1H_w1_000000000001.json</Key>" in listed


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return sorted(int(row["CorrelationId"].replace("-", ""), 16) for row in found)


class One:
    """A destination over the spools below a folder; made again, it is what a restart would be."""

    def __init__(self, root: Path, stores: Stores, now_s: float = 2e9) -> None:
        self.held = Held(root / "held", root / "spool")
        self.outbox = Outbox(root / "out")
        self.reading = Reading(TO, self.outbox, self.held, clock=lambda: now_s)
        self.place = Tables(in_storage(stores), self.outbox.writer, stores.plain)

    def go(self) -> None:
        self.held.refresh()
        while self.reading.read():
            deliver(self.outbox, self.place, lambda: False)
        deliver(self.outbox, self.place, lambda: False)


def test_tables_have_each_row_once_whatever_is_cut_and_started_again(
    tmp_path: Path, request: pytest.FixtureRequest, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    port = int(stores._given["endpoint"].split(":")[2].split("/")[0])
    done = Outbox.done
    troubles = 0

    def note(outbox: Outbox, of: Batch) -> None:
        if chance.random() < 0.3:
            raise KeyboardInterrupt  # killed between the commit and the note of it
        done(outbox, of)

    monkeypatch.setattr(Outbox, "done", note)
    writer, context = open_writer(tmp_path / "spool" / "g", segment_bytes=8192)
    with writer, CuttingProxy(port) as proxy:
        cut = Stores(
            stores.url, {n: v.replace(f":{port}", f":{proxy.port}") for n, v in stores._given.items()}, pool()
        )
        for number in range(16):
            writer.append_call(make_call(number=number, context=context))
            if number % 2:
                # Answers end in the middle, those too that say that a commit was made.
                proxy.cut_after = chance.choice((0, 60, 300, 900, 2_000, 4_000, None))
                try:
                    One(tmp_path, cut).go()
                except (KeyboardInterrupt, Refusal):
                    troubles += 1
                proxy.cut()
        monkeypatch.setattr(Outbox, "done", done)
        one = One(tmp_path, stores)
        one.go()
    assert troubles > 2
    assert numbers(rows(stores, "insights-logs-gatewaylogs", "ApiManagementGatewayLogs")) == list(range(16))
    assert len(rows(stores, "insights-logs-gatewayllmlogs", "ApiManagementGatewayLlmLog")) == 32
    metrics = rows(stores, "insights-metrics-pt1m", "AzureMetrics")
    assert sum(row["Total"] for row in metrics if row["MetricName"] == "Requests") == 16
    assert (one.outbox.waiting(), one.reading.pending()) == (0, 0)


def test_two_machines_share_a_table(tmp_path: Path, stores: Stores) -> None:
    for name in ("a", "b"):
        writer, context = open_writer(tmp_path / name / "spool" / "g")
        with writer:
            for number in range(3):
                writer.append_call(make_call(number=number, context=context))
            One(tmp_path / name, stores).go()
            One(tmp_path / name, stores).go()
    found = rows(stores, "insights-logs-gatewaylogs", "ApiManagementGatewayLogs")
    assert numbers(found) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("kind", [Objects, Tables])
def test_what_is_away_not_allowed_or_signed_wrongly_is_tried_again_later(kind: type, blobs: int) -> None:
    def place(stores: Stores) -> Any:
        return Tables(in_storage(stores), "w", stores.plain) if kind is Tables else Objects(stores, "w")

    one = Batch(Positions(1), [Part("GatewayLogs", FOLDER, [msgspec.msgpack.encode({"TimeGenerated": 1})])])
    away = bucket(1, "logs")
    forbidden = Stores(away.url, away._given, Pool(parse(())))
    with pytest.raises(Denied, match=r"127\.0\.0\.1"):
        place(forbidden).deliver(one)
    with pytest.raises(Unavailable, match=r"takes? ") as raised:
        place(away).deliver(one)
    said = [str(raised.value)]
    wrong = account(blobs, accountKey="d3Jvbmcta2V5LW9mLWNhbmFyeQ==")
    with pytest.raises(Unavailable, match="does not make the container") as raised:
        place(wrong).deliver(one)
    said.append(str(raised.value))
    with pytest.raises(Unavailable, match="not in base64") as raised:
        place(account(blobs, accountKey=SECRET)).deliver(one)
    said.append(str(raised.value))
    assert not [text for text in said if SECRET in text or "d3Jvbmct" in text]
