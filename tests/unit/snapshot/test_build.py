"""From bundle to runtime: named values in addresses and credentials, what is compiled again, what is not served."""

from __future__ import annotations

import msgspec

from aforo.policy.subject import Product
from aforo.snapshot.build import Builder
from aforo.snapshot.snapshot import ApiEntry, BackendEntry, Bundle, LogPlan, NamedValueEntry, ProductEntry
from tests.support.snapshots import DEPLOYMENT, api_subject, operation

VALUES = (
    NamedValueEntry("home", "https://home.example", False),
    NamedValueEntry("key", "sealed", True),
    NamedValueEntry("odd", "{{home}}", False),
)


def bundle(service_url: str = "", backend: BackendEntry | None = None, policy: str | None = None) -> Bundle:
    entry = ApiEntry(
        api_subject(service_url=service_url), (operation("GET", "/a"),), policy, False, False, LogPlan()
    )
    backends = (backend,) if backend is not None else ()
    return Bundle(1, DEPLOYMENT, "/s", {}, (entry,), (), (), (), VALUES, (), backends, None)


def builder() -> Builder:
    return Builder({"sealed": "opened"}.__getitem__)


def test_named_values_in_the_address_of_an_api() -> None:
    runtime = builder().build(bundle("{{ home }}/v1")).runtime
    assert runtime is not None
    match = runtime.router.match("GET", "/echo/a")
    assert match is not None
    assert match.api.entry.subject.service_url == "https://home.example/v1"


def test_named_values_in_a_backend_are_put_in_once() -> None:
    given = BackendEntry(
        "b",
        "{{home}}/v1",
        headers=(("api-key", ("{{key}}", "{{odd}}", "plain")),),
        query=(("q", ("x{{key}}",)),),
        authorization=("Bearer", "{{key}}"),
        validate_name=False,
        failure_status=529,
    )
    runtime = builder().build(bundle(backend=given)).runtime
    assert runtime is not None
    made = runtime.backends["b"]
    assert made.url == "https://home.example/v1"
    # What a value says is not read as a name again.
    assert made.headers == (("api-key", ("opened", "{{home}}", "plain")),)
    assert (made.query, made.authorization) == ((("q", ("xopened",)),), ("Bearer", "opened"))
    assert (made.validate_name, made.failure_status) == (False, 529)


def test_a_bundle_with_a_mistake_serves_nothing_and_says_where() -> None:
    built = builder().build(bundle(policy="<policies><inbound><nothing /></inbound></policies>"))
    assert built.runtime is None
    assert [p.source.name for p in built.problems] == ["apis/api/policy.xml"]


def test_documents_that_did_not_change_are_taken_over() -> None:
    made = builder()
    policy = "<policies><inbound><base /></inbound></policies>"
    first, second = (made.build(bundle(policy=policy)).runtime for _ in range(2))
    assert first is not None
    assert second is not None
    of = [r.router.match("GET", "/echo/a") for r in (first, second)]
    assert of[0] is not None
    assert of[1] is not None
    assert of[0].api.document is of[1].api.document


def test_a_product_knows_its_apis() -> None:
    product = Product("gold", "Gold", "Published", True, False, None, ())
    given = bundle("{{home}}")
    given = msgspec.structs.replace(given, products=(ProductEntry(product, ("api", "gone"), None),))
    runtime = builder().build(given).runtime
    assert runtime is not None
    shown = runtime.products["gold"][0].subject.apis
    assert [(a.id, a.service_url) for a in shown] == [("api", "https://home.example")]
