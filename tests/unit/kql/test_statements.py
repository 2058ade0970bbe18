"""What stands before the answer: patterns, aliases, restrictions, functions with named arguments; and lone values."""

from __future__ import annotations

import pytest

from aforo.kql.compile import compile_query
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.types import LONG
from aforo.source import Source
from tests.support.kql_run import answer, mistakes

PATTERN = """declare pattern country = (name: string)[state: string] {
  ("USA").["New York"] = { print Capital = "Albany" };
  ("Canada").["Alberta"] = { let capital = "Edmonton"; print Capital = capital };
};
"""
HERE = Database(
    "law", {"T": TableSymbol("T", (ColumnSymbol("x", LONG),)), "U": TableSymbol("U", (ColumnSymbol("x", LONG),))},
    also=("0f3c", "/subscriptions/s/law"),
)  # fmt: skip


def codes(text: str) -> list[str]:
    return [d.code for d in compile_query(Source("q", text), HERE, now=0).diagnostics]


def test_a_lone_value_is_printed() -> None:
    assert answer("strcat('a', 1)") == (["print_0:string"], [["a1"]])
    assert answer("let x = 5; x + 1") == (["print_0:long"], [[6]])


def test_patterns_stand_for_their_bodies() -> None:
    assert answer(PATTERN + 'union country("Canada").Alberta, (country("USA").["New York"])')[1] == [
        ["Edmonton"],
        ["Albany"],
    ]
    text = 'declare pattern p = (a: string) { ("x") = { print y = 1 }; };'
    assert answer(text + 'p("x") | extend z = y')[1] == [[1, 1]]
    assert "no case" in mistakes(text + 'p("w")')[0]


@pytest.mark.parametrize(
    "text",
    [
        "database('law').T | count", "workspace('0F3C').T", "resource('/subscriptions/s/law').T", "database('LAW').['T']",
        "let n = 'law'; database(n).T", "alias database a = cluster('law').database('law'); database('a').T",
        "union T, workspace('law').U", "T | join kind=inner database('law').U on x", "database('law').table('T')",
    ],
)  # fmt: skip
def test_this_place_by_its_names(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "database('other').T", "cluster('c').database('law').T", "app('a').requests", "T | union workspace('w').U",
        "alias database a = cluster('c').database('d'); database('a').T",
    ],
)  # fmt: skip
def test_other_places_are_refused_by_name(text: str) -> None:
    assert codes(text) == ["KQL0904"]


def test_restrict_access() -> None:
    assert codes("restrict access to (T); T | count") == []
    assert codes("restrict access to (T); U | count") == ["KQL0905"]
    assert codes("restrict access to (database('law').U*); union *") == []
    assert codes("let V = view () { U }; restrict access to (V); V | count") == []
    assert codes("let V = view () { U }; restrict access to (T); V | count") == ["KQL0905"]
    assert codes("restrict access to (T); let V = view () { T }; V | count") == []
    assert codes("restrict access to (T); let V = view () { U }; V | count") == ["KQL0905"]


def test_named_arguments() -> None:
    function = "let f = (a: long, b: long = 2, c: long = 3) { print a, b, c }; "
    assert answer(function + "f(1, c=9)")[1] == [[1, 2, 9]]
    assert answer(function + "f(b=5, 1)")[1] == [[1, 5, 3]]
    assert mistakes(function + "f(1, z=9)") == ["there is no parameter 'z'"]


def test_views_are_called_without_parentheses_and_found_by_wildcards() -> None:
    text = "let Va = view () { print x = 1 }; let Vb = view () { print x = 2 }; let Vc = () { print x = 3 }; "
    assert answer(text + "union V*")[1] == [[1], [2]]
    assert answer(text + "Vc | union Va")[1] == [[3], [1]]


def test_project_by_names_and_column_names_of() -> None:
    assert answer('print a = 1, b = 2, c1 = 3 | project-by-names "c*", dynamic(["a", "zz"])') == (
        ["c1:long", "a:long"], [[3, 1]]
    )  # fmt: skip
    assert answer("let T = datatable(A: string, B: int)[]; print column_names_of(T)")[1] == [['["A","B"]']]


def test_assertions() -> None:
    assert answer("print x = assert(1 > 0, 'no')")[1] == [[True]]
    assert answer("print a = 1 | assert-schema (a: long)")[1] == [[1]]
    assert "must be string" in mistakes("print a = 1 | assert-schema (a: string)")[0]


@pytest.mark.parametrize(
    "text", ["T | fork (count) (take 1)", "T | facet by x", "externaldata (a: string)['u'] | count"]
)
def test_what_will_not_run_says_why(text: str) -> None:
    assert codes(text) == ["KQL0903"]


def test_consume_gives_no_rows() -> None:
    assert answer("print a = 1 | consume")[1] == []


def test_a_fuzzy_union_goes_without_what_is_not_there() -> None:
    legs = "(nowhere | where x > 1 | join other on y), workspace('x').T, (print a = 1)"
    assert answer(f"union isfuzzy=true {legs}")[1] == [[1]]
    assert answer(f"let U = union isfuzzy=true nowhere, {legs}; U | count")[1] == [[1]]
    assert any("nowhere" in m for m in mistakes("union isfuzzy=true nowhere | count"))
    # What is wrong in a leg that is there stays a mistake.
    assert any("'b'" in m for m in mistakes("union isfuzzy=true nowhere, (print a = 1 | where b > 1)"))
    assert any("nowhere" in m for m in mistakes("union nowhere, (print a = 1)"))


def test_options_that_change_the_answer() -> None:
    assert answer("set query_now = datetime(2020-01-02); print now(), ago(1d)")[1] == [
        ["2020-01-02T00:00:00Z", "2020-01-01T00:00:00Z"]
    ]
    assert answer("set query_take_max_records = 2; range x from 1 to 5 step 1")[1] == [[1], [2]]
    assert "datetime" in mistakes("set query_now = 'x'; print 1")[0]
    assert "TimeGenerated" in mistakes("set query_datetimescope_column = 'x'; print 1")[0]
