"""Names for what the lambdas of macros go over: a macro is put in the place of its call, and a column of the query, or a
lambda of another macro, that has the name would be taken for it.
"""

from __future__ import annotations

import re

_PART = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\w+|.", re.DOTALL)
_LAMBDA = re.compile(r"\blambda (\w+):")
_PARAMETERS = re.compile(r"\s*\(([^)]*)\)")


def own_names(macro: str, body: str) -> str:
    """The text of a macro (`(s, d) AS ...`) with names for its lambdas that nothing else has."""
    names = set(_LAMBDA.findall(body))
    if not names:
        return body
    given = _PARAMETERS.match(body)
    assert given is not None
    assert names.isdisjoint(re.findall(r"\w+", given[1])), f"{macro}: a lambda has the name of a parameter"
    # `kql_` would look like the call of a macro.
    whose = macro.removeprefix("kql_")
    parts = _PART.findall(body)
    return "".join(
        f'"{part} of {whose}"' if part in names and (i == 0 or parts[i - 1] != ".") else part
        for i, part in enumerate(parts)
    )
