"""ARM ids: parts, parents, case, and what is no id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.model.catalog import canonical, kind_of
from aforo.model.ids import BadId, parse_id

SERVICE = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim"


@pytest.mark.parametrize(
    ("text", "full_type", "name", "parent"),
    [
        ("/subscriptions/s1", "Microsoft.Resources/subscriptions", "s1", ""),
        (
            "/subscriptions/s1/resourceGroups/rg",
            "Microsoft.Resources/resourceGroups",
            "rg",
            "/subscriptions/s1",
        ),
        (SERVICE, "Microsoft.ApiManagement/service", "apim", "/subscriptions/s1/resourceGroups/rg"),
        (
            f"{SERVICE}/apis/a/operations/o",
            "Microsoft.ApiManagement/service/apis/operations",
            "o",
            f"{SERVICE}/apis/a",
        ),
        (f"{SERVICE}/apis/a;rev=2", "Microsoft.ApiManagement/service/apis", "a;rev=2", SERVICE),
        (
            f"{SERVICE}/providers/Microsoft.Insights/diagnosticSettings/d",
            "Microsoft.Insights/diagnosticSettings",
            "d",
            SERVICE,
        ),
        (
            "/subscriptions/s1/providers/Microsoft.Authorization/roleAssignments/g",
            "Microsoft.Authorization/roleAssignments",
            "g",
            "/subscriptions/s1",
        ),
    ],
)
def test_parts(text: str, full_type: str, name: str, parent: str) -> None:
    rid = parse_id(text)
    assert (rid.type, rid.name, rid.parent, rid.text) == (full_type, name, parent, text)


@pytest.mark.parametrize(
    "text",
    ["", "/", "apis/x", "/products/gold", "/subscriptions", "/subscriptions/s/apis/x", f"{SERVICE}/apis", f"{SERVICE}//apis/x",
     "/subscriptions/s/providers/Microsoft.X", "/subscriptions/s/resourceGroups/rg/foo/bar"],
)  # fmt: skip
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(BadId):
        parse_id(text)


def test_ids_differing_in_case_are_the_same() -> None:
    assert parse_id(SERVICE.upper().replace("/SUBSCRIPTIONS", "/subscriptions")) == parse_id(SERVICE)
    assert hash(parse_id(SERVICE.lower())) == hash(parse_id(SERVICE))


def test_types_get_their_declared_spelling_names_keep_theirs() -> None:
    shouted = parse_id(
        "/subscriptions/s1/resourcegroups/rg/providers/microsoft.apimanagement/SERVICE/apim/NAMEDVALUES/MyValue"
    )
    kind = kind_of(shouted.type)
    assert kind is not None
    assert canonical(shouted, kind).text.endswith("/namedValues/MyValue")


def test_nearest_ancestor() -> None:
    operation = parse_id(f"{SERVICE}/apis/a/operations/o")
    service = operation.ancestor("microsoft.apimanagement/service")
    assert service is not None
    assert service.text == SERVICE
    assert operation.ancestor("Microsoft.CognitiveServices/accounts") is None


names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)


@given(names, names, names)
def test_children_parse_to_what_they_were_made_as(group: str, api: str, operation: str) -> None:
    service = parse_id(f"/subscriptions/s/resourceGroups/{group}/providers/Microsoft.ApiManagement/service/x")
    made = service.child("apis", api).child("operations", operation)
    parsed = parse_id(made.text)
    assert (parsed.text, parsed.type, parsed.name, parsed.parent) == (
        made.text,
        made.type,
        made.name,
        made.parent,
    )


@given(st.text(max_size=60))
def test_any_text_is_an_id_or_bad(text: str) -> None:
    try:
        rid = parse_id(text)
    except BadId:
        return
    assert parse_id(rid.text) == rid
