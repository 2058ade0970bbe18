"""Newtonsoft's extension methods over many tokens: `Values`, `Children`, `Properties`, and the indexer of `Children()`."""

from __future__ import annotations

from typing import Any

from aforo.csharp.runtime.collections import each_token
from aforo.csharp.runtime.exceptions import NullReferenceException
from aforo.csharp.runtime.json import JToken, JValue, at_key, children
from aforo.csharp.runtime.json_convert import convert
from aforo.csharp.runtime.limits import count
from aforo.csharp.runtime.objects import TypeInfo


def same(tokens: Any) -> list[Any]:
    return list(each_token(tokens))


def at(tokens: Any, key: Any) -> list[JToken]:
    """`token.Children()["name"]` and `tokens.Values("name")`: that child of each, where there is one."""
    found = [at_key(_there(token), key) for token in each_token(tokens)]
    return [f for f in found if f is not None]


def at_as(tokens: Any, info: TypeInfo, key: Any) -> list[Any]:
    return [convert(t, info) for t in at(tokens, key)]


def children_of_each(tokens: Any) -> list[Any]:
    out: list[Any] = []
    for token in each_token(tokens):
        out += children(_there(token))
        count(len(out))
    return out


def values_of_each(tokens: Any) -> list[Any]:
    """The children of all of them; what can have none stands for itself."""
    out: list[Any] = []
    for token in each_token(tokens):
        out += [token] if isinstance(token, JValue) else children(_there(token))
        count(len(out))
    return out


def values_as(tokens: Any, info: TypeInfo) -> list[Any]:
    return [convert(t, info) for t in values_of_each(tokens)]


def _there(token: JToken | None) -> JToken:
    if token is None:
        raise NullReferenceException
    return token
