"""Completion at a place of a query that is still being written. `^` is the place."""

from __future__ import annotations

import pytest

from aforo.kql.complete import KEYWORDS, Completion, complete
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.types import KqlType

CALLS = TableSymbol(
    "Calls",
    (
        ColumnSymbol("TimeGenerated", KqlType.DATETIME),
        ColumnSymbol("Level", KqlType.STRING),
        ColumnSymbol("Code", KqlType.INT),
        ColumnSymbol("Bag", KqlType.DYNAMIC),
    ),
)
USERS = TableSymbol("Users", (ColumnSymbol("Name", KqlType.STRING), ColumnSymbol("Id", KqlType.INT)))
DATABASE = Database("d", {"Calls": CALLS, "Users": USERS}, {"recent": "(n:long=5) { Calls | take n }"})
OF_CALLS = ["TimeGenerated", "Level", "Code", "Bag"]


def at(marked: str) -> Completion:
    offset = marked.index("^")
    return complete(
        marked.replace("^", "", 1),
        offset,
        DATABASE,
        values={"Level": ("error", "info")},
        docs={"Calls": "One per call.", "Calls.Code": "The status."},
    )


def labels(marked: str, *kinds: str) -> list[str]:
    return [s.label for s in at(marked).suggestions if not kinds or s.kind in kinds]


@pytest.mark.parametrize(
    ("marked", "columns"),
    [
        ("Calls | where ^", OF_CALLS),
        ("Calls | where Code > 1 and ^", OF_CALLS),
        ("Calls | extend x = Code * 2 | where ^", [*OF_CALLS, "x"]),
        ("Calls | project Level | where ^", ["Level"]),
        ("Calls | summarize n = count() by Level | order by ^", ["Level", "n"]),
        ("Calls | where strlen(^", OF_CALLS),
        ("Calls | where (Code > 1 and (^", OF_CALLS),
        ("Calls | where Code > 1 | join kind=inner (Users | where ^", ["Name", "Id"]),
        ("Calls | join (Users | project Name) on ^", [*OF_CALLS, "Name"]),
        ("Calls | join Users on $left.^", OF_CALLS),
        ("Calls | join Users on $left.Code == $right.^", ["Name", "Id"]),
        ("let t = Calls | project Code; t | where ^", ["Code"]),
        ("let f = (T:(a:long), n:long) { T | where ^", ["a"]),
        ("let f = (n:long) { let u = Users; u | where Id > n | project ^", ["Name", "Id"]),
        ("recent(3) | where ^", OF_CALLS),
        ("Calls | mv-apply b = Bag on (where ^", [*OF_CALLS, "b"]),
        # What is broken on the way is left out.
        ("Calls | whre x | where ^", OF_CALLS),
        ("Calls | where Nothing == 1 | extend y = 1 | where ^", [*OF_CALLS, "y"]),
        ("Calls | where ( | where ^", OF_CALLS),
        ("print 1; Calls | where ^", OF_CALLS),
        ("Calls\n| where Code == 1 // a remark | with a pipe\n| project ^\n| take 5", OF_CALLS),
    ],
)
def test_columns_are_those_of_the_rows_at_that_place(marked: str, columns: list[str]) -> None:
    assert labels(marked, "column") == columns


def test_a_query_begins_with_tables_functions_and_names() -> None:
    found = labels("let mine = 5; ^")
    assert found[:4] == ["Calls", "Users", "recent", "mine"]
    assert {"print", "range", "union", "let"} <= set(found)
    assert labels("Ca^", "table") == ["Calls"]
    assert labels("Calls | join kind=inner (^", "table") == ["Calls", "Users"]
    assert labels("Calls | where Code in (^", "table") == ["Calls", "Users"]
    assert labels("union Calls, ^", "table") == ["Calls", "Users"]


