"""Stored texts may be NULL, and Kusto has no such text: an answer never shows one, whatever filters have ruled out before."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from aforo.kql.compile import compile_query
from aforo.kql.sql.duckdb.prepare import prepare
from aforo.kql.symbols import ColumnSymbol, Database, PromotedPath, TableSymbol
from aforo.kql.types import KqlType
from aforo.source import Source

COLUMNS = (
    ColumnSymbol("Id", KqlType.LONG),
    ColumnSymbol("Name", KqlType.STRING),
    ColumnSymbol("Body", KqlType.STRING),
)
PROMOTED = (PromotedPath("Body", ("model",), "_model", KqlType.STRING, None),)
DATABASE = Database("logs", {"T": TableSymbol("T", COLUMNS, PROMOTED, ("_model",))})
MODEL = "tostring(parse_json(Body).model)"

QUERIES = {
    "T | where Name != '' | summarize n = count() by Name": [("x", 2), ("y", 1)],
    "T | where isnotempty(Name) | project Name | distinct Name": [("x",), ("y",)],
    "T | where Name == 'x' | project Id, Name": [(1, "x"), (2, "x")],
    "T | where Name in ('x', 'y') and Id > 1 | project Id, Name": [(2, "x"), (3, "y")],
    "T | where Name in ('x', '') | project Id, Name": [(1, "x"), (2, "x"), (4, ""), (5, "")],
    "T | where Name != 'x' | project Id, Name": [(3, "y"), (4, ""), (5, "")],
    "T | where Name == '' | project Id, Name": [(4, ""), (5, "")],
    "T | summarize n = count() by Name": [("", 2), ("x", 2), ("y", 1)],
    "T | where Name != '' or Id == 5 | project Id, Name": [(1, "x"), (2, "x"), (3, "y"), (5, "")],
    "T | join kind=leftouter (T | where Name != '') on Id | project Id, Name1": [
        (1, "x"),
        (2, "x"),
        (3, "y"),
        (4, ""),
        (5, ""),
    ],
    f"T | extend m = {MODEL} | project Id, m": [(1, "a"), (2, ""), (3, "b"), (4, ""), (5, "")],
    f"T | extend m = {MODEL} | where m != '' | summarize n = count() by m": [("a", 1), ("b", 1)],
    f"T | extend m = {MODEL} | summarize n = count() by m": [("", 3), ("a", 1), ("b", 1)],
    f"T | extend m = {MODEL} | where m == 'a' | extend l = strlen(m), u = toupper(m) | project m, l, u": [
        ("a", 1, "A")
    ],
    f"T | extend m = {MODEL} | extend e = isempty(m), same = m == '' | project Id, e, same": [
        (1, False, False),
        (2, True, True),
        (3, False, False),
        (4, True, True),
        (5, True, True),
    ],
    f"T | extend m = {MODEL} | sort by m asc, Id asc | project Id": [(2,), (4,), (5,), (1,), (3,)],
}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        prepare(made)
        made.execute('CREATE TABLE "T" ("Id" BIGINT, "Name" VARCHAR, "Body" VARCHAR, "_model" VARCHAR)')
        made.executemany(
            'INSERT INTO "T" VALUES (?, ?, ?, ?)',
            [
                (1, "x", '{"model":"a"}', "a"),
                (2, "x", "{}", None),
                (3, "y", '{"model":"b"}', "b"),
                (4, "", '{"model":""}', ""),
                (5, None, None, None),
            ],
        )
        yield made


@pytest.mark.parametrize("query", QUERIES)
def test_no_text_is_null(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    compiled = compile_query(Source("q", query), DATABASE, now=0).compiled
    assert compiled is not None
    rows = connection.execute(compiled.sql).fetchall()
    assert (rows if "sort by" in query else sorted(rows)) == QUERIES[query]
