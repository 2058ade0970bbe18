"""make_list and make_set take the elements of arrays, not the arrays themselves; bags are values."""

from __future__ import annotations

from tests.support.kql_run import answer

TABLE = """datatable(n: int, a: dynamic)[
    1, dynamic(['A1', 'A2', 'A3']), 5, dynamic(['A2', 'C1']), 6, dynamic({'x': [1]}), 7, dynamic(null)]"""


def test_elements_of_arrays() -> None:
    assert answer(f"{TABLE} | summarize make_list(a), make_set(a), make_list(n)")[1] == [
        ['["A1","A2","A3","A2","C1",{"x":[1]}]', '["A1","A2","A3","C1",{"x":[1]}]', "[1,5,6,7]"]
    ]


def test_only_one_level_is_opened() -> None:
    assert answer("print a=dynamic([[1, 2], 3]) | summarize make_list(a)")[1] == [["[[1,2],3]"]]


def test_nothing_is_an_empty_array() -> None:
    assert answer(f"{TABLE} | where n > 9 | summarize make_list(a), make_set(a)")[1] == [["[]", "[]"]]