def test_behind_a_pipe_stand_operators_that_run() -> None:
    found = set(labels("Calls | ^"))
    assert {"where", "summarize", "project-away", "join", "render"} <= found
    assert not found & {"fork", "facet", "graph-shortest-paths", "Calls", "Code"}
    completion = at("Calls | project-a^way Code")
    assert [s.label for s in completion.suggestions] == ["project-away"]
    assert (completion.span.start, completion.span.end) == (8, 20)


@pytest.mark.parametrize(
    ("marked", "some"),
    [
        ("Calls | join kind=^", {"inner", "leftouter", "leftanti"}),
        ("Calls | union kind=^", {"inner", "outer"}),
        ("Calls | render ^", {"timechart", "piechart", "barchart"}),
        ("Calls | evaluate ^", {"pivot", "bag_unpack"}),
        ("Calls | mv-expand Bag to typeof(^", {"long", "string", "dynamic"}),
        ("print datatable(a:^", {"long", "datetime"}),
        ("Calls | summarize count() ^", {"by"}),
        ("Calls | order by Code ^", {"asc", "desc"}),
        ("Calls | where Code ^", {"==", "in", "between", "and", "has"}),
        ("Calls | join Users ^", {"on"}),
        ("Calls | summarize ^", {"count", "sum", "dcount", "percentile"}),
        ("Calls | extend ^", {"strcat", "iff", "prev"}),
    ],
)
def test_words_and_functions_that_fit(marked: str, some: set[str]) -> None:
    assert some <= set(labels(marked))


def test_values_of_a_column_come_where_it_is_compared() -> None:
    assert labels("Calls | where Level == ^")[:2] == ["error", "info"]
    assert [s.text for s in at("Calls | where Level == ^").suggestions][:2] == ["'error'", "'info'"]
    assert [s.text for s in at("Calls | where Level == '^").suggestions] == ["error", "info"]
    assert labels("Calls | where Level in ('info', '^") == ["error", "info"]
    assert labels('Calls | where Level !in ("er^') == ["error"]


@pytest.mark.parametrize(
    "marked",
    [
        "// Calls | ^",
        "Calls | take ^",
        "Calls | where Code == 'abc^",
        'print "Calls | ^',
        "Calls | extend x = Bag.^",
    ],
)
def test_where_nothing_can_be_told_nothing_is(marked: str) -> None:
    assert labels(marked) == []


def test_what_was_typed_narrows_and_the_beginning_counts_most() -> None:
    found = labels("Calls | where str^")
    assert all("str" in label.lower() for label in found)
    assert found[0].startswith("str")
    assert "tostring" in found
    span = at("Calls | where Le^vel == 1").span
    assert (span.start, span.end) == (14, 19)


def test_functions_come_with_their_signature() -> None:
    signature = at("Calls | extend a = strcat(Level, ^").signature
    assert signature is not None
    assert (signature.name, signature.active) == ("strcat", 1)
    signature = at("Calls | where Code > iff(Code == strlen(Level), ^").signature
    assert signature is not None
    assert (signature.name, signature.active, signature.parameters[0]) == ("iff", 1, "condition: bool")
    signature = at("recent(^").signature
    assert signature is not None
    assert signature.parameters == ("n:long=5",)
    assert at("Calls | where ^").signature is None
    described = next(s for s in at("Calls | extend a = tolo^").suggestions if s.label == "tolower")
    assert described.detail.startswith("tolower(")
    assert described.doc


def test_descriptions_stand_beside_names() -> None:
    assert next(s for s in at("Calls | where Co^").suggestions if s.label == "Code").doc == "The status."
    assert next(s for s in at("Ca^").suggestions if s.label == "Calls").doc == "One per call."


def test_a_text_that_is_too_long_is_not_looked_at() -> None:
    assert complete("Calls | where " + "x" * 300_000, 10, DATABASE).suggestions == ()


def test_every_operator_that_runs_has_a_word() -> None:
    assert {"where", "join", "mv-apply", "print"} <= KEYWORDS
