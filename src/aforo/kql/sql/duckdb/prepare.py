"""What a DuckDB connection needs before it runs compiled SQL. Call `prepare` once per connection."""

from __future__ import annotations

from typing import Any

from aforo.kql.sql.duckdb import macros, macros_values


def prepare(connection: Any) -> None:
    """Creates the macros (temporary ones) and sets what the answers depend on."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = true")
    for name, body in (macros.MACROS | macros_values.MACROS).items():
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {name}{body}")
