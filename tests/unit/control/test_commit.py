"""The door: nothing half-done, nothing lost, the old state runs on after a failure."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from aforo.control.commit import Door, Found, locate
from aforo.control.desired import Wanted
from aforo.control.lab import lab_yaml
from aforo.control.store import Store, sqlite_url
from aforo.errors import Conflict, Invalid, NotFound, Unavailable
from aforo.model.kinds.subscription import SUBSCRIPTION
from aforo.model.secret import Secret
from aforo.snapshot.build import Builder
from aforo.snapshot.snapshot import Bundle
from tests.support.control_door import Bench, FixedKeys, accept_all


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.apply(lab_yaml())
    return bench


def props(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


def test_a_new_door_on_the_store_has_the_same_state(bench: Bench) -> None:
    bench.door.put(bench.id("namedValues", "pass"), props(value="hunter2", secret=True))
    bench.close()
    again = Bench(bench.folder)
    assert again.door.graph.same_content(bench.door.graph)
    assert again.door.revision == bench.door.revision == 2
    assert again.door.bundle.subscriptions == bench.door.bundle.subscriptions
    value = again.door.require(bench.id("namedValues", "pass")).properties["value"]
    assert isinstance(value, Secret)
    assert value.reveal() == "hunter2"
    assert (
        again.door.require(bench.id("namedValues", "pass")).etag
        == bench.door.require(bench.id("namedValues", "pass")).etag
    )


def test_no_secret_lies_in_the_store_in_clear(bench: Bench) -> None:
    bench.door.put(bench.id("namedValues", "pass"), props(value="hunter2-secret", secret=True))
    bench.door.put(
        bench.id("backends", "b"),
        props(
            url="https://h.example", protocol="http", credentials={"header": {"api-key": ["backend-secret"]}}
        ),
    )
    key = bench.door.require(bench.id("subscriptions", "lab")).properties["primaryKey"].reveal()
    bench.close()
    everything = b"".join(p.read_bytes() for p in bench.folder.iterdir() if p.is_file())
    for clear in ("hunter2-secret", "backend-secret", key):
        assert clear.encode() not in everything
    assert (bench.folder / "store.sqlite").stat().st_mode & 0o077 == 0


def test_a_sealed_value_cannot_be_moved_to_another_resource(bench: Bench) -> None:
    for name, value in (("a", "value of a"), ("b", "value of b")):
        bench.door.put(bench.id("namedValues", name), props(value=value, secret=True))
    bench.close()
    connection = sqlite3.connect(bench.folder / "store.sqlite")
    keys = [bench.id("namedValues", name).lower() for name in "ab"]
    ((body,),) = connection.execute("select body from resources where id_key = ?", (keys[0],)).fetchall()
    moved = body.replace(b'"a"', b'"b"')
    connection.execute("update resources set body = ? where id_key = ?", (moved, keys[1]))
    connection.commit()
    connection.close()
    with pytest.raises(Invalid, match="cannot be opened"):
        Bench(bench.folder)


def test_put_get_delete(bench: Bench) -> None:
    path = bench.id("products", "Gold")
    made, new = bench.door.put(path, props(displayName="Gold"))
    assert new
    same, new = bench.door.put(
        path.upper().replace("/SUBSCRIPTIONS", "/subscriptions", 1), props(displayName="Gold")
    )
    assert not new
    assert same.etag == made.etag
    assert same.id.text.endswith("/products/Gold")
    assert bench.door.revision == 2
    changed, _ = bench.door.put(path, props(displayName="More gold"))
    assert changed.etag != made.etag
    assert bench.door.delete(path) is True
    assert bench.door.delete(path) is False
    with pytest.raises(NotFound):
        bench.door.require(path)
    assert bench.door.revision == 4
    assert [b.version for b, _ in bench.published] == [1, 2, 3, 4]


def test_etags_protect_against_lost_updates(bench: Bench) -> None:
    path = bench.id("products", "p")
    first, _ = bench.door.put(path, props(displayName="P"))
    bench.door.put(path, props(displayName="Q"), if_match=f'"{first.etag}"')
    for refused in (lambda: bench.door.put(path, props(displayName="R"), if_match=f'"{first.etag}"'),
                    lambda: bench.door.delete(path, if_match=first.etag)):  # fmt: skip
        with pytest.raises(Conflict) as caught:
            refused()
        assert caught.value.code == "PreconditionFailed"
    bench.door.put(path, props(displayName="R"), if_match="*")
    with pytest.raises(NotFound):
        bench.door.put(bench.id("products", "new"), props(displayName="N"), if_match="*x")


@pytest.mark.parametrize(
    ("kind", "name", "body", "says"),
    [
        ("apis", "twin", props(path="OpenAI"), "api 'azure-openai' has path openai already"),
        ("subscriptions", "s", props(scope="/products/nothing"), "there is no product 'nothing'; there is: generative-ai"),
        ("apis/none/operations", "o", props(method="GET", urlTemplate="/"), "does not exist"),
        ("apis", "a;rev=2", props(path="x"), "there is no API 'a' that this could be revision 2 of"),
        ("apis/azure-openai/operations", "copy", props(method="get", urlTemplate="/MODELS?x={x}"), "operation 'Models_List' has GET /models already"),
        ("backends", "p", props(pool={"services": [{"id": "/backends/q"}]}), "there is no backend 'q'"),
        ("backends", "p", props(url="http://h", pool={"services": [{"id": "/backends/p"}]}), "Url is not supported for backend pool."),
        ("backends", "p", props(protocol="http"), "'url' is required"),
        ("loggers", "l", props(loggerType="applicationInsights"), "none of the values"),
        ("loggers", "l", props(loggerType="azureEventHub"), "an event hub is reached by 'connectionString'"),
        ("loggers", "l", props(loggerType="azureEventHub", credentials={"endpointAddress": "ns.servicebus.windows.net"}), "which event hub"),
        ("loggers", "l", props(loggerType="azureEventHub", credentials={"connectionString": "{{none}}"}), "named value 'none' is not known here"),
        ("diagnostics", "applicationinsights", props(loggerId="/loggers/azuremonitor"), "'azuremonitor' is"),
        ("providers/Microsoft.Insights/diagnosticSettings", "d", props(workspaceId="law-activategenai", logs=[{"category": "GatewayLog"}]), "did you mean 'GatewayLogs'"),
        ("providers/Microsoft.Insights/diagnosticSettings", "d", props(workspaceId="law-activategenai", logAnalyticsDestinationType="AzureDiagnostics"), "tables of their own"),
        ("providers/Microsoft.Authorization/roleAssignments", "notaguid", props(roleDefinitionId="Reader", principalId="x"), "GUID"),
        ("providers/Microsoft.Authorization/roleAssignments", "0" * 8 + "-0000-0000-0000-000000000000", props(roleDefinitionId="Boss", principalId="x"), "no role is called 'Boss'"),
    ],
)  # fmt: skip
def test_what_a_put_is_refused_for(
    bench: Bench, kind: str, name: str, body: dict[str, Any], says: str
) -> None:
    before = bench.door.graph
    with pytest.raises((Invalid, Conflict)) as caught:
        bench.door.put(bench.id(kind, name), body)
    assert says in caught.value.message
    assert bench.door.graph is before
    assert len(bench.published) == 1


def test_a_second_service_has_no_gateway_to_serve_it(bench: Bench) -> None:
    other = bench.id("").replace("/apim-activategenai", "/other")
    body = {"sku": {"name": "Developer"}, **props(publisherEmail="a@b.c", publisherName="x")}
    with pytest.raises(Conflict, match="has an API Management service already"):
        bench.door.put(other, body)


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("products", "generative-ai", "subscription 'lab' uses it"),
        ("loggers", "azuremonitor", "diagnostic 'azuremonitor' uses it"),
        ("namedValues", "openai-endpoint", "API policy 'azure-openai/policy' uses it"),
        ("groups", "developers", "is built in"),
        ("subscriptions", "master", "is built in"),
    ],
)
def test_what_is_used_is_not_deleted(bench: Bench, kind: str, name: str, says: str) -> None:
    with pytest.raises((Invalid, Conflict), match=says):
        bench.door.delete(bench.id(kind, name))
    assert bench.door.graph.get(bench.id(kind, name)) is not None


def test_links_and_children_go_with_what_they_belong_to(bench: Bench) -> None:
    bench.door.delete(bench.id("apis", "azure-openai-v1"))
    assert bench.door.graph.get(bench.id("products", "generative-ai/apis/azure-openai-v1")) is None
    assert bench.door.graph.get(bench.id("apis", "azure-openai-v1/policies/policy")) is None
    assert bench.published[-1][0].products[0].apis == ("azure-openai",)
    bench.door.delete(bench.id("products", "generative-ai"), cascade=True)
    assert bench.door.graph.get(bench.id("subscriptions", "lab")) is None


def test_rotating_a_key_puts_the_old_one_out_of_force(bench: Bench) -> None:
    path = bench.id("subscriptions", "lab")
    old = bench.door.require(path).properties
    bench.door.rotate(path, SUBSCRIPTION.actions[1], "primaryKey")
    new = bench.door.require(path).properties
    assert new["primaryKey"] != old["primaryKey"]
    assert new["secondaryKey"] == old["secondaryKey"]
    hashes = {h for s in bench.published[-1][0].subscriptions for h in s.key_hashes}
    assert old["primaryKey"].digest not in hashes
    assert new["primaryKey"].digest in hashes


def test_two_subscriptions_cannot_have_one_key(bench: Bench) -> None:
    bench.door.put(bench.id("subscriptions", "a"), props(scope="/apis", primaryKey="the-same-key"))
    with pytest.raises(Conflict) as caught:
        bench.door.put(bench.id("subscriptions", "b"), props(scope="/apis", secondaryKey="the-same-key"))
    assert "the-same-key" not in str(caught.value)


def test_when_the_disk_is_full_the_old_state_runs_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bench.door.graph

    def full(*_: object) -> None:
        raise Unavailable("the store cannot be written: database or disk is full")

    monkeypatch.setattr(bench.store, "write", full)
    with pytest.raises(Unavailable):
        bench.door.put(bench.id("products", "p"), props(displayName="P"))
    assert bench.door.graph is before
    assert bench.door.revision == 1
    assert len(bench.published) == 1


def test_what_is_stored_but_not_published_is_told_and_comes_with_the_next(tmp_path: Path) -> None:
    seen: list[Bundle] = []
    broken = False

    def publish(bundle: Bundle, _graph: object) -> None:
        if broken:
            raise OSError(28, "No space left on device")
        seen.append(bundle)

    bench = Bench(tmp_path)
    door = Door(bench.store, FixedKeys(), accept_all, publish)
    door.apply(bench.read(lab_yaml()))
    broken = True
    with pytest.raises(Unavailable, match="stored but not in force"):
        door.put(bench.id("products", "p"), props(displayName="P"))
    broken = False
    door.put(bench.id("products", "q"), props(displayName="Q"))
    assert [b.version for b in seen] == [1, 3]
    assert {p.subject.id for p in seen[-1].products} == {"generative-ai", "p", "q"}


def test_two_controls_on_one_store_do_not_overwrite_each_other(bench: Bench) -> None:
    other = Bench(bench.folder)
    bench.door.put(bench.id("products", "p"), props(displayName="P"))
    with pytest.raises(Conflict, match="somebody else"):
        other.door.put(bench.id("products", "q"), props(displayName="Q"))


def test_a_policy_that_does_not_compile_is_refused_with_its_place(tmp_path: Path) -> None:
    from tests.unit.control.test_apply import refuse_boom

    bench = Bench(tmp_path, build=refuse_boom)
    bench.apply(lab_yaml())
    with pytest.raises(Invalid) as caught:
        bench.door.put(
            bench.id("policies", "policy"), props(format="rawxml", value="<policies>\n  <boom />\n")
        )
    (detail,) = caught.value.details
    assert detail.code == "POL0007"
    assert detail.target.endswith("/policies/policy:2:4")


def test_equal_policies_are_each_told_at_their_own_place(bench: Bench) -> None:
    built = Builder(lambda sealed: sealed)
    bench.close()
    again = Bench(bench.folder, build=lambda bundle: built.build(bundle).problems)
    wrong = props(format="rawxml", value="<policies>\n  <boom />\n</policies>")
    places = (
        "policies",
        "apis/azure-openai/policies",
        "apis/azure-openai;rev=2/policies",
        "products/gold/policies",
    )
    again.door.put(again.id("apis", "azure-openai;rev=2"), props(path="openai"))
    again.door.put(again.id("products", "gold"), props(displayName="Gold"))
    wanted = []
    for place in places:
        rid, kind = locate(again.id(place, "policy"))
        wanted.append(Wanted(rid, kind, wrong))
    with pytest.raises(Invalid) as caught:
        again.door.put_all(wanted)
    told = {
        d.target.partition("/service/")[2].partition("/")[2].partition(":")[0] for d in caught.value.details
    }
    assert told == {f"{place}/policy" for place in places}


def test_a_start_publishes_even_what_no_longer_compiles(bench: Bench) -> None:
    def refuse(bundle: Bundle) -> Iterable[Found]:
        from aforo.source import Diagnostic, Source, Span
        from tests.unit.control.test_apply import Problem

        text = bundle.apis[0].policy or ""
        return [
            Problem(Source("apis/azure-openai/policy.xml", text), Diagnostic("POL0001", "gone", Span(0, 1)))
        ]

    bench.close()
    again = Bench(bench.folder, build=refuse)
    (mistake,) = again.door.publish()
    assert "/apis/azure-openai/policies/policy" in mistake.target
    assert len(again.published) == 1


def test_revisions_are_kept_with_who_and_what(bench: Bench) -> None:
    bench.door.put(bench.id("products", "p"), props(displayName="P"), caller="anna")
    newest, first = bench.door.history()
    assert (newest.number, newest.caller) == (2, "anna")
    assert newest.summary.endswith("/products/p")
    assert (first.number, first.caller, first.summary) == (1, "apply", "apply aforo.yaml")


def test_the_store_is_the_same_in_postgresql() -> None:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    from aforo.control import store

    texts = [str(CreateTable(t).compile(dialect=postgresql.dialect())) for t in store._metadata.sorted_tables]
    assert any("BYTEA" in t for t in texts)
    assert all("AUTOINCREMENT" not in t and "SERIAL" not in t for t in texts)


def test_a_store_of_a_newer_version_is_not_touched(tmp_path: Path, bench: Bench) -> None:
    bench.close()
    connection = sqlite3.connect(tmp_path / "store.sqlite")
    connection.execute("update resources set id = replace(id, '/products/', '/productz/')")
    connection.commit()
    connection.close()
    store = Store(sqlite_url(tmp_path / "store.sqlite"))
    with pytest.raises(Unavailable) as caught:
        Door(store, FixedKeys(), accept_all, lambda _b, _g: None)
    assert caught.value.code == "StoreTooNew"


def test_ids_are_spelled_as_their_parents_were(bench: Bench) -> None:
    shouted = (
        bench.id("PRODUCTS", "Gold")
        .replace("resourceGroups", "resourcegroups")
        .replace("Microsoft.", "microsoft.")
    )
    made, _ = bench.door.put(shouted, props(displayName="Gold"))
    assert made.id.text == bench.id("products", "Gold")
    setting = shouted.rpartition("/PRODUCTS")[0] + "/providers/microsoft.insights/DiagnosticSettings/D"
    made, _ = bench.door.put(setting, props(workspaceId="law-activategenai"))
    assert made.id.text == bench.id("providers/Microsoft.Insights/diagnosticSettings", "D")
    group = f"/subscriptions/{bench.door.tenancy.subscription_id}/resourcegroups/Other"
    made, _ = bench.door.put(group, {"location": "here"})
    assert made.id.text == group.replace("resourcegroups", "resourceGroups")


def test_another_resource_group_in_the_file_takes_everything_along(bench: Bench) -> None:
    bench.apply(lab_yaml().replace("resourceGroup: rg-activategenai", "resourceGroup: rg-2"))
    assert {r.id.text.split("/")[4] for r in bench.door.graph} == {"rg-2"}
    assert len(bench.published[-1][0].apis) == 2


def test_many_at_once_lose_nothing(bench: Bench) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def work(number: int) -> None:
        bench.door.put(bench.id("namedValues", f"v{number}"), props(value=str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert bench.door.revision == 25
    assert [b.version for b, _ in bench.published] == list(range(1, 26))
    assert {v.name for v in bench.published[-1][0].named_values} == {
        "openai-endpoint",
        *(f"v{n}" for n in range(24)),
    }
    bench.close()
    assert Bench(bench.folder).door.graph.same_content(bench.door.graph)


def test_of_two_who_read_the_same_state_one_is_told(bench: Bench) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = bench.id("products", "p")
    first, _ = bench.door.put(path, props(displayName="P"))

    def work(number: int) -> bool:
        try:
            bench.door.put(path, props(displayName=f"P{number}"), if_match=first.etag)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 1
