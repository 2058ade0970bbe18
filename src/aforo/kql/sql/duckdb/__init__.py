"""DuckDB: `dialect` (what the writer asks), `scalars`, `texts`, `times`, `aggregates` and `percentiles` (operations by
name, each a `builder` or built from a `request`), `macros` and `prepare` (what a connection needs before it runs compiled SQL), `encode` (rows as Kusto's
JSON).
"""
