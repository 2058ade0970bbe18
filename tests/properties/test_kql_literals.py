"""Texts, names and numbers of a query come back as they went in: nothing of them is taken for SQL."""

from __future__ import annotations

import json

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aforo.kql.compile import compile_query
from aforo.kql.sql.duckdb.prepare import prepare
from aforo.kql.symbols import Database
from aforo.source import Source
from tests.support.examples import examples

ALL_OF_THEM = settings(
    max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    prepare(connection)
    return connection


def _one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], list[object]]:
    result = compile_query(Source("q", query), Database("d", {}), now=0)
    assert result.compiled is not None, (query, result.diagnostics)
    ((row,),) = connection.execute(result.compiled.json_sql).fetchall()
    return [c.name for c in result.compiled.columns], json.loads(row)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for char, code in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(char, code)
    return f'"{escaped}"'


@ALL_OF_THEM
@given(TEXTS)
@example("'); DROP TABLE x; --")
@example("$1 ? :a %s \\' \u2028")
def test_texts(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    _, (got, joined, length) = _one_row(
        connection, f"print {_quoted(text)}, strcat({_quoted(text)}, 'x'), strlen({_quoted(text)})"
    )
    assert (got, joined, length) == (text, text + "x", len(text))


@ALL_OF_THEM
@given(
    st.lists(TEXTS.filter(lambda t: t.strip() != "" and "\n" not in t), min_size=1, max_size=3, unique=True)
)
def test_names(connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    columns = ", ".join(f"[{_quoted(name)}] = {i}" for i, name in enumerate(names))
    again = ", ".join(f"[{_quoted(name)}]" for name in reversed(names))
    got_names, row = _one_row(
        connection, f"print {columns} | where [{_quoted(names[0])}] == 0 | project {again}"
    )
    assert got_names == names[::-1]
    assert row == list(range(len(names)))[::-1]


@ALL_OF_THEM
@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers(connection: duckdb.DuckDBPyConnection, whole: int, real: float) -> None:
    _, row = _one_row(
        connection, f"print long({whole}), real({real!r}), tolong('{whole}'), todouble('{real!r}')"
    )
    assert row == [whole, real, whole, real]


@ALL_OF_THEM
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXTS,
        lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXTS, v, max_size=3),
        max_leaves=6,
    ).map(lambda v: {"v": v})
)
def test_dynamic_values(connection: duckdb.DuckDBPyConnection, value: object) -> None:
    text = json.dumps(value)
    _, (literal, parsed) = _one_row(connection, f"print dynamic({text}), parse_json({_quoted(text)})")
    assert json.loads(str(literal)) == value
    assert json.loads(str(parsed)) == value
