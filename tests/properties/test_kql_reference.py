"""KQL on DuckDB against a small naive reference: pipelines over random rows, both ways, same answer.

The reference works on Python rows and knows Kusto's rules for the chosen core (null comparisons, integer division,
text case, aggregates over nulls); it shares no code with the compiler.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aforo.kql.compile import compile_query
from aforo.kql.sql.duckdb.prepare import prepare
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.types import INT, LONG, STRING
from aforo.source import Source
from tests.support.examples import examples

Row = dict[str, Any]
Value = Callable[[Row], Any]

TABLE = TableSymbol("T", (ColumnSymbol("a", LONG), ColumnSymbol("b", INT), ColumnSymbol("s", STRING)))
DATABASE = Database("random", {"T": TABLE})
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-5, 5)),
        st.one_of(st.none(), st.integers(-3, 3)),
        st.one_of(st.none(), st.sampled_from(["", "a", "A", "ab", "b c", "a-b"])),
    ),
    max_size=8,
)


@dataclass(frozen=True)
class Expr:
    """A KQL text and what it means."""

    text: str
    value: Value


def _null_safe(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, y: None if x is None or y is None else op(x, y)


def _equals(x: Any, y: Any) -> bool | None:
    return None if x is None and y is None else x == y


def _divide(x: int, y: int) -> int | None:
    return None if y == 0 else int(x / y)


def _modulo(x: int, y: int) -> int | None:
    return None if y == 0 else x % abs(y)


def _not(x: bool | None) -> bool | None:
    return None if x is None else not x


def _and(x: bool | None, y: bool | None) -> bool | None:
    return False if x is False or y is False else None if x is None or y is None else True


def _or(x: bool | None, y: bool | None) -> bool | None:
    return True if x is True or y is True else None if x is None or y is None else False


NUMBER_OPS: dict[str, Callable[[Any, Any], Any]] = {
    "+": _null_safe(lambda x, y: x + y),
    "-": _null_safe(lambda x, y: x - y),
    "*": _null_safe(lambda x, y: x * y),
    "/": _null_safe(_divide),
    "%": _null_safe(_modulo),
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": _equals,
    "!=": lambda x, y: _not(_equals(x, y)),
    "<": _null_safe(lambda x, y: x < y),
    "<=": _null_safe(lambda x, y: x <= y),
    ">": _null_safe(lambda x, y: x > y),
    ">=": _null_safe(lambda x, y: x >= y),
}
TEXT_OPS: dict[str, Callable[[str, str], bool]] = {
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "=~": lambda x, y: x.lower() == y.lower(),
    "contains": lambda x, y: y.lower() in x.lower(),
    "!contains_cs": lambda x, y: y not in x,
    "startswith": lambda x, y: x.lower().startswith(y.lower()),
    "endswith_cs": lambda x, y: x.endswith(y),
}


def _column(name: str) -> Expr:
    return Expr(name, lambda row: row[name])


def _constant(value: int) -> Expr:
    return Expr(f"({value})", lambda row: value)


def _joined(op: str, left: Expr, right: Expr, rule: Callable[[Any, Any], Any]) -> Expr:
    return Expr(f"({left.text} {op} {right.text})", lambda row: rule(left.value(row), right.value(row)))


numbers = st.recursive(
    st.one_of(st.sampled_from(["a", "b"]).map(_column), st.integers(-4, 4).map(_constant)),
    lambda inner: st.tuples(st.sampled_from(sorted(NUMBER_OPS)), inner, inner).map(
        lambda t: _joined(t[0], t[1], t[2], NUMBER_OPS[t[0]])
    ),
    max_leaves=4,
)
texts = st.one_of(
    st.just(_column("s")),
    st.sampled_from(["a", "A", "b", ""]).map(lambda v: Expr(f"'{v}'", lambda row: v)),
    st.just(Expr("tolower(s)", lambda row: row["s"].lower())),
    st.just(Expr("strcat(s, '-', a)", lambda row: f"{row['s']}-{'' if row['a'] is None else row['a']}")),
)
conditions = st.recursive(
    st.one_of(
        st.tuples(st.sampled_from(sorted(COMPARISONS)), numbers, numbers).map(
            lambda t: _joined(t[0], t[1], t[2], COMPARISONS[t[0]])
        ),
        st.tuples(st.sampled_from(sorted(TEXT_OPS)), texts, texts).map(
            lambda t: _joined(t[0], t[1], t[2], TEXT_OPS[t[0]])
        ),
        st.just(Expr("isnull(a)", lambda row: row["a"] is None)),
        st.just(Expr("(a in (1, 2, -1))", lambda row: row["a"] in (1, 2, -1))),
        st.just(Expr("(s !in ('a', ''))", lambda row: row["s"] not in ("a", ""))),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda t: _joined("and", t[0], t[1], _and)),
        st.tuples(inner, inner).map(lambda t: _joined("or", t[0], t[1], _or)),
        inner.map(lambda e: Expr(f"not({e.text})", lambda row: _not(e.value(row)))),
    ),
    max_leaves=4,
)


@dataclass(frozen=True)
class Step:
    text: str
    apply: Callable[[list[Row]], list[Row]]


def _where(e: Expr) -> Step:
    return Step(f"where {e.text}", lambda rows: [r for r in rows if e.value(r) is True])


def _extend(e: Expr) -> Step:
    return Step(f"extend a = {e.text}", lambda rows: [{**r, "a": e.value(r)} for r in rows])


def _sort_key(row: Row) -> tuple[Any, ...]:
    return (row["a"] is not None, row["a"] or 0, row["s"], row["b"] is not None, row["b"] or 0)


def _sorted(ascending: bool) -> Step:
    order = "asc" if ascending else "desc"
    text = f"sort by a {order}, s {order}, b {order}"
    return Step(text, lambda rows: sorted(rows, key=_sort_key, reverse=not ascending))


def _take(n: int) -> Step:
    return Step(f"sort by a asc, s asc, b asc | take {n}", lambda rows: sorted(rows, key=_sort_key)[:n])


def _distinct(rows: list[Row]) -> list[Row]:
    return [dict(t) for t in dict.fromkeys(tuple(r.items()) for r in rows)]


steps = st.lists(
    st.one_of(
        conditions.map(_where),
        numbers.map(_extend),
        st.booleans().map(_sorted),
        st.integers(0, 4).map(_take),
        st.just(Step("distinct a, b, s", _distinct)),
    ),
    max_size=5,
)


def _summarize(rows: list[Row]) -> list[tuple[Any, ...]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["s"].lower(), []).append(row)
    out = []
    for key, group in groups.items():
        values = [r["a"] for r in group if r["a"] is not None]
        out.append(
            (
                key,
                len(group),
                sum(values),
                min(values, default=None),
                max(values, default=None),
                sum(values) / len(values) if values else "NaN",
                len(set(values)),
                sum(1 for r in group if r["b"] is not None and r["b"] > 0),
                sorted(values),
            )
        )
    return out


SUMMARY = "summarize n = count(), sum(a), min(a), max(a), avg(a), dcount(a), countif(b > 0), l = make_list(a) by k = tolower(s)"


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    prepare(connection)
    connection.execute('CREATE TABLE "T" ("a" BIGINT, "b" INTEGER, "s" VARCHAR)')
    return connection


def _fill(connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]) -> list[Row]:
    connection.execute('DELETE FROM "T"')
    if rows:
        connection.executemany('INSERT INTO "T" VALUES (?, ?, ?)', rows)
    return [{"a": a, "b": b, "s": s or ""} for a, b, s in rows]


def _ask(connection: duckdb.DuckDBPyConnection, query: str) -> list[list[Any]]:
    result = compile_query(Source("random", query), DATABASE, now=0)
    assert result.compiled is not None, (query, result.diagnostics)
    return [json.loads(row) for (row,) in connection.execute(result.compiled.json_sql).fetchall()]


def _key(row: Any) -> str:
    return json.dumps(row, sort_keys=True)


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=ROWS, pipeline=steps)
def test_rows_are_those_of_the_reference(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]], pipeline: list[Step]
) -> None:
    expected = _fill(connection, rows)
    for step in pipeline:
        expected = step.apply(expected)
    query = " | ".join(["T", *(s.text for s in pipeline), "project a, b, s"])
    got = _ask(connection, query)
    want = [[r["a"], r["b"], r["s"]] for r in expected]
    if pipeline and pipeline[-1].text.startswith("sort"):
        assert got == want, query
    else:
        assert sorted(got, key=_key) == sorted(want, key=_key), query


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=ROWS, pipeline=steps)
def test_groups_are_those_of_the_reference(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]], pipeline: list[Step]
) -> None:
    expected = _fill(connection, rows)
    for step in pipeline:
        expected = step.apply(expected)
    query = " | ".join(["T", *(s.text for s in pipeline), SUMMARY])
    got = [[*row[:-1], sorted(json.loads(row[-1]))] for row in _ask(connection, query)]
    assert sorted(got, key=_key) == sorted((list(r) for r in _summarize(expected)), key=_key), query


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=ROWS, kind=st.sampled_from(["inner", "leftouter", "rightouter", "fullouter", "leftsemi", "leftanti"])
)
def test_joins_are_those_of_the_reference(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]], kind: str
) -> None:
    table = _fill(connection, rows)
    left = [r for r in table if r["b"] is not None and r["b"] > -2]
    right = [r for r in table if r["a"] is not None and r["a"] < 3]
    got = _ask(
        connection,
        f"T | where b > -2 | project s, a | join kind={kind} (T | where a < 3 | project s, b) on s",
    )
    pairs = [(x, y) for x in left for y in right if x["s"] == y["s"]]
    matched_left = [x for x in left if any(x["s"] == y["s"] for y in right)]
    lonely_left = [x for x in left if x not in matched_left]
    lonely_right = [y for y in right if not any(x["s"] == y["s"] for x in left)]
    if kind in ("leftsemi", "leftanti"):
        want = [[x["s"], x["a"]] for x in (matched_left if kind == "leftsemi" else lonely_left)]
    else:
        want = [[x["s"], x["a"], y["s"], y["b"]] for x, y in pairs]
        if kind in ("leftouter", "fullouter"):
            want += [[x["s"], x["a"], "", None] for x in lonely_left]
        if kind in ("rightouter", "fullouter"):
            want += [["", None, y["s"], y["b"]] for y in lonely_right]
    assert sorted(got, key=_key) == sorted(want, key=_key)
