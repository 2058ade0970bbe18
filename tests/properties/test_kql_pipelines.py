"""Random pipelines over two random tables: DuckDB's answers are those of the naive interpreter (`kql_naive.py`).

What Kusto leaves open (the order of equal rows, the row that `innerunique` takes) is compared as sets or in tests of
its own.
"""

from __future__ import annotations

import json
import math
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aforo.kql.compile import compile_query
from aforo.kql.sql.duckdb.prepare import prepare
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.ticks import UNIX_EPOCH
from aforo.kql.types import KqlType
from aforo.source import Source
from tests.support import kql_naive as n
from tests.support.examples import examples
from tests.support.kql_naive import Columns, Expr, Row, Rows, Step
from tests.support.kql_random import LEFT, RIGHT, TYPES, expressions, pipelines, rows_of

SQL = {
    "long": "BIGINT",
    "int": "INTEGER",
    "real": "DOUBLE",
    "string": "VARCHAR",
    "datetime": "TIMESTAMPTZ",
    "bool": "BOOLEAN",
    "dynamic": "VARCHAR",
}
DATABASE = Database(
    "random",
    {
        name: TableSymbol(name, tuple(ColumnSymbol(c, KqlType(t)) for c, t in columns.items()))
        for name, columns in (("T", LEFT), ("U", RIGHT))
    },
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    prepare(connection)
    for name, columns in (("T", LEFT), ("U", RIGHT)):
        made = ", ".join(f'"{c}" {SQL[t]}' for c, t in columns.items())
        connection.execute(f'CREATE TABLE "{name}" ({made})')
    return connection


def _fill(connection: duckdb.DuckDBPyConnection, name: str, columns: Columns, rows: Rows) -> None:
    connection.execute(f'DELETE FROM "{name}"')
    for row in rows:
        cells = [
            f"make_timestamp({row[c]})" if t == "datetime" and row[c] is not None else "?"
            for c, t in columns.items()
        ]
        values = [
            json.dumps(row[c]) if t == "dynamic" and row[c] is not None else row[c]
            for (c, t), cell in zip(columns.items(), cells, strict=True)
            if cell == "?"
        ]
        connection.execute(f'INSERT INTO "{name}" VALUES ({", ".join(cells)})', values)


def _ask(connection: duckdb.DuckDBPyConnection, query: str, columns: Columns) -> list[list[Any]]:
    result = compile_query(Source("random", query), DATABASE, now=0)
    assert result.compiled is not None, (query, [d.message for d in result.diagnostics])
    assert {c.name: c.type.value for c in result.compiled.columns} == columns, query
    rows = connection.execute(result.compiled.sql).fetchall()
    return [[_got(v, t) for v, t in zip(row, columns.values(), strict=True)] for row in rows]


def _got(value: Any, type_: str) -> Any:
    """A canonical value as the interpreter has it."""
    if value is None:
        return None
    match type_:
        case "dynamic":
            return _number(json.loads(value))
        case "datetime":
            return (value - UNIX_EPOCH) // 10
        case _:
            return _number(value)


def _number(value: Any) -> Any:
    """NaN is equal to itself here, and a whole real the same as a long."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    return value


def _wanted(rows: Rows, columns: Columns) -> list[list[Any]]:
    return [[_number(r[c]) for c in columns] for r in rows]


def _as_set(rows: list[list[Any]]) -> list[str]:
    return sorted(json.dumps(_floats(row), sort_keys=True) for row in rows)


def _floats(value: Any) -> Any:
    match value:
        case list():
            return [_floats(v) for v in value]
        case dict():
            return {k: _floats(v) for k, v in value.items()}
        case bool() | str() | None:
            return value
        case _:
            return float(value) + 0.0


SETTINGS = settings(
    max_examples=examples(250),
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@SETTINGS
@given(rows=rows_of(LEFT), pipeline=pipelines())
def test_pipelines_answer_as_the_interpreter_does(
    connection: duckdb.DuckDBPyConnection, rows: Rows, pipeline: list[Step]
) -> None:
    _fill(connection, "T", LEFT, rows)
    expected, columns = rows, LEFT
    for step in pipeline:
        expected, columns = step.apply(expected), step.columns
    query = "\n| ".join(["T", *(s.text for s in pipeline)])
    assert _as_set(_ask(connection, query, columns)) == _as_set(_wanted(expected, columns)), query


@SETTINGS
@given(rows=rows_of(LEFT), type_=st.sampled_from(TYPES), data=st.data())
def test_expressions_have_the_values_of_the_interpreter(
    connection: duckdb.DuckDBPyConnection, rows: Rows, type_: str, data: st.DataObject
) -> None:
    e = data.draw(expressions(LEFT, type_, 4))
    _fill(connection, "T", LEFT, rows)
    query = f"T | project x = {e.text}"
    got = _ask(connection, query, {"x": type_})
    assert _as_set(got) == _as_set([[_number(e.value(r))] for r in rows]), query


@SETTINGS
@given(
    rows=rows_of(LEFT),
    columns=st.permutations(["a", "b", "r", "s", "d", "o"]),
    ups=st.tuples(*[st.booleans()] * 6),
)
def test_rows_are_in_order(
    connection: duckdb.DuckDBPyConnection, rows: Rows, columns: list[str], ups: tuple[bool, ...]
) -> None:
    _fill(connection, "T", LEFT, rows)
    expected = rows
    for name, up in reversed(list(zip(columns, ups, strict=True))):
        # Sorting is stable, so that the last key sorted by is the first that counts.
        expected = sorted(expected, key=lambda r: n.order_key(r, [name]), reverse=not up)
    keys = ", ".join(f"{c} {'asc' if up else 'desc'}" for c, up in zip(columns, ups, strict=True))
    plain = {c: LEFT[c] for c in columns}
    got = _ask(connection, f"T | sort by {keys} | project {', '.join(columns)}", plain)
    assert got == _wanted(expected, plain), keys


KINDS = ["inner", "leftouter", "rightouter", "fullouter", "leftsemi", "rightsemi", "leftanti", "rightanti"]


@SETTINGS
@given(
    left=rows_of(LEFT),
    right=rows_of(RIGHT),
    kind=st.sampled_from(KINDS),
    on=st.sampled_from([("a", "k"), ("b", "v"), ("s", "s")]),
    chosen=expressions(LEFT, "bool", 2),
)
def test_joins_answer_as_the_interpreter_does(
    connection: duckdb.DuckDBPyConnection,
    left: Rows,
    right: Rows,
    kind: str,
    on: tuple[str, str],
    chosen: Expr,
) -> None:
    _fill(connection, "T", LEFT, left)
    _fill(connection, "U", RIGHT, right)
    some = {c: LEFT[c] for c in ("a", "b", "s", "d")}
    kept = [{c: r[c] for c in some} for r in left if chosen.value(r) is True]
    expected = n.joined(kept, right, kind, on, some, RIGHT)
    names = n.merged_names(some, RIGHT)
    columns = some | {names[c]: t for c, t in RIGHT.items()}
    if kind.startswith("right") and kind != "rightouter":
        columns = RIGHT
    elif kind in ("leftsemi", "leftanti"):
        columns = some
    condition = on[0] if on[0] == on[1] else f"$left.{on[0]} == $right.{on[1]}"
    query = f"T | where {chosen.text} | project a, b, s, d | join kind={kind} U on {condition}"
    assert _as_set(_ask(connection, query, columns)) == _as_set(_wanted(expected, columns)), query


@SETTINGS
@given(left=rows_of(LEFT), right=rows_of(RIGHT))
def test_an_innerunique_join_takes_one_row_of_each_key_of_the_left(
    connection: duckdb.DuckDBPyConnection, left: Rows, right: Rows
) -> None:
    _fill(connection, "T", LEFT, left)
    _fill(connection, "U", RIGHT, right)
    columns = {"s": "string", "a": "long", "k": "long", "s1": "string", "v": "int"}
    got = _ask(connection, "T | project s, a | join U on s", columns)
    by_key: dict[str, list[list[Any]]] = {}
    for row in got:
        by_key.setdefault(row[0], []).append(row)
    assert set(by_key) == {x["s"] for x in left} & {y["s"] for y in right}
    for key, found in by_key.items():
        taken = {row[1] for row in found}
        assert len(taken) == 1
        assert taken <= {x["a"] for x in left if x["s"] == key}
        assert _as_set([row[2:] for row in found]) == _as_set(
            [[y["k"], y["s"], y["v"]] for y in right if y["s"] == key]
        )


@SETTINGS
@given(left=rows_of(LEFT), right=rows_of(RIGHT), chosen=expressions(LEFT, "bool", 2))
def test_lookup_and_union_answer_as_the_interpreter_does(
    connection: duckdb.DuckDBPyConnection, left: Rows, right: Rows, chosen: Expr
) -> None:
    _fill(connection, "T", LEFT, left)
    _fill(connection, "U", RIGHT, right)
    kept: Rows = [{c: r[c] for c in ("s", "a")} for r in left if chosen.value(r) is True]
    columns = {"s": "string", "a": "long", "k": "long", "v": "int"}
    looked: list[Row] = []
    for row in kept:
        found = [y for y in right if y["s"] == row["s"]] or [{"k": None, "v": None}]
        looked += [{**row, "k": y["k"], "v": y["v"]} for y in found]
    query = f"T | where {chosen.text} | project s, a | lookup U on s"
    assert _as_set(_ask(connection, query, columns)) == _as_set(_wanted(looked, columns)), query
    both = n.unioned(kept, right, columns)
    query = f"T | where {chosen.text} | project s, a | union U"
    assert _as_set(_ask(connection, query, columns)) == _as_set(_wanted(both, columns)), query
