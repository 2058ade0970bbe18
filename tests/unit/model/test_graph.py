"""The graph: copies on write, references, aliases; what is old stays as it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aforo.model.catalog import kind_of
from aforo.model.graph import Graph, references_of
from aforo.model.ids import parse_id
from aforo.model.kind import Resource

SERVICE = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim"


def resource(tail: str, **properties: Any) -> Resource:
    rid = parse_id(f"{SERVICE}/{tail}")
    kind = kind_of(rid.type)
    assert kind is not None
    return Resource(rid, kind, {"properties": properties}, "e")


def graph_of(*resources: Resource) -> Graph:
    draft = Graph().draft()
    for one in resources:
        draft.put(one)
    return draft.graph()


def test_a_draft_leaves_its_base_alone() -> None:
    base = graph_of(
        resource("products/p", displayName="P"), resource("subscriptions/s", scope=f"{SERVICE}/products/p")
    )
    draft = base.draft()
    draft.put(resource("products/q", displayName="Q"))
    draft.put(resource("subscriptions/s", scope=f"{SERVICE}/products/q"))
    draft.remove(f"{SERVICE}/products/p")
    changed = draft.graph()
    assert [r.name for r in base.children(SERVICE, "Microsoft.ApiManagement/service/products")] == ["p"]
    assert [r.name for r in base.referrers(f"{SERVICE}/products/p")] == ["s"]
    assert base.referrers(f"{SERVICE}/products/q") == []
    assert changed.get(f"{SERVICE}/products/p") is None
    assert changed.referrers(f"{SERVICE}/products/p") == []
    assert [r.name for r in changed.referrers(f"{SERVICE}/PRODUCTS/Q")] == ["s"]


def test_untouched_collections_are_shared() -> None:
    base = graph_of(
        resource("products/p", displayName="P"), resource("namedValues/n", displayName="n", value="1")
    )
    draft = base.draft()
    draft.put(resource("namedValues/m", displayName="m", value="2"))
    changed = draft.graph()
    products = "Microsoft.ApiManagement/service/products"
    assert changed.collection(SERVICE, products) is base.collection(SERVICE, products)


def test_lookup_does_not_care_about_case() -> None:
    graph = graph_of(resource("products/Gold", displayName="G"))
    found = graph.get(f"{SERVICE}/PRODUCTS/gOLD")
    assert found is not None
    assert found.name == "Gold"
    assert graph.get("no id at all") is None


def test_aliases_have_their_bearers() -> None:
    draft = Graph().draft()
    draft.put(resource("apis/a", path="x", isCurrent=True))
    draft.put(resource("apis/b", path="X", isCurrent=True))
    (alias,) = resource("apis/a", path="x", isCurrent=True).kind.aliases(
        resource("apis/a", path="x", isCurrent=True)
    )
    api = "Microsoft.ApiManagement/service/apis"
    assert [k.rpartition("/")[2] for k in draft.bearers(api, alias)] == ["a", "b"]
    draft.put(resource("apis/a", path="y", isCurrent=True))
    assert [k.rpartition("/")[2] for k in draft.bearers(api, alias)] == ["b"]
    draft.remove(f"{SERVICE}/apis/b")
    assert draft.bearers(api, alias) == ()


def test_policies_mention_named_values_fragments_and_backends() -> None:
    text = """<policies><inbound><include-fragment fragment-id="f1" />
      <set-backend-service backend-id="b1" /><set-header name="x"><value>{{ Key }}</value></set-header></inbound></policies>"""
    graph = graph_of(
        resource("namedValues/n", displayName="key", value="1"),
        resource("policies/policy", value=text, format="rawxml"),
    )
    value = graph.get(f"{SERVICE}/namedValues/n")
    assert value is not None
    alias = next(iter(value.kind.aliases(value)))
    assert [r.kind.name for r in graph.referrers(alias)] == ["global policy"]
    policy = graph.get(f"{SERVICE}/policies/policy")
    assert policy is not None
    assert {r.what for r in references_of(policy)} == {"{{Key}}", 'fragment-id="f1"', 'backend-id="b1"'}
    assert all(r.soft for r in references_of(policy))


def test_references_inside_lists_are_found() -> None:
    pool = resource(
        "backends/p",
        type="Pool",
        pool={"services": [{"id": f"{SERVICE}/backends/a"}, {"id": f"{SERVICE}/backends/b"}]},
    )
    assert [r.target.rpartition("/")[2] for r in references_of(pool)] == ["a", "b"]


def test_a_link_names_its_sibling() -> None:
    link = resource("products/p/apis/a")
    assert [(r.target, r.on_delete) for r in references_of(link)] == [
        (f"{SERVICE}/apis/a".lower(), "cascade")
    ]


def test_descendants_are_found_at_every_depth() -> None:
    graph = graph_of(
        resource("apis/a", path="x"), resource("apis/a/operations/o", method="GET", urlTemplate="/"),
        resource("apis/a/operations/o/policies/policy", value="<policies/>"), resource("apis/b", path="y"),
    )  # fmt: skip
    assert [r.name for r in graph.descendants(f"{SERVICE}/apis/a")] == ["o", "policy"]


steps = st.lists(
    st.tuples(st.sampled_from(["put", "remove"]), st.sampled_from("abc"), st.sampled_from("xyz")), max_size=20
)


@given(steps, st.integers(1, 5))
def test_indexes_equal_those_of_a_graph_built_afresh(
    edits: list[tuple[str, str, str]], per_draft: int
) -> None:
    graph = graph_of(*(resource(f"products/{p}", displayName=p) for p in "xyz"))
    for start in range(0, len(edits), per_draft):
        draft = graph.draft()
        for what, name, product in edits[start : start + per_draft]:
            if what == "put":
                draft.put(resource(f"subscriptions/{name}", scope=f"{SERVICE}/products/{product}"))
            else:
                draft.remove(f"{SERVICE}/subscriptions/{name}")
        graph = draft.graph()
    fresh = graph_of(*graph)
    for product in "xyz":
        target = f"{SERVICE}/products/{product}"
        assert {r.name for r in graph.referrers(target)} == {r.name for r in fresh.referrers(target)}
    assert graph.same_content(fresh)
