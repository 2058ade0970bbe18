"""Functions in Python run inside the engine as any other, and what has no answer is null or empty, never an error."""

from __future__ import annotations

import duckdb
import pytest

from aforo.kql.compile import compile_query
from aforo.kql.natives.catalog import NATIVES
from aforo.kql.sql.duckdb.prepare import define, settle
from aforo.kql.symbols import Database
from aforo.source import Source


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
