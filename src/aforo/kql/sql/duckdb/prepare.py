"""What a DuckDB connection needs before it runs compiled SQL. Call `prepare` once per connection,
or `settle` and then `define` for each text of SQL.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from aforo.kql.sql.duckdb import macros, macros_values

_CALL = re.compile(r"\bkql_\w+")


def prepare(connection: Any) -> None:
    """Sets what the answers depend on, and creates all macros (temporary ones; 70 ms)."""
    settle(connection)
    define(connection, " ".join(_all()))


def settle(connection: Any) -> None:
    """Only the settings, before a configuration is locked. `define` has to follow."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = true")


def define(connection: Any, sql: str) -> None:
    """Only the macros that `sql` calls (2 or 3 ms)."""
    wanted = {name for called in _CALL.findall(sql) for name in _closure(called)}
    for name, body in _all().items():
        if name in wanted:
            connection.execute(f"CREATE OR REPLACE TEMP MACRO {name}{body}")


@cache
def _all() -> dict[str, str]:
    return macros.MACROS | macros_values.MACROS


@cache
def _closure(name: str) -> frozenset[str]:
    """A macro and all that it calls. A macro calls only those above it, so this ends."""
    body = _all().get(name)
    if body is None:
        return frozenset()
    called = (_closure(c) for c in set(_CALL.findall(body)) if c != name)
    return frozenset({name}).union(*called)
