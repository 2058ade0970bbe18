"""The store of resources over a real PostgreSQL: the same answers as over SQLite, also to two control planes at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aforo.control.lab import lab_yaml
from aforo.errors import Conflict, Unavailable
from tests.support import postgres
from tests.support.control_door import Bench

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        postgres.tool("initdb") is None or postgres.tool("pg_ctl") is None,
        reason="no PostgreSQL server on this machine (Debian's package: postgresql)",
    ),
]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.serving() as server:
        yield server


def put(bench: Bench, name: str) -> None:
    body = {"properties": {"displayName": name, "value": "x"}}
    bench.door.put(bench.id("namedValues", name), body)


def test_a_control_plane_over_postgresql(server: postgres.Server, tmp_path: Path) -> None:
    one = Bench(tmp_path, url=server.url)
    one.apply(lab_yaml())
    beside = Bench(tmp_path)
    beside.apply(lab_yaml())
    kinds = [r.id.type_key for r in beside.door.graph]
    assert [r.id.type_key for r in one.door.graph] == kinds, "the same resources in the same order"

    # Read again by another process: the same resources, tags and ids of the installation.
    two = Bench(tmp_path, url=server.url)
    assert two.door.tenancy == one.door.tenancy
    assert [(r.id.text, r.etag, r.body) for r in two.door.graph] == [
        (r.id.text, r.etag, r.body) for r in one.door.graph
    ]

    # Both change at the same revision: one wins, the other is told, nothing is mixed.
    put(one, "a")
    with pytest.raises(Conflict) as refused:
        put(two, "b")
    assert refused.value.code == "ConcurrentChange"
    three = Bench(tmp_path, url=server.url)
    assert three.door.graph.get(one.id("namedValues", "a")) is not None
    assert three.door.graph.get(one.id("namedValues", "b")) is None
    assert [r.number for r in three.door.history()] == [2, 1]

    # Many at once in one process lose nothing, and what is deleted is gone.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: put(three, f"v{n}"), range(24)))
    assert three.door.revision == 26
    three.door.delete(three.id("namedValues", "v7"))
    four = Bench(tmp_path, url=server.url)
    left = {r.id.name for r in four.door.graph if r.id.type_key.endswith("/namedvalues")}
    assert {f"v{n}" for n in range(24)} - left == {"v7"}

    # Away and back: told as such, and no restart is needed.
    server.stop()
    with pytest.raises(Unavailable, match="store cannot be"):
        put(four, "late")
    with pytest.raises(Unavailable, match="cannot be opened"):
        Bench(tmp_path, url=server.url)
    server.start()
    put(four, "late")
    five = Bench(tmp_path, url=server.url)
    assert five.door.require(five.id("namedValues", "late")).properties["value"] == "x"
    for bench in (one, beside, two, three, four, five):
        bench.close()
