"""The declarations hold together: parents and references exist, names are not given twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from aforo.model.catalog import KINDS, children_of, kind_of, rank
from aforo.model.ids import SUBSCRIPTION_TYPE
from aforo.model.kind import Effect, Kind, Property, Type
from aforo.model.kinds.role_assignment import ROLE_DEFINITION_TYPE

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.type)


def _all(properties: tuple[Property, ...]) -> Iterator[Property]:
    for prop in properties:
        yield prop
        yield from _all(prop.properties)
        if prop.item is not None:
            yield from _all((prop.item,))


def test_what_the_design_names_is_declared() -> None:
    wanted = [
        "service",
        "service/apis",
        "service/apis/operations",
        "service/products",
        "service/products/apis",
        "service/products/groups",
        "service/subscriptions",
        "service/users",
        "service/groups",
        "service/groups/users",
        "service/namedValues",
        "service/backends",
        "service/loggers",
        "service/diagnostics",
        "service/apis/diagnostics",
        "service/policies",
        "service/apis/policies",
        "service/products/policies",
        "service/apis/operations/policies",
        "service/policyFragments",
        "service/caches",
        "service/certificates",
        "service/apiVersionSets",
    ]
    for name in wanted:
        assert kind_of(f"microsoft.apimanagement/{name}") is not None, name
    for name in (
        "Microsoft.CognitiveServices/accounts",
        "Microsoft.CognitiveServices/accounts/deployments",
        "Microsoft.Insights/diagnosticSettings",
        "Microsoft.OperationalInsights/workspaces",
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.Resources/resourceGroups",
        "Microsoft.Resources/deployments",
    ):
        assert kind_of(name) is not None, name


@every_kind
def test_the_parent_is_declared_and_comes_first(kind: Kind) -> None:
    if kind.parent not in ("*", SUBSCRIPTION_TYPE):
        assert kind_of(kind.parent) is not None
        assert rank(kind.parent) < rank(kind.type)


@every_kind
def test_references_name_declared_types_that_come_first(kind: Kind) -> None:
    for prop in _all(kind.properties):
        for target in prop.refers.types if prop.refers else ():
            if target != ROLE_DEFINITION_TYPE:
                assert kind_of(target) is not None, prop.name
                assert rank(target) <= rank(kind.type), f"{kind.type}.{prop.name} refers to what comes later"


@every_kind
def test_every_level_has_each_name_once(kind: Kind) -> None:
    levels = [(*kind.envelope, *kind.properties)]
    levels += [p.properties for p in _all((*kind.envelope, *kind.properties)) if p.properties]
    for level in levels:
        counts = Counter(p.name.lower() for p in level)
        assert max(counts.values(), default=0) <= 1, counts.most_common(1)


@every_kind
def test_properties_are_whole(kind: Kind) -> None:
    for prop in _all((*kind.envelope, *kind.properties)):
        if prop.type in (Type.LIST, Type.MAP):
            assert prop.item is not None, prop.name
        if prop.pattern:
            re.compile(prop.pattern)
        assert not (prop.required and prop.readonly), prop.name
        if prop.values and prop.default is not None:
            assert prop.default in prop.values


@every_kind
def test_actions_show_or_rotate_secrets(kind: Kind) -> None:
    declared = {p.name: p for p in kind.properties}
    for action in kind.actions:
        for _, name in action.fields:
            assert declared[name].secret or declared[name].sealed_by
        if action.effect is Effect.ROTATE and not action.selector:
            assert len(action.fields) == 1


def test_keys_of_the_yaml_are_distinct_beside_the_properties() -> None:
    for kind in KINDS:
        children = children_of(kind.type)
        keys = Counter(c.key for c in children)
        assert max(keys.values(), default=0) <= 1
        names = {p.name for p in (*kind.envelope, *kind.properties) if not p.refused and not p.readonly}
        assert not names & set(keys), kind.type
