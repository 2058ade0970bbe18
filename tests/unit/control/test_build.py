"""From graph to bundle: what gateways are told, in the form of the contract."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from aforo.control.build import DEFAULT_POLICY, BundleBuilder, unix
from aforo.control.lab import lab_yaml
from aforo.control.live import Live
from aforo.errors import Conflict, Invalid
from aforo.model.graph import Graph
from aforo.model.kinds.account import ACCOUNT_TYPE
from aforo.snapshot.sealed import open_value
from aforo.snapshot.snapshot import Bundle, PoolMember
from tests.support.control_door import Bench, FixedKeys


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.apply(lab_yaml())
    return bench


def props(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


def put(bench: Bench, kind: str, name: str, **properties: Any) -> Bundle:
    bench.door.put(bench.id(kind, name), props(**properties))
    return bench.published[-1][0]


def test_an_empty_graph_serves_nothing() -> None:
    bundle = BundleBuilder(Live(), None).build(Graph(), 7)
    assert (bundle.version, bundle.apis, bundle.subscriptions) == (7, (), ())


def test_without_a_global_policy_calls_are_forwarded(bench: Bench) -> None:
    assert bench.door.bundle.global_policy == DEFAULT_POLICY
    assert (
        put(bench, "policies", "policy", format="rawxml", value="<policies />").global_policy
        == "<policies />"
    )


def test_secret_named_values_travel_sealed(bench: Bench) -> None:
    bundle = put(bench, "namedValues", "k", value="hush", secret=True)
    entry = next(v for v in bundle.named_values if v.name == "k")
    assert entry.secret
    assert "hush" not in entry.value
    sealer = FixedKeys().sealer("snapshot")
    assert open_value(sealer, entry.value) == "hush"
    with pytest.raises(Invalid):
        open_value(FixedKeys().sealer("store"), entry.value)
    again = put(bench, "namedValues", "other", value="x")
    assert next(v for v in again.named_values if v.name == "k") == entry


def test_credentials_of_backends_travel_as_named_values(bench: Bench) -> None:
    put(bench, "namedValues", "k", value="x")
    bundle = put(
        bench, "backends", "b one", url="https://h.example", protocol="http",
        credentials={"header": {"api-key": ["literal", "{{k}}"]}, "query": {"q": ["v"]},
                     "authorization": {"scheme": "Bearer", "parameter": "token"}},
        tls={"validateCertificateChain": False},
    )  # fmt: skip
    (backend,) = bundle.backends
    assert backend.headers == (("api-key", ("{{aforo.credential.b_one.header.api-key.0}}", "{{k}}")),)
    assert backend.authorization == ("Bearer", "{{aforo.credential.b_one.authorization}}")
    assert (backend.validate_chain, backend.validate_name) == (False, True)
    sealer = FixedKeys().sealer("snapshot")
    hidden = {v.name: open_value(sealer, v.value) for v in bundle.named_values if v.secret}
    assert hidden == {
        "aforo.credential.b_one.header.api-key.0": "literal",
        "aforo.credential.b_one.query.q.0": "v",
        "aforo.credential.b_one.authorization": "token",
    }


def test_named_values_that_a_backend_or_an_api_names_exist_and_stay(bench: Bench) -> None:
    put(bench, "namedValues", "upstream-key", value="k", secret=True)
    wrong = {"header": {"api-key": ["{{upstraem-key}}"]}}
    with pytest.raises(Invalid, match=r"api-key\[0\]: named value 'upstraem-key' .*mean 'upstream-key'"):
        put(bench, "backends", "b", url="https://b.example", protocol="http", credentials=wrong)
    with pytest.raises(Invalid, match=r"serviceUrl: named value 'nobody'"):
        put(bench, "apis", "one", path="one", serviceUrl="{{nobody}}/v1")
    put(bench, "namedValues", "home", value="https://home.example")
    put(bench, "apis", "one", path="one", serviceUrl="{{home}}/v1", description="a {{word}} in a text")
    with pytest.raises(Conflict, match="api 'one' uses it"):
        bench.door.delete(bench.id("namedValues", "home"))


def test_tokens_come_from_the_local_issuer_where_the_local_account_is(bench: Bench) -> None:
    assert bench.door.bundle.local_identity
    put(bench, "namedValues", "openai-endpoint", value="https://x.example")
    account = next(bench.door.graph.of_type(ACCOUNT_TYPE))
    bench.door.delete(account.id.text)
    assert not bench.published[-1][0].local_identity


def test_pools(bench: Bench) -> None:
    put(bench, "backends", "A", url="https://a.example", protocol="http")
    bundle = put(
        bench, "backends", "pool", pool={"services": [{"id": "/backends/a", "weight": 3, "priority": 2}]}
    )
    single, pool = bundle.backends
    assert (single.url, single.members) == ("https://a.example", ())
    assert pool.members == (PoolMember("A", 3, 2),)


def test_subscriptions(bench: Bench) -> None:
    put(bench, "users", "u", email="u@x.example", firstName="U", lastName="X", state="blocked")
    put(
        bench,
        "subscriptions",
        "one",
        scope="/apis/AZURE-openai",
        ownerId="/users/U",
        primaryKey="abc",
        state="active",
    )
    put(bench, "subscriptions", "all", scope="/apis", allowTracing=True)
    bundle = put(bench, "subscriptions", "srv", scope="/")
    found = {s.subject.id: s for s in bundle.subscriptions}
    assert [found[n].scope for n in ("one", "all", "srv", "master")] == [
        "api:azure-openai",
        "apis",
        "service",
        "service",
    ]
    assert found["one"].key_hashes[0] == hashlib.sha256(b"abc").digest()
    assert found["one"].user_id == "u"
    assert found["all"].state == "submitted"
    assert found["all"].allow_tracing
    assert [u.state for u in bundle.users] == ["blocked"]


def test_groups_of_users_and_products(bench: Bench) -> None:
    put(bench, "users", "u", email="u@x.example", firstName="U", lastName="X")
    bench.door.put(bench.id("groups", "developers/users/u"), {})
    bench.door.put(bench.id("products", "generative-ai/groups/guests"), {})
    bundle = bench.published[-1][0]
    assert [[g.name for g in u.groups] for u in bundle.users] == [["Developers"]]
    assert [[g.id for g in p.subject.groups] for p in bundle.products] == [["guests"]]


def test_the_order_of_configuring_does_not_show(bench: Bench) -> None:
    for group in ("zebras", "antelopes"):
        bench.door.put(bench.id("groups", group), props(displayName=group))
        bench.door.put(bench.id("products", f"generative-ai/groups/{group}"), {})
    bench.door.put(bench.id("users", "w"), props(email="w@b.example", firstName="W", lastName="W"))
    for group in ("zebras", "antelopes"):
        bench.door.put(bench.id("groups", f"{group}/users/w"), {})
    bundle = bench.published[-1][0]
    (product,) = bundle.products
    assert [g.id for g in product.subject.groups] == ["antelopes", "zebras"]
    assert [g.id for g in next(u for u in bundle.users if u.id == "w").groups] == ["antelopes", "zebras"]


def test_an_api_diagnostic_stands_before_the_services(bench: Bench) -> None:
    bundle = put(
        bench, "apis/azure-openai/diagnostics", "azuremonitor", loggerId="/loggers/azuremonitor",
        sampling={"percentage": 12.5}, backend={"response": {"headers": ["X-A"], "body": {"bytes": 100}}},
    )  # fmt: skip
    own, other = (a.log for a in bundle.apis)
    assert (own.sampling, own.backend_response.body_bytes, own.backend_response.headers) == (
        12.5,
        100,
        ("x-a",),
    )
    assert (own.frontend_request.body_bytes, own.llm_requests, own.always_log_errors) == (0, False, False)
    assert other.sampling == 100
    assert bundle.log.gateway_log
    assert bundle.log.frontend_request.body_bytes == 4 * 2**20


def test_without_diagnostic_settings_nothing_is_logged(bench: Bench) -> None:
    bench.door.delete(bench.id("providers/Microsoft.Insights/diagnosticSettings", "to-workspace"))
    bundle = bench.published[-1][0]
    assert bundle.workspaces == {}
    assert not any(a.log.gateway_log or a.log.llm_requests for a in bundle.apis)


def test_revisions_and_versions_have_their_paths(bench: Bench) -> None:
    put(bench, "apis", "azure-openai;rev=2", path="openai")
    put(bench, "apiVersionSets", "set", displayName="S", versioningScheme="Segment")
    bundle = put(bench, "apis", "v2", path="openai", apiVersion="2.0", apiVersionSetId="/apiVersionSets/set")
    paths = {(a.subject.id, a.subject.revision): a.subject.path for a in bundle.apis}
    assert paths["azure-openai", "1"] == "openai"
    assert paths["azure-openai", "2"] == "openai;rev=2"
    assert paths["v2", "1"] == "openai/2.0"


def test_only_what_changed_is_built_anew(bench: Bench) -> None:
    before = bench.door.bundle
    after = put(bench, "subscriptions", "new", scope="/apis")
    kept = {id(s) for s in before.subscriptions}
    assert [id(s) in kept for s in after.subscriptions] == [True, True, False]


def test_times() -> None:
    assert unix("1970-01-02T00:00:00Z") == 86400
    assert unix(None) is None


def test_what_is_masked_is_kept_whole_until_then(bench: Bench) -> None:
    masking = {
        "detectors": [{"value": "card", "mode": "Mask"}],
        "fields": [{"value": "$.user", "mode": "Hash"}],
    }
    bundle = put(
        bench,
        "diagnostics",
        "azuremonitor",
        loggerId=bench.id("loggers", "azuremonitor"),
        dataMasking=masking,
        frontend={"request": {"body": {"bytes": 8192}}},
    )
    plan = bundle.apis[0].log
    assert plan.frontend_request.body_bytes is None
    assert plan.backend_request.body_bytes == 0
    assert plan.masking is not None
    assert plan.masking.body_bytes == (8192, 0, 0, 0)
    assert plan.masking.responses.detectors == (("card", "Mask"),)


@pytest.mark.parametrize(
    ("masking", "what"),
    [
        ({"fields": [{"value": "user", "mode": "Mask"}]}, "no path to a field"),
        ({"fields": [{"value": "$.a[?(@.b)]", "mode": "Mask"}]}, "cannot be read from"),
        ({"detectors": [{"value": "passport", "mode": "Mask"}]}, "passport"),
        ({"headers": [{"value": "a", "mode": "Blur"}]}, "Blur"),
        ({"headers": [{"value": "a"}]}, "mode"),
    ],
)
def test_masking_that_could_not_be_done_is_refused(bench: Bench, masking: dict[str, Any], what: str) -> None:
    with pytest.raises(Invalid, match=what):
        put(
            bench,
            "diagnostics",
            "azuremonitor",
            loggerId=bench.id("loggers", "azuremonitor"),
            frontend={"request": {"dataMasking": masking}},
        )
