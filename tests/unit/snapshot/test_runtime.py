"""Pipelines are bound once per way through the scopes, outermost first, each scope only where it takes part."""

from __future__ import annotations

from types import MappingProxyType

from aforo.policy.exchange import Exchange
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.subject import Product
from aforo.snapshot.routes import Router
from aforo.snapshot.runtime import ApiRuntime, LogNames, OperationRuntime, Runtime
from aforo.snapshot.snapshot import ApiEntry, Bundle, LogPlan, ProductEntry
from tests.support.snapshots import DEPLOYMENT, api_subject, operation

NONE = LogNames(frozenset(), frozenset(), frozenset(), frozenset())


class Named:
    """A document that notes what it was bound over; the pipeline carries its chain in `cors`."""

    def __init__(self, name: str, *, base: bool = True) -> None:
        self.name = name
        self.base = base
        self.bound = 0

    def bind(self, base: Pipeline) -> Pipeline:
        self.bound += 1

        async def inbound(exchange: Exchange) -> None:
            return

        return Pipeline(inbound=inbound, cors=(*(base.cors if self.base else ()), self.name))


def lab(**documents: Named) -> tuple[Runtime, ApiRuntime, OperationRuntime]:
    entry = ApiEntry(api_subject("mine"), (), None, True, False, LogPlan())
    api = ApiRuntime(entry, documents.get("api"), b"k", "k", frozenset({"gold"}), None, NONE)
    of = OperationRuntime(operation("GET", "/a"), documents.get("operation"), "")
    product = ProductEntry(Product("gold", "Gold", "Published", True, False, None, ()), ("mine",), None)
    bundle = Bundle(1, DEPLOYMENT, "/s", {}, (), (), (), (), (), (), (), None)
    products = MappingProxyType({"gold": (product, documents.get("product"))})
    return Runtime(bundle, Router(), {}, products, {}, documents.get("everywhere")), api, of


def test_the_scopes_from_broad_to_narrow() -> None:
    runtime, api, of = lab(
        everywhere=Named("global"), product=Named("product"), api=Named("api"), operation=Named("operation")
    )
    assert runtime.pipeline(api, of, "gold").cors == ("global", "product", "api", "operation")
    # Without a product in the call its policy does not run.
    assert runtime.pipeline(api, of, "").cors == ("global", "api", "operation")
    assert runtime.pipeline(api, None, "gold").cors == ("global", "product", "api")
    assert runtime.pipeline(api, of, "unknown").cors == ("global", "api", "operation")


def test_a_document_without_base_cuts_the_broader_ones_off() -> None:
    runtime, api, of = lab(
        everywhere=Named("global"), api=Named("api", base=False), operation=Named("operation")
    )
    assert runtime.pipeline(api, of, "").cors == ("api", "operation")


def test_no_documents_do_nothing() -> None:
    runtime, api, of = lab()
    assert runtime.pipeline(api, of, "gold") is EMPTY


def test_bound_once() -> None:
    document = Named("api")
    runtime, api, of = lab(api=document)
    first = runtime.pipeline(api, of, "")
    assert runtime.pipeline(api, of, "") is first
    assert document.bound == 1
    other = OperationRuntime(operation("GET", "/b"), None, "")
    assert runtime.pipeline(api, other, "") is not first
    assert document.bound == 2
