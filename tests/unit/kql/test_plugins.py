"""Plugins of `evaluate` whose columns the data tells."""

from __future__ import annotations

import pytest

from tests.support.kql_run import answer, mistakes

PEOPLE = """datatable(id: long, d: dynamic)[
    1, dynamic({"name": "Ann", "age": 20}),
    2, dynamic({"name": "Bob", "age": 21.5, "tags": ["x"]}),
    3, dynamic(null)]"""


def test_bag_unpack_makes_a_column_of_each_name() -> None:
    columns, rows = answer(f"{PEOPLE} | evaluate bag_unpack(d) | sort by id asc")
    assert columns == ["id:long", "age:real", "name:string", "tags:dynamic"]
    assert rows[0] == [1, 20.0, "Ann", None]
    assert rows[1][:3] == [2, 21.5, "Bob"]
    assert rows[2] == [3, None, "", None]


def test_bag_unpack_with_prefix_conflict_and_schema() -> None:
    assert answer(f"{PEOPLE} | evaluate bag_unpack(d, 'p_', ignoredProperties=dynamic(['tags', 'age']))")[
        0
    ] == [
        "id:long",
        "p_name:string",
    ]
    taken = 'datatable(name: string, d: dynamic)[\'x\', dynamic({"name": "y"})] | evaluate bag_unpack(d'
    assert mistakes(f"{taken})") == ["the bag has a 'name', and 'name' is a column already"]
    assert answer(f"{taken}, columnsConflict='keep_source')")[1] == [["x"]]
    assert answer(f"{taken}, columnsConflict='replace_source')")[1] == [["y"]]
    columns, rows = answer(f"{PEOPLE} | take 1 | evaluate bag_unpack(d) : (*, age: long)")
    assert (columns, rows) == (["id:long", "age:long"], [[1, 20]])


def test_pivot_counts_or_aggregates() -> None:
    table = (
        "datatable(team: string, model: string, tokens: long)['a','m1',1, 'a','m2',2, 'b','m1',3, 'a','m1',4]"
    )
    columns, rows = answer(f"{table} | project team, model | evaluate pivot(model) | sort by team asc")
    assert columns == ["team:string", "m1:long", "m2:long"]
    assert rows == [["a", 2, 1], ["b", 1, 0]]
    columns, rows = answer(f"{table} | evaluate pivot(model, sum(tokens), team) | sort by team asc")
    assert rows == [["a", 5, 2], ["b", 3, 0]]


def test_narrow_makes_rows_of_cells() -> None:
    columns, rows = answer("datatable(a: long, b: string)[1, 'x', 2, ''] | evaluate narrow()")
    assert columns == ["Row:long", "Column:string", "Value:string"]
    assert rows == [[0, "a", "1"], [0, "b", "x"], [1, "a", "2"], [1, "b", ""]]


def test_a_plugin_that_is_none_is_told_from_one_that_is_not_made() -> None:
    assert mistakes("print x = 1 | evaluate pivott(x)") == ["there is no plugin 'pivott'"]
    assert "not supported yet" in mistakes("print x = 1 | evaluate schema_merge()")[0]
    assert "not supported yet" in mistakes("print x = 1 | evaluate basket(0.2, '~')")[0]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "range k from 1 to 3 step 1 | evaluate pivot(k, x=1)",
            "pivot knows no 'x'; it takes none of its arguments by name",
        ),
        ("print d = dynamic({}) | evaluate bag_unpack(d, columnConflict='error')", "columnsconflict"),
    ],
)
def test_names_of_arguments_that_a_plugin_does_not_have(query: str, said: str) -> None:
    assert said in mistakes(query)[0]
