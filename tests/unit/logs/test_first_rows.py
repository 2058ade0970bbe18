"""`sort ... | take` of many rows: the bound that spares memory changes no answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from aforo.kql import first_rows
from aforo.kql.compile import compile_query
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.types import DATETIME, LONG, REAL, STRING
from aforo.logs.evaluate import Evaluator
from aforo.logs.question import Outcome, QueryRequest
from aforo.logs.versions import TableVersions
from aforo.source import Source
from tests.support.stored_tables import micros, write_rows

W = "11111111-1111-1111-1111-111111111111"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLUMNS = {"TimeGenerated": "datetime", "Id": "string", "N": "long", "R": "real"}


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    root: Path = tmp_path_factory.mktemp("tables")
    rows = [
        {"TimeGenerated": NOW - timedelta(seconds=(i * 7919) % 500), "Id": f"{i:04}",
         "N": None if i % 11 == 0 else i % 17, "R": i / 3}
        for i in range(400)
    ]  # fmt: skip
    write_rows(root, W, "T_CL", COLUMNS, rows[:250])
    write_rows(root, W, "T_CL", COLUMNS, rows[250:])
    return Evaluator(TableVersions(root), memory_bytes=1 << 28, threads=1, declared={})


def rows(evaluator: Evaluator, text: str) -> list[list[Any]]:
    answer = evaluator.answer(QueryRequest(text=text, workspace_ids=(W,), now_us=micros(NOW)))
    assert answer.outcome is Outcome.OK, (answer.message, answer.mistakes)
    found: list[list[Any]] = orjson.loads(b"[" + answer.rows + b"]")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "T_CL | sort by TimeGenerated desc, Id asc | take 30",
        "T_CL | where R > 20 | sort by TimeGenerated asc, Id desc | take 30 | project-away R",
        "T_CL | sort by N desc nulls last, Id asc | take 380",
        "T_CL | sort by N desc nulls first, Id asc | take 20",
        "T_CL | sort by N asc nulls first, Id asc | take 100",
        "T_CL | sort by N asc nulls last, Id asc | take 100",
        "T_CL | extend M = -N | where Id != '0007' | sort by M, Id asc | take 50 | extend L = strlen(Id)",
        "T_CL | sort by N, Id asc | take 4000",
        "T_CL | sort by R desc | take 20",
        "T_CL | sort by Id desc | take 20",
        "T_CL | where N > 100 | sort by TimeGenerated desc | take 30",
        "T_CL | sort by TimeGenerated desc, Id asc | take 30 | where N > 3 | take 25",
        "T_CL | mv-expand x = dynamic([1, 2]) | sort by TimeGenerated desc, Id asc, tolong(x) asc | take 25",
    ],
)
def test_the_bound_changes_nothing(evaluator: Evaluator, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_rows, "FEW", 10**9)
    plain = rows(evaluator, text)
    monkeypatch.setattr(first_rows, "FEW", 10)
    assert rows(evaluator, text) == plain
    assert plain or "N > 100" in text


def sql(text: str) -> str:
    symbols = {"TimeGenerated": DATETIME, "Id": STRING, "N": LONG, "R": REAL}
    table = TableSymbol("T_CL", tuple(ColumnSymbol(n, t) for n, t in symbols.items()))
    result = compile_query(Source("q", text), Database("d", {"T_CL": table}), now=0)
    assert result.compiled is not None
    return result.compiled.sql


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("T_CL | sort by TimeGenerated desc | take 10000", True),
        ("T_CL | top 10000 by N asc | project Id", True),
        ("T_CL | sort by TimeGenerated desc | take 5000", False),  # the engine keeps so few by itself
        (
            "T_CL | project TimeGenerated, N | sort by TimeGenerated desc | take 10000",
            False,
        ),  # nothing that is large
        ("T_CL | sort by R desc | take 10000", False),
        ("T_CL | where rand() < 0.5 | sort by N desc | take 10000", False),
        ("T_CL | summarize N = sum(N) by Id | sort by N desc | take 10000", False),
        ("T_CL | take 10000", False),
    ],
)
def test_the_bound_is_there_where_text_would_be_sorted(text: str, bound: bool) -> None:
    assert (sql(text).count("ORDER BY") == 2) is bound
