"""DuckDB: `dialect` (what the writer asks), `scalars` and `aggregates` (operations by name), `macros` and `prepare`
(what a connection needs before it runs compiled SQL), `encode` (rows as Kusto's JSON).
"""
