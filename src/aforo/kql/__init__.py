"""The KQL compiler, a library: it knows no HTTP, no clock, no file and no table but those it is told of.

compile.py      the entry: text in, SQL with columns or diagnostics out; shows the pipeline in one place
tokens.py lexer.py literals.py ticks.py         text to tokens; constants; 100 ns arithmetic
syntax.py expressions.py parser.py              tokens to syntax (operators bring their own grammar)
types.py symbols.py                             Kusto's types; what a caller says about tables
bound.py scope.py convert.py naming.py          typed expressions; names; implicit conversions; column names
bind_expressions.py bind_calls.py bind_forms.py bind_windows.py call_checks.py binder.py     syntax to plan
plan.py lower.py time_ranges.py                 relational algebra; promoted paths, pruning; which moments conditions leave
size.py                                         how large a plan is when it is written out; the limit
functions/      every function, declared once (catalog.py lists them)
operators/      every tabular operator: syntax, grammar, binding (catalog.py lists them)
sql/            plan to SQL: writer, scalars, dialect; one folder per engine (duckdb/)
cursor.py complete.py                           what can stand at a place of a query that is being written
patterns.py     constant regular expressions, judged when compiling
diagnostics.py  all wording

Beside what declares names stands what shows them: `text.py` and `text.kql`, sentences and queries that the reference
pages are made of, with the engine's answers (`make docs`).
"""
