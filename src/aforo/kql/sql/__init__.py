"""Plan to SQL, as a sqlglot tree: `writer` relations, `walks` rows one after another, `frames` a SELECT while it grows,
`scalars` expressions, `dialect` what an engine must offer, `tree` shorthands for nodes; one folder per engine (`duckdb/`).
Nothing of an engine leaks above its folder.
"""
