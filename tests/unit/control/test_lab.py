"""The lab has what a first session needs, and the bundle that comes of it opens to its key alone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from aforo.control.lab import SUBSCRIPTION, lab_yaml
from aforo.control.live import Live
from aforo.control.publish import IssuerFacts, facts_of_account
from aforo.errors import Invalid
from aforo.model.secret import Secret
from aforo.snapshot.snapshot import Bundle
from tests.support.control_door import Bench

ISSUER = IssuerFacts("tenant", ("http://127.0.0.1:8081/tenant/v2.0",), {"keys": []})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, live=Live(account_endpoint="http://127.0.0.1:4711"))
    bench.apply(lab_yaml())
    return bench


@pytest.fixture
def bundle(bench: Bench) -> Bundle:
    return bench.published[-1][0]


def test_it_applies_without_a_word(tmp_path: Path) -> None:
    change = Bench(tmp_path).apply(lab_yaml())
    assert change.mistakes == ()
    assert change.revision == 1
    assert {item.action for item in change.items} == {"create"}


def test_the_two_apis(bundle: Bundle) -> None:
    azure, v1 = bundle.apis
    assert (azure.subject.id, azure.subject.path, azure.key_bearer) == ("azure-openai", "openai", False)
    assert (v1.subject.id, v1.subject.path, v1.key_bearer) == ("azure-openai-v1", "openai/v1", True)
    for api in (azure, v1):
        assert (api.subject.key_header, api.subject.key_query) == ("api-key", "api-key")
        assert api.subscription_required
        assert api.log.gateway_log
        assert api.log.sampling == 100
        assert api.log.llm_requests
        assert api.log.frontend_request.body_bytes == 4 * 2**20
        assert api.log.backend_response.body_bytes == 4 * 2**20
    operations = {o.subject.id: (o.subject.method, o.subject.url_template) for o in azure.operations}
    assert operations["ChatCompletions_Create"] == (
        "POST",
        "/deployments/{deployment-id}/chat/completions?api-version={api-version}",
    )
    assert {"Completions_Create", "embeddings_create", "Files_Upload", "FineTuning_CreateJob"} <= set(
        operations
    )


def test_the_policies_ask_for_a_token_and_send_to_the_account(bundle: Bundle) -> None:
    for api, base in zip(
        bundle.apis, ("{{openai-endpoint}}/openai", "{{openai-endpoint}}/openai/v1"), strict=True
    ):
        (inbound,) = ElementTree.fromstring(api.policy or "")
        assert [(e.tag, e.get("name")) for e in inbound] == [
            ("base", None),
            ("set-header", "api-key"),  # a client's key stays here
            ("authentication-managed-identity", None),
            ("set-header", "Authorization"),
            ("set-backend-service", None),
        ]
        assert inbound[1].get("exists-action") == "delete"
        assert inbound[2].get("resource") == "https://cognitiveservices.azure.com"
        assert inbound[4].get("base-url") == base


def test_the_endpoint_is_that_of_the_running_account(bundle: Bundle) -> None:
    assert [(v.name, v.value) for v in bundle.named_values] == [("openai-endpoint", "http://127.0.0.1:4711")]
    assert "127.0.0.1:4711" in bundle.egress_private


def test_another_port_at_the_next_start_is_followed(bench: Bench) -> None:
    bench.close()
    again = Bench(bench.folder, live=Live(account_endpoint="http://127.0.0.1:4712"))
    again.door.publish()
    assert again.published[-1][0].named_values[0].value == "http://127.0.0.1:4712"
    assert again.door.revision == 1


def test_the_key_of_the_subscription_is_in_the_bundle_as_a_hash_only(bench: Bench, bundle: Bundle) -> None:
    stored = bench.door.require(bench.id("subscriptions", SUBSCRIPTION)).properties["primaryKey"]
    assert isinstance(stored, Secret)
    assert re.fullmatch("[0-9a-f]{32}", stored.reveal())
    entry = next(s for s in bundle.subscriptions if s.subject.id == SUBSCRIPTION)
    assert entry.key_hashes[0] == hashlib.sha256(stored.reveal().encode()).digest()
    assert entry.scope == "product:generative-ai"
    assert entry.state == "active"
    assert [p.apis for p in bundle.products] == [("azure-openai", "azure-openai-v1")]


def test_the_identity_of_the_service_holds_the_role_on_the_account(bench: Bench) -> None:
    service = bench.door.require(bench.id(""))
    facts = facts_of_account(bench.door.graph, 1, ISSUER)
    assert [r.principal_id for r in facts.roles] == [service.body["identity"]["principalId"]]
    assert facts.roles[0].role == "a97b65f3-24c7-4388-baec-2e87135dc908"
    assert {d.id for d in facts.deployments} == {"gpt-35-turbo", "text-embedding-ada-002"}
    assert [d.embeds for d in facts.deployments] == [False, True]
    assert set(facts.workspaces) == {"RequestResponse", "Audit", "AllMetrics"}
    assert len(facts.key_hashes) == 2


def test_categories_go_to_the_workspace(bench: Bench, bundle: Bundle) -> None:
    workspace = next(bench.door.graph.of_type("Microsoft.OperationalInsights/workspaces"))
    assert bundle.workspaces == {
        category: [workspace.properties["customerId"]]
        for category in ("GatewayLogs", "GatewayLlmLogs", "AllMetrics")
    }


def test_it_is_readable() -> None:
    lines = lab_yaml().splitlines()
    assert len(lines) < 150
    assert max(len(line) for line in lines if "<" not in line) < 125


def test_a_fragment_that_is_not_carried_is_told_with_those_that_are(tmp_path: Path) -> None:
    text = lab_yaml().replace("{carried: allowed-models}", "{carried: allowed-modles}")
    with pytest.raises(Invalid, match="there is: allowed-models") as refused:
        Bench(tmp_path).apply(text)
    assert refused.value.details[0].code == "YAML0012"
