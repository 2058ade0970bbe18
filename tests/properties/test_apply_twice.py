"""Applying twice changes nothing; an export applies to the same graph; a pruned state is the state applied alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aforo.control.export import export_files
from tests.support.control_door import Bench
from tests.support.examples import examples

NAMES = st.sampled_from(["a", "b", "C", "d-1", "e.2", "0123", "true", "x y", "é"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
LINES = st.lists(st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=20), max_size=4)


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """A valid desired state: resources that refer to one another."""
    apis = draw(st.lists(NAMES, unique_by=str.lower, max_size=3))
    products = draw(st.lists(NAMES, unique_by=str.lower, max_size=3))
    service: dict[str, Any] = {
        "sku": {"name": draw(st.sampled_from(["Standard", "Developer"]))},
        "publisherName": draw(TEXTS),
        "publisherEmail": "a@b.example",
        "namedValues": {
            name: {"displayName": f"v{i}", "value": draw(TEXTS.filter(str.strip)), "secret": draw(st.booleans())}
            for i, name in enumerate(draw(st.lists(NAMES, unique_by=str.lower, max_size=3)))
        },
        "apis": {
            name: {
                "path": f"p{i}",
                "displayName": draw(TEXTS),
                "subscriptionRequired": draw(st.booleans()),
                "operations": {
                    f"o{j}": {"method": draw(st.sampled_from(["GET", "POST"])), "urlTemplate": f"/{j}/{{x}}"}
                    for j in range(draw(st.integers(0, 2)))
                },
                "policy": "<policies>\n" + "\n".join(draw(LINES)) + "\n</policies>",
            }
            for i, name in enumerate(apis)
        },
        "products": {
            name: {"displayName": f"P{i}", "apis": draw(st.lists(st.sampled_from(apis), unique=True)) if apis else []}
            for i, name in enumerate(products)
        },
        "subscriptions": {
            f"s{i}": {
                "scope": draw(st.sampled_from(["/apis", "/", *(f"/products/{p}" for p in products), *(f"/apis/{a}" for a in apis)])),
                "state": draw(st.sampled_from(["active", "suspended"])),
            }
            for i in range(draw(st.integers(0, 3)))
        },
    }  # fmt: skip
    return {"resourceGroup": "rg", "services": {"apim": service}}


def text_of(state: dict[str, Any]) -> str:
    return yaml.safe_dump(state, allow_unicode=True, sort_keys=False)


# A store on disk is made for each example, which the default deadline does not allow for.
slowly = settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slowly
@given(states())
def test_applying_twice_changes_nothing(state: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.apply(text_of(state))
        first = bench.door.graph
        change = bench.apply(text_of(state))
        assert change.items == ()
        assert bench.door.graph is first
        assert bench.door.revision == 1
        bench.close()
        again = Bench(Path(folder))
        assert again.door.graph.same_content(first)
        again.close()


@slowly
@given(states())
def test_an_export_of_an_applied_state_applies_to_the_same_graph(state: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.apply(text_of(state))
        before = bench.door.graph
        files = export_files(before)
        change = bench.apply(files["aforo.yaml"])
        assert change.items == (), change.items
        assert bench.door.graph.same_content(before)
        assert export_files(bench.door.graph) == files
        bench.close()


@slowly
@given(states(), states())
def test_what_is_in_force_depends_on_the_last_state_alone(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        changed, fresh = Bench(Path(one)), Bench(Path(other))
        changed.apply(text_of(first))
        changed.apply(text_of(second))
        fresh.apply(text_of(second))
        mine, theirs = changed.door.bundle, fresh.door.bundle
        assert {a.subject.id: a for a in mine.apis} == {a.subject.id: a for a in theirs.apis}
        assert {p.subject.id: p.apis for p in mine.products} == {
            p.subject.id: p.apis for p in theirs.products
        }
        assert {s.subject.id: (s.scope, s.state) for s in mine.subscriptions} == {
            s.subject.id: (s.scope, s.state) for s in theirs.subscriptions
        }
        changed.close()
        fresh.close()
