"""`SelectToken`: the JSONPath of Newtonsoft: names, indexes, stars, descent and simple filters."""

from __future__ import annotations

import re
from typing import Final

import orjson

from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    JsonException,
)
from aforo.csharp.runtime.json import (
    JArray,
    JContainer,
    JObject,
    JProperty,
    JToken,
    JValue,
    children,
    descendants,
)
from aforo.csharp.runtime.limits import count
from aforo.csharp.runtime.numbers import compare

_STEP: Final = re.compile(
    r"""\.?(?:\.(?P<deep>[\w$-]+|\*) | (?P<name>[^.\[\]\s'"()?@]+) | \[\s*(?:(?P<at>-?\d+)|(?P<star>\*)|'(?P<quoted>[^']*)'|"(?P<double>[^"]*)"
    |\?\s*\(\s*@\.?(?P<field>[\w.$-]*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<want>'[^']*'|"[^"]*"|-?[\d.]+|true|false|null))?\s*\))\s*\])""",
    re.VERBOSE,
)


def select_tokens(token: JToken, expression: str | None) -> list[JToken]:
    if expression is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: path")
    now: list[JToken] = [token]
    at = 1 if expression.startswith("$") else 0
    while at < len(expression):
        m = _STEP.match(expression, at)
        if m is None or m.end() == at:
            raise JsonException(f"Unexpected character while parsing path at position {at}.")
        now = [hit for each in now for hit in _step(each, m)]
        count(len(now))
        at = m.end()
    return now


def _step(token: JToken, m: re.Match[str]) -> list[JToken]:
    if (deep := m["deep"]) is not None:
        found = [token, *(descendants(token) if isinstance(token, JContainer) else ())]
        if deep == "*":
            return [t for t in found[1:] if not isinstance(t, JProperty)]
        return [c for t in found if isinstance(t, JObject) and (c := t.child(deep)) is not None]
    if m["at"] is not None:
        index = int(m["at"])
        return [token.child(index)] if isinstance(token, JArray) and 0 <= index < len(token.items) else []
    if m["star"] is not None or m["name"] == "*":
        return [c.value if isinstance(c, JProperty) else c for c in children(token)]
    if m["field"] is not None:
        inner = [c.value if isinstance(c, JProperty) else c for c in children(token)]
        return [c for c in inner if _matches(c, m["field"], m["op"], m["want"])]
    name = m["name"] if m["name"] is not None else m["quoted"] if m["quoted"] is not None else m["double"]
    found_child = token.child(name) if isinstance(token, JObject) else None
    return [found_child] if found_child is not None else []


def _matches(token: JToken, field: str, op: str | None, want: str | None) -> bool:
    hits = select_tokens(token, field) if field else [token]
    if not hits:
        return False
    if op is None or want is None:
        return True
    value = hits[0].value if isinstance(hits[0], JValue) else None
    wanted = want[1:-1] if want[0] in "'\"" else orjson.loads(want)
    if op == "==":
        return bool(value == wanted)
    if op == "!=":
        return bool(value != wanted)
    if type(value) is not type(wanted) and not (
        isinstance(value, (int, float)) and isinstance(wanted, (int, float))
    ):
        return False
    order = compare(value, wanted)
    return {"<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0}[op]


def select_token(token: JToken, expression: str | None, error_when_no_match: bool = False) -> JToken | None:
    hits = select_tokens(token, expression)
    if len(hits) > 1:
        raise JsonException("Path returned multiple tokens.")
    if not hits and error_when_no_match:
        raise JsonException("The path matches no token.")
    return hits[0] if hits else None
