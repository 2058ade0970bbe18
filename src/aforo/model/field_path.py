"""Paths to fields of JSON bodies, the part of JSONPath (RFC 9535) that names places: it reads them and finds nothing.

`$.user.email`, `$.messages[*].content`, `$['x y'][0]`, `$..password`.
"""

from __future__ import annotations

import re
from typing import Final

_STEP = re.compile(
    r"(?P<deep>\.\.)?(?:(?(deep)|\.)(?P<name>[^\s.\[\]'\"*]+|\*)"
    r"|\[(?:(?P<index>[0-9]{1,6})|(?P<any>\*)|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\")\])"
)


class AnyMember:
    """All members of an object, all elements of an array."""

    __slots__ = ()


class Below:
    """This place and all places below it."""

    __slots__ = ()


ALL: Final = AnyMember()
DESCEND: Final = Below()
Part = str | int | AnyMember | Below


def read_path(text: str) -> tuple[Part, ...]:
    """The steps of a path. ValueError says what is wrong with it."""
    if not text.startswith("$"):
        raise ValueError(f"{text!r} is no path to a field: it begins with '$', as in '$.user.email'")
    steps: list[Part] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(
                f"{text!r} cannot be read from {text[at:]!r} on: names, [0], [*] and .. are known"
            )
        if found["deep"]:
            steps.append(DESCEND)
        if found["index"] is not None:
            steps.append(int(found["index"]))
        elif found["any"] is not None or found["name"] == "*":
            steps.append(ALL)
        else:
            steps.append(next(n for n in (found["name"], found["single"], found["double"]) if n is not None))
        at = found.end()
    if not steps:
        raise ValueError("'$' alone is the whole body: 'body.bytes' says whether that is kept")
    return tuple(steps)
