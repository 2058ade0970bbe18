"""Published KQL examples with their printed answers: what compiles must answer alike, what does not must say so.

The examples are data outside the repository (`../shared`). An answer that differs is a failure unless `DIFFERENT`
names it with its reason; a query that is refused is counted, and the number that passes may only grow.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import duckdb
import pytest

from aforo.kql.compile import compile_query
from aforo.kql.sql.duckdb.prepare import prepare
from aforo.kql.symbols import Database
from aforo.kql.ticks import parse_datetime, parse_timespan
from aforo.source import Source

EXAMPLES = Path(__file__).parents[3] / "shared" / "conformance" / "kql-docs.jsonl"
# What passes today; raise it when more does.
FLOOR = 308

# Examples whose printed answer is not the answer to their query, each with the reason.
DIFFERENT: dict[str, str] = {
    "docs:kusto/query/asin-function#00": "the printed number is not the arc sine of 0.5",
    "docs:kusto/query/series-asin-function#00": "two of its numbers are printed as quoted texts",
    "docs:kusto/query/map-graph-function#01": "strcat_array() gives a text, in a pattern too",
    "docs:kusto/query/gzip-base64-compress#00": "which bytes a text is packed into is the packing library's choice",
}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return {"true": 1.0, "false": 0.0}.get(text.lower())


def _plain(text: str) -> object:
    """A printed cell without the accidents of printing."""
    text = re.sub(r"<br\s*/?>|&nbsp;|\xa0", " ", text).strip()
    if text in ("(null)", "null"):
        return ""
    if text[:1] in "[{":
        try:
            return _json(json.loads(text.replace("'", '"') if '"' not in text else text))
        except ValueError:
            return text
    if (moment := parse_datetime(text)) is not None and re.search(r"\d-\d|/", text):
        return moment
    if ":" in text and (span := parse_timespan(text)) is not None:
        return span
    return text


def _json(value: object) -> object:
    match value:
        case list():
            return [_json(v) for v in value]
        case dict():
            return {k: _json(v) for k, v in sorted(value.items())}
        case str() if (moment := parse_datetime(value)) is not None and "-" in value:
            return moment
        case bool():
            return value
        case int() | float():
            return float(value)
        case _:
            return value


def _near(a: object, b: object) -> bool:
    """Whether two JSON values are equal but for the last digits of numbers."""
    match a, b:
        case dict(), dict():
            return a.keys() == b.keys() and all(_near(a[k], b[k]) for k in a)
        case list(), list():
            return len(a) == len(b) and all(map(_near, a, b))
        case float(), float():
            return math.isclose(a, b, rel_tol=1e-9)
        case _:
            return a == b


def alike(printed: str, got: object, type_: str) -> bool:
    """Whether a cell of ours says what was printed."""
    mine = "" if got is None else got if isinstance(got, str) else json.dumps(got)
    if mine in (printed, re.sub(r"<br\s*/?>", "\n", printed)):
        return True
    a, b = _plain(printed), _plain(mine)
    if a == b or _near(a, b):
        return True
    if (
        type_ in ("int", "long", "real", "decimal", "bool", "dynamic")
        and isinstance(a, str)
        and isinstance(b, str)
    ):
        x, y = _number(a), _number(b)
        if x is not None and y is not None:
            # A printed number has as many digits as its page had room for.
            printed_digits = len(a.partition(".")[2])
            near = printed_digits >= 3 and math.isclose(x, y, abs_tol=0.51 * 10**-printed_digits)
            return near or math.isclose(x, y, rel_tol=1e-9) or (math.isnan(x) and math.isnan(y))
    if isinstance(a, str) and isinstance(b, str):
        return a.strip("\"'") == b.strip("\"'")
    return False


def _rows_alike(
    printed: list[list[str]], got: list[list[object]], types: list[str], *, ordered: bool
) -> bool:
    if len(printed) != len(got):
        return False
    left = list(got)
    for row in printed:
        candidates = left[:1] if ordered else left
        found = next((r for r in candidates if all(map(alike, row, r, types))), None)
        if found is None:
            return False
        left.remove(found)
    return True


def run(connection: duckdb.DuckDBPyConnection, example: dict[str, object]) -> tuple[str, str]:
    """(pass | refused | wrong | failed, what happened)"""
    discovered: dict[str, list[tuple[object, ...]]] = {}
    while True:
        result = compile_query(
            Source("example", str(example["query"])),
            Database("docs", {}),
            now=638_000_000_000_000_000,
            discovered=discovered,
        )
        if result.discovery is None:
            break
        discovered[result.discovery.key] = connection.execute(result.discovery.compiled.sql).fetchall()
    if result.compiled is None:
        return "refused", "; ".join(d.message for d in result.diagnostics[:2])
    try:
        rows = [json.loads(row) for (row,) in connection.execute(result.compiled.json_sql).fetchall()]
    except duckdb.Error as error:
        return "failed", str(error)
    columns = [[c.name, c.type.value] for c in result.compiled.columns]
    binder = example["binder_columns"]
    if binder and "op:Scan" in example["features"]:  # type: ignore[operator]
        # The reference binder gives scan a column that its page prints only where it is asked for.
        binder = [c for c in binder if c[0] != "match_id"]  # type: ignore[attr-defined]
    # The reference binder has no data: what only the data can tell is not among its columns.
    told = [c for c in columns if c in binder] if discovered else columns
    if binder and all(type_ != "unknown" for _, type_ in binder) and told != binder:
        return "wrong", f"columns {columns}, wanted {binder}"
    expected = example["expected"]
    assert isinstance(expected, dict)
    names = list(expected["columns"])
    order = [next((i for i, c in enumerate(columns) if c[0] == n), None) for n in names]
    if None in order or len(names) != len(columns):
        order = list(range(len(columns)))
    rows = [[row[i] for i in order] for row in rows]
    types = [columns[i][1] for i in order]
    ordered = bool(re.search(r"\b(sort|order|top)\b", str(example["query"])))
    if _rows_alike(expected["rows"], rows, types, ordered=ordered):
        return "pass", ""
    return "wrong", f"rows {json.dumps(rows)[:300]}, wanted {json.dumps(expected['rows'])[:300]}"


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    prepare(connection)
    return connection


@pytest.mark.skipif(
    not EXAMPLES.exists(), reason="the published examples (../shared/conformance) are not here"
)
def test_published_examples(
    connection: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = [json.loads(line) for line in EXAMPLES.read_text().splitlines()]
    outcomes = {e["id"]: run(connection, e) for e in examples}
    counts = {
        kind: sum(1 for k, _ in outcomes.values() if k == kind)
        for kind in ("pass", "refused", "wrong", "failed")
    }
    with capsys.disabled():
        print(f"\npublished KQL examples: {counts} of {len(examples)}")
    unexplained = {
        i: why for i, (kind, why) in outcomes.items() if kind in ("wrong", "failed") and i not in DIFFERENT
    }
    assert not unexplained, "\n".join(f"{i}: {why}" for i, why in unexplained.items())
    gone = [i for i in DIFFERENT if outcomes[i][0] == "pass"]
    assert not gone, f"no longer different, take them off the list: {gone}"
    assert counts["pass"] >= FLOOR
