"""search and find: terms with wildcards, tables that lack a column, labels and the bag of the rest."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

TABLES = """let T = view () { datatable(a: string, b: long, d: dynamic)["Error one", 1, dynamic({"k": "err"}), "fine", 42, dynamic(null)] };
let U = view () { datatable(a: string, c: real, e: int)["an error", 1.5, 7, "none", 2.0, 42] };
"""


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        ('"error"', ["Error one", "an error"]),
        ('"erro"', []),
        ('"erro*"', ["Error one", "an error"]),
        ('"*ror"', ["Error one", "an error"]),
        ('"*in*"', ["fine"]),
        ('"er*one"', ["Error one"]),
        ('"42"', ["fine", "none"]),
        ('a: "fi*" or b == 1', ["Error one", "fine"]),
        ('"error" and e == 7', ["an error"]),
        ('"err"', ["Error one"]),
        ("*", ["Error one", "an error", "fine", "none"]),
        ('not("error")', ["fine", "none"]),
        ('a == "FINE"', []),
        ('a =~ "FINE"', ["fine"]),
        ('a matches regex "^n"', ["none"]),
    ],
)
def test_search(predicate: str, found: list[str]) -> None:
    columns, rows = answer(f"{TABLES} search {predicate}")
    assert columns == ["$table:string", "a:string", "b:long", "d:dynamic", "c:real", "e:int"]
    assert sorted(row[1] for row in rows) == found
    assert {row[0] for row in rows} <= {"T", "U"}


def test_search_in_some_tables_and_by_case() -> None:
    assert answer(f'{TABLES} search in (U) "error" | project $table, a')[1] == [["U", "an error"]]
    assert answer(f'{TABLES} search kind=case_sensitive "error" | project a')[1] == [["an error"]]


def test_search_over_rows_and_any_column_in_where() -> None:
    assert answer(f'{TABLES} T | search "err" | project a')[1] == [["Error one"]]
    assert answer(f'{TABLES} T | where * has "err" | project a')[1] == [["Error one"]]
    assert answer(f'{TABLES} T | where * == "fine" | project a')[1] == [["fine"]]


def test_find_shows_shared_and_named_columns_and_packs_the_rest() -> None:
    columns, rows = answer(f"{TABLES} find in (T, U) where e == 42 or b == 1")
    assert columns == ["source_:string", "a:string", "b:long", "e:int", "pack_:dynamic"]
    assert sorted(rows) == [
        ["T", "Error one", 1, None, '{"d":{"k":"err"}}'],
        ["U", "none", None, 42, '{"c":2.0}'],
    ]


def test_find_leaves_out_tables_without_any_named_column() -> None:
    assert answer(f"{TABLES} find where b > 0 project a")[1] == [["T", "Error one"], ["T", "fine"]]


def test_find_projects_with_types() -> None:
    columns, rows = answer(
        f'{TABLES} find withsource=src in (T, U) where a has "error" project b: string, e, pack_all()'
    )
    assert columns == ["src:string", "b:string", "e:int", "pack_:dynamic"]
    assert sorted(rows) == [
        ["T", "1", None, '{"a":"Error one","d":{"k":"err"}}'],
        ["U", "", 7, '{"a":"an error","c":1.5}'],
    ]


def test_mistakes() -> None:
    assert mistakes('search "x"') == ["there is no table to search in"]
    assert mistakes('datatable(a: string)["x"] | search b == 1') == ["there is no column 'b'"]
