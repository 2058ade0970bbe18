"""What is exported applies to the same graph, and holds secrets only when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aforo.control.export import export_files
from aforo.control.lab import lab_yaml
from tests.support.control_door import Bench

RICH = """\
resourceGroup: rg-activategenai
tags: {team: platform}
applications:
  app-1: {displayName: An app, clientSecret: very-secret-1}
services:
  apim-activategenai:
    sku: {name: Premium, capacity: 2}
    identity: {type: SystemAssigned}
    publisherName: Contoso
    publisherEmail: a@b.example
    trustedProxies: [10.0.0.0/8]
    privateEgress: ["127.0.0.1:11434", "[::1]:8000"]
    namedValues:
      plain: {displayName: plain-one, value: "a: b"}
      secret: {secret: true, value: very-secret-2}
    policyFragments:
      f: {value: "<fragment />", description: one}
    backends:
      one:
        url: https://one.example/openai
        protocol: http
        credentials: {header: {api-key: [very-secret-3, "{{secret}}"]}}
        proxy: {url: "http://proxy.example:3128", username: me, password: very-secret-9}
        healthProbe: {path: /health}
        circuitBreaker:
          rules:
            - name: busy
              failureCondition: {count: 3, interval: PT1M, statusCodeRanges: [{min: 429, max: 429}]}
              tripDuration: PT1M
              acceptRetryAfter: true
      two: {url: https://two.example, protocol: http}
      pool:
        pool: {services: [{id: /backends/one, priority: 1, weight: 3}, {id: /backends/two, priority: 2}], failureResponse: {statusCode: 529},
               sessionAffinity: {sessionId: {source: cookie, name: SessionId}}}
    policy: |
      <policies>
        <inbound />
        <backend><forward-request /></backend>
      </policies>
    apis:
      own:
        path: own
        subscriptionRequired: false
        operations:
          get-one:
            method: GET
            urlTemplate: /one/{id}
            policy: "<policies><inbound>\\n\\t<base />  \\n</inbound></policies>"
      own;rev=2: {path: own, apiRevision: "2"}
      ai:
        path: openai
        import: carried:azure-openai-2023-05-15
        operations:
          Models_List: {displayName: All the models}
          extra: {method: GET, urlTemplate: /extra}
    users:
      u1: {email: u@x.example, firstName: U, lastName: One}
    groups:
      g1: {displayName: Group}
    products:
      p:
        displayName: P
        state: published
        apis: [own]
        groups: [developers]
        policy: <policies />
    subscriptions:
      all: {scope: /apis, state: active, primaryKey: very-secret-4}
      one: {scope: /apis/own, ownerId: /users/u1, state: suspended}
      service: {scope: /}
roleAssignments:
  may-read:
    roleDefinitionId: Reader
    principalId: ${applications.app-1.principalId}
"""


@pytest.mark.parametrize("text", [lab_yaml(), RICH], ids=["lab", "rich"])
def test_an_export_applies_to_the_same_graph(tmp_path: Path, text: str) -> None:
    bench = Bench(tmp_path)
    bench.apply(text)
    before = bench.door.graph
    files = export_files(before)
    change = bench.apply(files["aforo.yaml"])
    assert change.items == ()
    assert bench.door.graph.same_content(before)
    assert bench.door.revision == 1
    assert export_files(bench.door.graph) == files


def test_with_its_secrets_it_makes_the_same_system_elsewhere(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here, there = Bench(tmp_path / "here"), Bench(tmp_path / "there")
    here.apply(RICH)
    there.apply(export_files(here.door.graph, secrets=True)["aforo.yaml"])

    def keys(bench: Bench) -> Any:
        return {s.subject.id: s.key_hashes for s in bench.door.bundle.subscriptions}

    assert keys(here)["all"] == keys(there)["all"]
    assert keys(here)["master"] == keys(there)["master"]
    assert [a.operations for a in here.door.bundle.apis] == [a.operations for a in there.door.bundle.apis]
    assert here.door.bundle.products == there.door.bundle.products


def test_without_being_asked_no_secret_is_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.apply(RICH)
    assert "very-secret" not in str(export_files(bench.door.graph))
    shown = str(export_files(bench.door.graph, secrets=True))
    assert all(f"very-secret-{n}" in shown for n in (1, 2, 3, 4, 9))


def test_an_export_into_an_empty_system_asks_for_its_secrets(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here, there = Bench(tmp_path / "here"), Bench(tmp_path / "there")
    here.apply(RICH)
    change = there.door.attempt(there.read(export_files(here.door.graph)["aforo.yaml"]))
    said = [m.message for m in change.mistakes]
    assert len(said) == 3
    assert any("'value' is required here (it is a secret" in m for m in said)
    assert any("the secret was left out" in m for m in said)


def test_it_is_short_where_a_carried_description_was_imported(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.apply(RICH)
    api = yaml.safe_load(export_files(bench.door.graph)["aforo.yaml"])["services"]["apim-activategenai"][
        "apis"
    ]["ai"]
    assert api["import"] == "carried:azure-openai-2023-05-15"
    assert set(api["operations"]) == {"Models_List", "extra"}
    assert api["operations"]["Models_List"] == {"displayName": "All the models"}
