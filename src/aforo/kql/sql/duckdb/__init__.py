"""DuckDB: `dialect` (what the writer asks), `scalars`, `texts`, `times` and `aggregates` (operations by name, each a
`builder`), `macros` and `prepare` (what a connection needs before it runs compiled SQL), `encode` (rows as Kusto's
JSON).
"""
