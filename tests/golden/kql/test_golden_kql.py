"""Each `*.kql` beside this file: a query, then what it compiles to and what the lab's tables answer.

`AFORO_GOLDEN=write` writes the parts below the query anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from aforo.kql.compile import compile_query
from aforo.source import Source, render
from tests.support.kql_lab import DATABASE, NOW, lab

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.kql"))
MARK = "\n// ---- "


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return lab()


def answer(query: str, connection: duckdb.DuckDBPyConnection) -> str:
    """The parts below the query, as text."""
    source = Source("query", query)
    result = compile_query(source, DATABASE, now=NOW)
    parts: dict[str, list[str]] = {}
    if result.diagnostics:
        parts["diagnostics"] = [render(source, d) for d in result.diagnostics]
    compiled = result.compiled
    if compiled is not None:
        parts["columns"] = [f"{c.name}: {c.type}" for c in compiled.columns]
        if any(r is not None for r in compiled.time_range.values()):
            parts["time range"] = [f"{t}: {r}" for t, r in compiled.time_range.items()]
        if compiled.render is not None:
            parts["render"] = [str(dict(compiled.render))]
        parts["sql"] = [compiled.sql]
        parts["rows"] = [row for (row,) in connection.execute(compiled.json_sql).fetchall()]
    return "".join(f"{MARK}{name}\n" + "\n".join(lines) + "\n" for name, lines in parts.items())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_golden(case: Path, connection: duckdb.DuckDBPyConnection) -> None:
    text = case.read_text()
    query, _, _ = text.partition(MARK)
    got = query.rstrip("\n") + "\n" + answer(query, connection)
    if os.environ.get("AFORO_GOLDEN") == "write":
        case.write_text(got)
        return
    assert got == text


def test_there_are_cases() -> None:
    assert len(CASES) >= 30
