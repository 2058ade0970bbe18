"""Columns with the names that macros' lambdas go over, and words of a table."""

from __future__ import annotations

from typing import Any

import pytest

from aforo.kql.sql.duckdb import macros, macros_values
from aforo.kql.sql.duckdb.lambda_names import own_names
from tests.support.kql_run import answer

TABLE = "datatable({0}:string, d:dynamic)['alpha beta', dynamic(['beta']), 'betamax', dynamic(['beta'])]"


@pytest.mark.parametrize("name", ["x", "i", "j", "k", "p", "v", "r", "t"])
@pytest.mark.parametrize(
    ("work", "wanted"),
    [
        ("where {0} has_any (d) | project {0}", [["alpha beta"]]),
        ("where {0} in (d) | count", [[0]]),
        ("project n = array_length(repeat({0}, 2)), f = tostring(repeat({0}, 2)[0])", [[2, "alpha beta"], [2, "betamax"]]),
        ("project a = strcat_array(pack_array({0}, 'z'), {0})", [["alpha betaalpha betaz"], ["betamaxbetamaxz"]]),
    ],
)  # fmt: skip
def test_a_column_may_have_any_name(name: str, work: str, wanted: list[list[Any]]) -> None:
    query = f"{TABLE} | {work}".format(name)
    assert answer(query)[1] == wanted


@pytest.mark.parametrize("name", ["i", "j", "v", "x"])
def test_ranges_begin_where_the_column_says(name: str) -> None:
    query = f"print {name} = 5 | project r = range({name}, {name} + 4, 2), s = array_sum(range({name}, 7))"
    assert answer(query)[1] == [["[5,7,9]", 18.0]]


def test_no_two_lambdas_have_one_name() -> None:
    every = macros.MACROS | macros_values.MACROS
    for name, body in every.items():
        assert "lambda x:" not in own_names(name, body)
    assert own_names("kql_m", "(s) AS f(s, lambda x: 'x' || x || s.x)") == (
        '(s) AS f(s, lambda "x of m": \'x\' || "x of m" || s.x)'
    )


WORDS = "let W = datatable(w:string, n:int)['beta', 1, 'gamma ray', 2, 'beta', 3];"
TEXTS = "datatable(x:string)['alpha beta', 'betamax', 'a Gamma Ray gun', '', 'gamma, ray 1']"


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("x has_any (W)", ["alpha beta", "a Gamma Ray gun"]),
        ("x has_any ((W | where n < 2))", ["alpha beta"]),
        ("x has_any (W | project n)", ["gamma, ray 1"]),
        ("x has_any ((W | where false))", []),
        ("x has_all (W | where w startswith 'g')", ["a Gamma Ray gun"]),
        ("not(x has_any (W))", ["betamax", "", "gamma, ray 1"]),
    ],
)
def test_words_may_come_from_a_table(condition: str, wanted: list[str]) -> None:
    assert [row[0] for row in answer(f"{WORDS} {TEXTS} | where {condition}")[1]] == wanted
