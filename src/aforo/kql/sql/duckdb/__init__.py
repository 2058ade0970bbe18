"""DuckDB: `dialect` (what the writer asks), operations by name (`scalars`, `texts`, `times`, `convert`, `aggregates` and
`percentiles`; each a `builder` or built from a `request`; `asked`: queries in them; `overflow`: longs beyond 64 bits), `macros`, `macros_values`, `lambda_names` and `prepare`
(what a connection needs before it runs compiled SQL), `encode` (rows as Kusto's JSON).
"""
