"""A function in Python holds the interpreter's lock: a query with a slow one ends within its limit all the same."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from aforo.kql.natives.catalog import NATIVES
from aforo.logs.evaluate import Evaluator
from aforo.logs.question import Outcome, QueryRequest
from aforo.logs.versions import TableVersions

W = "11111111-1111-1111-1111-111111111111"
NATIVE = "zlib_compress_to_base64_string"
QUERY = "range x from 1 to 10000 step 1 | summarize dcount(zlib_compress_to_base64_string(tostring(x)))"


# DuckDB itself looks whether a query is to end after so many rows.
ROWS_BETWEEN_LOOKS = 2_000


def _slow(text: str) -> str:
    """3 ms of work that never lets go of the lock by itself."""
    until = time.perf_counter() + 0.003
    while time.perf_counter() < until:
        pass
    return text


def _starved(text: str) -> str:
    raise MemoryError


def _ask(root: Path, timeout_s: float) -> Outcome:
    evaluator = Evaluator(TableVersions(root), memory_bytes=1 << 28, threads=1)
    evaluator.warm()
    asked = QueryRequest(workspace_ids=(W,), text="print 1", now_us=0, timespan=None, timeout_s=60.0)
    # What only the first query does must not eat the time of the one that counts.
    assert evaluator.answer(asked).outcome is Outcome.OK
    return evaluator.answer(msgspec.structs.replace(asked, text=QUERY, timeout_s=timeout_s)).outcome


def test_a_slow_function_ends_with_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def counted(text: str) -> str:
        called.append(text)
        return _slow(text)

    monkeypatch.setitem(NATIVES, NATIVE, replace(NATIVES[NATIVE], function=counted))
    assert _ask(tmp_path, 0.6) is Outcome.TIMEOUT
    assert 0 < len(called) < ROWS_BETWEEN_LOOKS


def test_a_function_without_memory_is_a_query_without_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NATIVES, NATIVE, replace(NATIVES[NATIVE], function=_starved))
    assert _ask(tmp_path, 10.0) is Outcome.MEMORY
