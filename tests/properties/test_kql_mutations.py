"""Valid queries with a part taken out, doubled, swapped or spoilt: mistakes or SQL that DuckDB takes, never anything else."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aforo.kql.compile import compile_query
from aforo.source import Source
from tests.support.examples import examples
from tests.support.kql_lab import DATABASE, NOW, lab

QUERIES = sorted(
    path.read_text().partition("\n// ----")[0]
    for path in (Path(__file__).parents[1] / "golden" / "kql").glob("*.kql")
)
_PART = re.compile(r"\w+|'[^'\n]*'|\"[^\"\n]*\"|\s+|.", re.DOTALL)
PARTS = [_PART.findall(query) for query in QUERIES]
WORDS = sorted({part for parts in PARTS for part in parts if not part.isspace()})


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A golden query with one to four changes."""
    parts = list(draw(st.sampled_from(PARTS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(parts) - 1)))
        match draw(st.sampled_from(["take out", "double", "swap", "replace", "insert", "splice"])):
            case "take out":
                del parts[at : at + draw(st.integers(1, 5))]
            case "double":
                parts[at:at] = parts[at : at + draw(st.integers(1, 8))]
            case "swap":
                other = draw(st.integers(0, max(0, len(parts) - 1)))
                if parts:
                    parts[at], parts[other] = parts[other], parts[at]
            case "replace":
                parts[at : at + 1] = [draw(st.sampled_from(WORDS))]
            case "insert":
                parts[at:at] = [draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=3)))]
            case _:
                other_parts = draw(st.sampled_from(PARTS))
                start = draw(st.integers(0, len(other_parts)))
                parts[at:at] = other_parts[start : start + draw(st.integers(1, 20))]
    return "".join(parts)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return lab()


@settings(
    max_examples=examples(400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(mutants())
def test_what_compiles_is_sql(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    result = compile_query(Source("mutant", text), DATABASE, now=NOW)
    if result.discovery is not None:
        connection.execute(f"EXPLAIN {result.discovery.compiled.sql}")
        return
    assert (result.compiled is None) == any(d.is_error for d in result.diagnostics)
    for diagnostic in result.diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
    if result.compiled is not None:
        connection.execute(f"EXPLAIN {result.compiled.json_sql}")
