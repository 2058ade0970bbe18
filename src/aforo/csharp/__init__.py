"""C# 7 expressions of policies, a library that knows nothing of ours.

compile.py      the only door: text to Python `ast`, parse → bind → generate
scan.py         where an expression ends
parser.py reader.py read_expressions.py read_statements.py read_queries.py literals.py
regroup.py                                      text to syntax.py
types.py catalog.py runtime/                    the .NET that can be reached
scope.py conversions.py overloads.py operators.py access.py places.py changes.py tuples.py binder.py
statements.py local_functions.py jumps.py flow.py
                syntax to bound.py
assigned.py     over bound.py: is every local assigned before it is read
codegen.py functions.py    bound to Python
diagnostics.py  all wording
"""
