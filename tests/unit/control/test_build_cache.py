"""External caches on their way to gateways: which one, how its credentials travel, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from aforo.errors import Conflict, Invalid
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.scopes import Scope
from aforo.snapshot.snapshot import decode, encode
from aforo.source import Source
from tests.support.control_door import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    from aforo.control.lab import lab_yaml

    bench = Bench(tmp_path)
    bench.apply(lab_yaml())
    return bench


def put(bench: Bench, name: str, connection: str, place: str) -> None:
    properties = {"connectionString": connection, "useFromLocation": place}
    bench.door.put(bench.id("caches", name), {"properties": properties})


def test_the_region_s_own_goes_before_the_default(bench: Bench) -> None:
    assert bench.published[-1][0].external_cache is None
    put(bench, "default", "a:1", "default")
    put(bench, "elsewhere", "b:1", "Nowhere At All")
    entry = bench.published[-1][0].external_cache
    assert entry is not None
    assert entry.id == "default"
    location = bench.published[-1][0].deployment.region
    put(bench, "here", "c:1", f" {location.upper()} ")
    bundle = bench.published[-1][0]
    assert bundle.external_cache is not None
    assert bundle.external_cache.id == "here"
    assert decode(encode(bundle)) == bundle


def test_credentials_travel_sealed_or_by_name(bench: Bench) -> None:
    put(bench, "default", "h:1,password=CANARY", "default")
    bundle = bench.published[-1][0]
    assert b"CANARY" not in encode(bundle)
    assert bundle.external_cache is not None
    assert bundle.external_cache.connection.startswith("{{aforo.credential.")
    bench.door.put(
        bench.id("namedValues", "k"), {"properties": {"displayName": "k", "value": "CANARY", "secret": True}}
    )
    put(bench, "default", "h:1,password={{k}}", "default")
    entry = bench.published[-1][0].external_cache
    assert entry is not None
    assert entry.connection == "h:1,password={{k}}"


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ("h:1,ssl=CANARY", "True or False"),
        ("http://CANARY", "no scheme"),
        ("{{k}}", "no scheme"),
        ("h:1,password={{gone}}", "gone"),
    ],
)
def test_what_cannot_be_connected_is_refused(bench: Bench, connection: str, says: str) -> None:
    bench.door.put(
        bench.id("namedValues", "k"),
        {"properties": {"displayName": "k", "value": "ftp://CANARY", "secret": True}},
    )
    with pytest.raises((Invalid, Conflict)) as refused:
        put(bench, "default", connection, "default")
    told = refused.value.message + " ".join(d.message for d in refused.value.details)
    assert says in told
    assert "CANARY" not in told


def test_a_region_has_one_cache(bench: Bench) -> None:
    put(bench, "one", "a:1", "West Europe")
    with pytest.raises((Invalid, Conflict), match=r"one|used") as refused:
        put(bench, "two", "b:1", "westeurope")
    assert "'one'" in refused.value.message + " ".join(d.message for d in refused.value.details)


def test_a_policy_that_means_none_is_warned_of() -> None:
    text = "<policies><inbound><cache-lookup-value key='a' variable-name='v' caching-type='external'/></inbound></policies>"
    for there, codes in ((True, []), (False, ["POL0510"])):
        context = CompileContext(external_cache=there)
        found = compile_document(Source("p.xml", text), Scope.API, context)
        assert found.document is not None
        assert [d.code for d in found.diagnostics] == codes
