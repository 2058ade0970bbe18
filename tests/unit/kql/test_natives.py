"""Functions in Python run inside the engine as any other, and what has no answer is null or empty, never an error."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from aforo.kql.compile import compile_query
from aforo.kql.natives import (
    addresses,
    arrays,
    bags,
    digests,
    encodings,
    hashes,
    parsing,
    statistics,
    texts,
    units,
    useragents,
    zones,
)
from aforo.kql.natives.catalog import NATIVES
from aforo.kql.sql.duckdb.prepare import define, settle
from aforo.kql.symbols import Database
from aforo.kql.ticks import MAX_DATETIME
from aforo.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, REAL, STRING, KqlType
from aforo.source import Source
from tests.support.kql_run import answer


def value(expression: str) -> object:
    """The one value of `print expression`, on a connection that knows only what this query calls."""
    connection = duckdb.connect()
    settle(connection)
    result = compile_query(Source("q", f"print {expression}"), Database("d", {}), now=0)
    assert result.compiled is not None, result.diagnostics
    define(connection, result.compiled.sql)
    found = connection.execute(result.compiled.sql).fetchone()
    assert found is not None
    return found[0]


def test_every_function_is_named_by_its_operation() -> None:
    assert all(name == declared.operation for name, declared in NATIVES.items())


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            "gzip_decompress_from_base64_string(gzip_compress_to_base64_string('a text, a text'))",
            "a text, a text",
        ),
        ("zlib_decompress_from_base64_string(zlib_compress_to_base64_string('ñ'))", "ñ"),
        ("gzip_decompress_from_base64_string('no base64')", ""),
        ("zlib_decompress_from_base64_string('')", ""),
    ],
)
def test_packing(expression: str, expected: object) -> None:
    assert value(expression) == expected


# Values that a column of the type may hold, the odd ones among them.
_SAMPLES: dict[KqlType, list[object]] = {
    BOOL: [None, True, False],
    INT: [None, 0, -1, 2**31 - 1],
    LONG: [None, 0, 1, -1, 5, 2**63 - 1, -(2**63)],
    REAL: [None, 0.0, -1.5, 1e308, math.nan, math.inf, -math.inf],
    STRING: ["", "a", "::1/64", "10.0.0.1/33", "C:\\x", "\x00", "é" * 300, "a=1&b", "<a>", "$.a[0]", "US/Pacific", "9" * 40],
    DATETIME: [None, 0, MAX_DATETIME, 637_000_000_000_000_001],
    GUID: [None, "74be27de-1e4e-49d9-b579-fe0b331d3642"],
    DYNAMIC: [None, "null", "[]", "{}", "5", '"x"', "[1,null,[2]]", '{"a":{"b":[1]}}', "[" * 900 + "]" * 900,
              '[["hll",1],[5]]', '[["hll",1],"x"]', '[["tdigest","long"],[1],[1]]', "18446744073709551616", "no json", "[1e400]"],
}  # fmt: skip
_FAMILIES = (
    addresses, arrays, bags, digests, encodings, hashes, parsing, statistics, texts, units, useragents, zones,
)  # fmt: skip


@pytest.mark.parametrize("family", _FAMILIES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_function_raises(family: Any) -> None:
    chance = random.Random(7)
    json = [v for v in _SAMPLES[DYNAMIC] if v is not None]
    for declared in family.NATIVES:
        for _ in range(300):
            if declared.spread:
                arguments: list[Any] = [[chance.choice(json) for _ in range(chance.randint(1, 4))]]
            else:
                arguments = [chance.choice(_SAMPLES[type_]) for type_ in declared.parameters]
            if declared.operation in _STRICT and not _fits(declared.operation, arguments):
                continue
            found = declared.function(*arguments)
            assert found is None or isinstance(found, _RESULTS[declared.result]), (
                declared.operation,
                arguments,
            )


# What only the compiler hands to them.
_STRICT = {
    "hll_state",
    "arrays_sorted_asc",
    "arrays_sorted_desc",
    "format_bytes",
    "tdigest_state",
    "bag_of",
    "percentile_weighted_long",
    "percentile_weighted_real",
}
_RESULTS: dict[KqlType, type | tuple[type, ...]] = {
    BOOL: bool, INT: int, LONG: int, REAL: float, STRING: str, DATETIME: int, GUID: str, DYNAMIC: str, DECIMAL: Decimal,
}  # fmt: skip


def _fits(operation: str, arguments: list[Any]) -> bool:
    match operation:
        case "hll_state":
            return all(text.isdigit() and int(text) < 2**64 for text in arguments[0])
        case "arrays_sorted_asc" | "arrays_sorted_desc":
            return len(arguments[0]) > 1
        case "format_bytes":
            return bool(arguments[2] == "")
        case _:
            return arguments[0] in (None, "[]")


def test_a_query_may_need_a_function_twice() -> None:
    """Once to ask the data for its columns, once to answer."""
    query = "datatable(d:dynamic)[dynamic({'a':1})] | project d = bag_merge(d, dynamic({'b':2})) | evaluate bag_unpack(d)"
    assert answer(query) == (["a:long", "b:long"], [[1, 2]])
