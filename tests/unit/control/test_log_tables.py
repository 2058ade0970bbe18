"""What a workspace declares for queries, and that the model's own lists say what the tables say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aforo.control import query_texts
from aforo.control.log_tables import table_of
from aforo.model.catalog import kind_of
from aforo.model.ids import parse_id
from aforo.model.kind import Resource
from aforo.model.kinds.data_collection import RULE_TYPE
from aforo.model.kinds.log_table import BUILT_IN, LOG_TABLE_TYPE, STANDARD
from aforo.model.kinds.saved_search import SAVED_SEARCH_TYPE
from aforo.tables import standard
from aforo.tables.catalog import TABLES

W = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w"


def resource(path: str, full_type: str, properties: Mapping[str, Any]) -> Resource:
    kind = kind_of(full_type)
    assert kind is not None
    return Resource(parse_id(path), kind, {"properties": properties}, "etag")


class Known:
    """A view of a few resources."""

    def __init__(self, *resources: Resource) -> None:
        self._by_id = {r.id.key: r for r in resources}

    def get(self, key: str) -> Resource | None:
        return self._by_id.get(key.lower())

    def children(self, parent_key: str, full_type: str) -> list[Resource]:
        return [r for r in self._by_id.values() if r.id.parent_key == parent_key.lower()]


TABLE = resource(
    f"{W}/tables/A_CL",
    LOG_TABLE_TYPE,
    {
        "schema": {
            "columns": [
                {"name": "n", "type": "int"},
                {"name": "TimeGenerated", "type": "dateTime"},
                {"name": "s", "type": "string"},
            ]
        }
    },
)


def test_the_lists_of_the_model_are_those_of_the_tables() -> None:
    assert set(BUILT_IN) == set(TABLES)
    assert set(STANDARD) == {c.name for c in standard.STANDARD}


def test_a_custom_table_has_what_all_have_and_its_own_behind_it() -> None:
    table = table_of(TABLE)
    assert table.names[0] == "TimeGenerated"
    assert table.names[-2:] == ("n", "s")
    assert table.names.count("TimeGenerated") == 1


def function(query: str, parameters: str = "") -> list[str]:
    properties = {
        "category": "c",
        "displayName": "d",
        "query": query,
        "functionAlias": "f",
        "functionParameters": parameters,
    }
    saved = resource(f"{W}/savedSearches/f", SAVED_SEARCH_TYPE, properties)
    return [f"{p.path[-1]}: {p.message}" for p in query_texts.problems(saved, Known())]


def test_saved_functions_have_to_be_sound() -> None:
    assert function("T | where a > n", "n:long, m:string='x'") == []
    assert function("let x = 1; T | where a > x") == []
    (told,) = function("T\n| where (")[:1]
    assert told.startswith("query: line 2, column 10")
    assert function("T", "n:nothing")[0].startswith("functionParameters")


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ("source", ""),
        ("source | extend s = strcat(s, '!')", ""),
        ("source | project n = toint(n)", ""),
        ("source | project n = tolong(n)", "'n' is long here and int in the table A_CL"),
        ("source | extend more = 1", "no column 'more'"),
        ("source | where nothing == 1", "line 1, column 16"),
        ("Other | take 1", "Other"),
        ("source | take", "line 1"),
    ],
)
def test_transformations_fit_their_stream_and_their_table(transform: str, words: str) -> None:
    properties = {
        "streamDeclarations": {
            "Custom-A": {"columns": [{"name": "n", "type": "int"}, {"name": "s", "type": "string"}]}
        },
        "destinations": {"logAnalytics": [{"name": "w", "workspaceResourceId": W}]},
        "dataFlows": [
            {
                "streams": ["Custom-A"],
                "destinations": ["w"],
                "transformKql": transform,
                "outputStream": "Custom-A_CL",
            }
        ],
    }
    rule = resource(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/r",
        RULE_TYPE,
        properties,
    )
    found = [p.message for p in query_texts.problems(rule, Known(TABLE))]
    if words:
        assert any(words in message for message in found), found
    else:
        assert found == []
