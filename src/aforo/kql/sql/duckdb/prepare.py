"""What a DuckDB connection needs before it runs compiled SQL: settings, macros, functions in Python. Call `prepare`
once per connection, or `settle` and then `define` for each text of SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cache, wraps
from typing import Any

import duckdb

from aforo.kql.natives.catalog import NATIVES
from aforo.kql.natives.spec import Native
from aforo.kql.sql.duckdb import macros, macros_values
from aforo.kql.sql.duckdb.convert import TYPE_NAMES
from aforo.kql.sql.duckdb.lambda_names import own_names
from aforo.kql.types import REAL

_CALL = re.compile(r"\bkql_\w+")
_NATIVE_CALL = re.compile(r"\bkqlpy_(\w+)")


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Sets what the answers depend on, and creates everything (temporary; 70 ms and more)."""
    settle(connection)
    define(connection, " ".join([*_all(), *(f"kqlpy_{name}" for name in NATIVES)]))


def settle(connection: duckdb.DuckDBPyConnection) -> None:
    """Only the settings, before a configuration is locked. `define` has to follow."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = true")


def define(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    already: Collection[str] = (),
    go_on: Callable[[], None] = lambda: None,
) -> frozenset[str]:
    """Only the macros and functions that `sql` calls (half a millisecond each), and not those macros that are there
    `already`. What comes back are the macros that it calls and that need no function in Python.

    `go_on` is called before each call of a function in Python and raises when the query is to end: DuckDB itself looks
    only after every two thousand rows."""
    wanted = frozenset(name for called in set(_CALL.findall(sql)) for name in _closure(called))
    bodies = " ".join(body for name, body in _all().items() if name in wanted)
    for operation in dict.fromkeys(_NATIVE_CALL.findall(f"{sql} {bodies}")):
        _register(connection, NATIVES[operation], go_on)
    define_macros(connection, wanted.difference(already))
    return frozenset(name for name in wanted if not any(_calls_native(part) for part in _closure(name)))


def define_macros(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    """These macros; what they call has to be among them or there already."""
    for name, body in _all().items():
        if name in names:
            connection.execute(f"CREATE OR REPLACE TEMP MACRO {name}{body}")


def _register(connection: Any, declared: Native, go_on: Callable[[], None]) -> None:
    """A function in Python. It is asked for nulls too: it knows itself what they come to."""
    parameters = (
        ["VARCHAR[]"] if declared.spread else [TYPE_NAMES[parameter] for parameter in declared.parameters]
    )
    try:
        connection.create_function(
            f"kqlpy_{declared.operation}",
            _watched(declared, go_on),
            parameters,
            "VARCHAR" if declared.result is REAL else TYPE_NAMES[declared.result],
            null_handling="special",
        )
    except duckdb.NotImplementedException as error:
        # A query that asks the data for its columns first comes here twice.
        if "already created" not in str(error):
            raise


def _watched(declared: Native, go_on: Callable[[], None]) -> Callable[..., Any]:
    """The function, asked for no more rows than anybody waits for. A real goes as text: DuckDB would take a NaN of
    Python for null."""
    function = declared.function

    # DuckDB counts the parameters of what is wrapped.
    @wraps(function)
    def run(*arguments: Any) -> Any:
        go_on()
        return function(*arguments)

    @wraps(function)
    def run_as_text(*arguments: Any) -> str | None:
        go_on()
        found = function(*arguments)
        return None if found is None else repr(float(found))

    return run_as_text if declared.result is REAL else run


@cache
def _all() -> dict[str, str]:
    every = macros.MACROS | macros_values.MACROS
    return {name: own_names(name, body) for name, body in every.items()}


@cache
def _calls_native(name: str) -> bool:
    return _NATIVE_CALL.search(_all()[name]) is not None


@cache
def _closure(name: str) -> frozenset[str]:
    """A macro and all that it calls. A macro calls only those above it, so this ends."""
    body = _all().get(name)
    if body is None:
        return frozenset()
    called = (_closure(c) for c in set(_CALL.findall(body)) if c != name)
    return frozenset({name}).union(*called)
