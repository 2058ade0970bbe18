"""The KQL compiler, a library: it knows no HTTP, no clock, no file and no table but those it is told of.

compile.py      the entry: text in, SQL with columns or diagnostics out; shows the pipeline in one place
tokens.py lexer.py literals.py ticks.py         text to tokens; constants; 100 ns arithmetic
syntax.py token_cursor.py expressions.py parser.py      tokens to syntax (operators bring their own grammar)
types.py symbols.py                             Kusto's types; what a caller says about tables
bound.py scope.py convert.py naming.py          typed expressions; names; implicit conversions; column names
binder.py bind_functions.py bind_expressions.py bind_calls.py bind_forms.py bind_windows.py      syntax to plan
call_checks.py patterns.py                      what arguments must be; constant regular expressions
time_rules.py bind_dynamics.py                  arithmetic with times, and with dynamic values
places.py set_options.py external.py            other workspaces; `set`; files that `externaldata` names
plan.py answer.py parts.py size.py              relational algebra; what binding comes to; a subquery for each part; limits
lower.py time_ranges.py                         promoted paths, pruning; which moments conditions leave
ingested.py first_rows.py                       when rows came in; the first of many rows without sorting all their text
functions/      every function, declared once (catalog.py lists them)
operators/      every tabular operator: syntax, grammar, binding (catalog.py lists them)
natives/        functions in Python, for what no SQL has
sql/            plan to SQL: writer, scalars, dialect; one folder per engine (duckdb/)
cursor.py complete.py                           what can stand at a place of a query that is being written
masking.py chance.py wildcards.py               a text without secrets; what `rand` makes; names by patterns with `*`
diagnostics.py  all wording of mistakes, by code

Beside what declares names stands what shows them: `text.py` and `text.kql`, sentences and queries that the reference
pages are made of, with the engine's answers (`make docs`).
"""
