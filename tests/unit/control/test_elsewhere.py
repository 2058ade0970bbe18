"""Accounts that stand elsewhere: described with their deployments, served by nobody here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aforo.control.export import export_files
from aforo.control.lab import lab_yaml
from aforo.control.live import Live
from aforo.control.publish import IssuerFacts, facts_of_account
from aforo.control.render import shown
from aforo.errors import Conflict, Invalid
from aforo.model.kinds.account import ACCOUNT_TYPE
from aforo.snapshot.snapshot import BackendEntry
from tests.support.control_door import Bench

STATE = """\
resourceGroup: rg
workspaces:
  law-1: {}
accounts:
  there:
    endpoint: http://llm.example/v1
    wire: openai
    deployments:
      gpt-4o: {model: {name: "llama3.1:8b"}}
      embed: {model: {name: nomic-embed-text}}
services:
  gate:
    sku: {name: Standard, capacity: 1}
    publisherName: P
    publisherEmail: p@example.com
    backends:
      up: {url: "http://llm.example/v1", protocol: http, resourceId: there}
"""
LOCAL = """\
accounts:
  here: {sku: {name: S0}}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def account(bench: Bench, name: str) -> str:
    return next(r.id.text for r in bench.door.graph.of_type(ACCOUNT_TYPE) if r.name == name)


def backend(bench: Bench, name: str = "up") -> BackendEntry:
    return next(b for b in bench.published[-1][0].backends if b.id == name)


def problems(bench: Bench, text: str) -> list[str]:
    change = bench.door.attempt(bench.read(text))
    return [str(m) for m in change.mistakes]


def test_nothing_here_is_its_account(bench: Bench) -> None:
    bench.apply(STATE)
    bundle, graph = bench.published[-1]
    assert bundle.local_identity is False
    assert bundle.egress_private == ()
    facts = facts_of_account(graph, 1, IssuerFacts("t", (), {}))
    assert (facts.exists, facts.key_hashes, facts.deployments) == (False, (), ())
    there = next(graph.of_type(ACCOUNT_TYPE))
    assert not {"key1", "key2", "customSubDomainName"} & set(there.properties)
    assert shown(there, graph, Live())["properties"]["endpoint"] == "http://llm.example/v1"


def test_a_backend_carries_the_models_of_its_account(bench: Bench) -> None:
    bench.apply(STATE)
    assert dict(backend(bench).models or ()) == {"gpt-4o": "llama3.1:8b", "embed": "nomic-embed-text"}
    bench.apply(STATE.replace("    wire: openai\n", ""))
    assert backend(bench).models is None
    bench.apply(STATE.replace(", resourceId: there", ""))
    assert backend(bench).models is None


def test_one_account_may_be_served_beside_any_number_elsewhere(bench: Bench) -> None:
    both = STATE.replace("accounts:\n", LOCAL)
    bench.apply(both)
    bundle, graph = bench.published[-1]
    assert bundle.local_identity is True
    assert facts_of_account(graph, 1, IssuerFacts("t", (), {})).name == "here"
    third = both.replace("  there:\n", "  also: {sku: {name: S0}}\n  there:\n")
    assert any("has a local account already" in p for p in problems(bench, third))
    bench.apply(both.replace("  there:\n", "  also: {endpoint: 'https://a.example/'}\n  there:\n"))


def test_what_only_its_server_could_give_is_refused(bench: Bench) -> None:
    for line, said in (
        ("    key1: " + "k" * 32, "keys of an account that stands elsewhere are its own"),
        ("    disableLocalAuth: true", "decided there"),
        ("    identity: {type: SystemAssigned}", "identity of an account that stands elsewhere"),
        ("    diagnosticSettings: {d: {workspaceId: law-1, logs: []}}", "ApiManagementGatewayLogs"),
        ("    endpoint: ftp://llm.example", "An http or https URL"),
        ("    wire: grpc", "none of the values"),
    ):
        text = STATE.replace("    wire: openai\n", f"    wire: openai\n{line}\n")
        if line.strip().split(":")[0] in ("endpoint", "wire"):
            name = line.strip().split(":")[0]
            old = next(x for x in STATE.splitlines() if x.strip().startswith(f"{name}:"))
            text = STATE.replace(old, line)
        found = problems(bench, text)
        assert any(said in p for p in found), (line, found)
    script = STATE.replace('{name: "llama3.1:8b"}', '{name: "llama3.1:8b"}, script: {latency_ms: 5}')
    assert any("no engine of this system" in p for p in problems(bench, script))
    local = STATE.replace("    endpoint: http://llm.example/v1\n", "")
    assert any("the local account speaks Azure's wire" in p for p in problems(bench, local))


def test_an_account_that_moves_away_leaves_its_keys_behind(bench: Bench) -> None:
    bench.apply(STATE.replace("    endpoint: http://llm.example/v1\n    wire: openai\n", ""))
    assert next(bench.door.graph.of_type(ACCOUNT_TYPE)).properties["key1"]
    bench.apply(STATE)
    moved = next(bench.door.graph.of_type(ACCOUNT_TYPE))
    assert not {"key1", "key2"} & set(moved.properties)
    # The other way it gets new ones.
    bench.apply(STATE.replace("    endpoint: http://llm.example/v1\n    wire: openai\n", ""))
    assert next(bench.door.graph.of_type(ACCOUNT_TYPE)).properties["key1"]


def test_its_diagnostic_setting_must_go_before_it_does(bench: Bench) -> None:
    bench.apply(lab_yaml())
    rid = account(bench, "aoai-activategenai")
    with pytest.raises(Invalid) as caught:
        bench.door.put(rid, {"properties": {"endpoint": "https://a.example/"}})
    assert any("diagnostic setting 'to-workspace'" in d.message for d in caught.value.details)


def test_the_address_that_a_client_read_does_not_move_the_local_account(bench: Bench) -> None:
    bench.apply(lab_yaml())
    rid = account(bench, "aoai-activategenai")
    read = shown(bench.door.require(rid), bench.door.graph, bench.live)
    resource, _ = bench.door.put(rid, {"sku": {"name": "S0"}, "properties": read["properties"]})
    assert "endpoint" not in resource.properties
    assert bench.published[-1][0].local_identity is True


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("there", None),
        ("https://management.azure.com/subscriptions/1/resourceGroups/r/providers/X/y/z", True),
        ("/subscriptions/1/resourceGroups/r/providers/Microsoft.CognitiveServices/accounts/a", True),
        ("nobody", False),
    ],
)
def test_what_a_resource_id_may_name(bench: Bench, given: str, kept: bool | None) -> None:
    text = STATE.replace("resourceId: there", f'resourceId: "{given}"')
    if kept is False:
        assert any(
            "there is no account 'nobody'" in p and "there is: there" in p for p in problems(bench, text)
        )
        return
    bench.apply(text)
    stored = next(r for r in bench.door.graph if r.kind.name == "backend").properties["resourceId"]
    assert stored == (given if kept else account(bench, "there"))


def test_an_account_with_a_backend_stays(bench: Bench) -> None:
    bench.apply(STATE)
    with pytest.raises((Invalid, Conflict), match="uses it"):
        bench.door.delete(account(bench, "there"))


def test_what_is_exported_is_applied_again_without_a_change(bench: Bench) -> None:
    bench.apply(STATE)
    (text,) = export_files(bench.door.graph).values()
    assert "resourceId: there" in text
    assert "key1" not in text
    assert bench.door.attempt(bench.read(text), True).items == ()
    revision = bench.door.revision
    bench.apply(STATE)
    assert bench.door.revision == revision
