"""Bags: merge, take keys out and put them in (by name or by path), pair up, describe."""

from __future__ import annotations

import re
from typing import Any

from aforo.kql.natives.spec import Native, dumped, native, parsed, written
from aforo.kql.types import BOOL, DYNAMIC, LONG, STRING

# `$.a.b[0]`, `$['a b'][2]`: the steps of a path.
_STEP = re.compile(r"""\.(?P<name>[^.\[\]'"]+)|\[(?:(?P<index>-?\d+)|'(?P<one>[^']*)'|"(?P<two>[^"]*)")\]""")


def steps(path: str) -> list[str | int]:
    """A key as the steps to it: a path begins with `$.` or `$[`, all else is one name."""
    found = path_steps(path) if path.startswith(("$.", "$[")) else None
    return [path] if found is None else found


def path_steps(path: str) -> list[str | int] | None:
    """The steps of `$.a[0]['b c']`, None for what is no path."""
    if not path.startswith("$"):
        return None
    out: list[str | int] = []
    at = 1
    while at < len(path):
        m = _STEP.match(path, at)
        if m is None:
            return None
        name = next((n for n in (m["name"], m["one"], m["two"]) if n is not None), None)
        out.append(int(m["index"]) if name is None else name)
        at = m.end()
    return out


_MISSING = object()


def _at(value: Any, step: str | int) -> Any:
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step, _MISSING)
    if isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
        return value[step]
    return _MISSING


def _down(value: Any, path: list[str | int]) -> Any:
    for step in path:
        value = _at(value, step)
    return value


def bag_has_key(json: str | None, name: str) -> bool | None:
    bag = parsed(json)
    return _down(bag, steps(name)) is not _MISSING if isinstance(bag, dict) else None


def bag_remove_keys(json: str | None, names: str | None) -> str | None:
    bag, keys = parsed(json), parsed(names)
    if not isinstance(bag, dict):
        return None
    for name in keys if isinstance(keys, list) else ():
        if not isinstance(name, str):
            continue
        *parents, last = steps(name)
        holder = _down(bag, parents)
        if isinstance(holder, dict) and isinstance(last, str):
            holder.pop(last, None)
        elif isinstance(holder, list) and _at(holder, last) is not _MISSING:
            del holder[int(last)]
    return written(bag)


def bag_set_key(json: str | None, name: str, value: str | None) -> str | None:
    bag = parsed(json)
    if not isinstance(bag, dict):
        return None
    *parents, last = steps(name)
    holder: Any = bag
    for step in parents:
        below = _at(holder, step)
        if not isinstance(below, dict | list):
            if not isinstance(holder, dict) or not isinstance(step, str):
                return json
            below = holder[step] = {}
        holder = below
    if isinstance(holder, dict) and isinstance(last, str):
        holder[last] = parsed(value)
    elif isinstance(holder, list) and _at(holder, last) is not _MISSING:
        holder[int(last)] = parsed(value)
    return written(bag)


def bag_merge(given: list[str]) -> str | None:
    """The first bag that has a name gives its value; what is no bag does not count."""
    bags = [bag for json in given if isinstance(bag := parsed(json), dict)]
    if not bags:
        return None
    out: dict[str, Any] = {}
    for bag in bags:
        for name, value in bag.items():
            out.setdefault(name, value)
    return written(out)


def bag_of(json: str | None, most: int | None) -> str | None:
    """The bag of an array of bags, with at most so many names."""
    out: dict[str, Any] = {}
    for bag in parsed(json) or ():
        for name, value in bag.items():
            if name in out or most is None or len(out) < most:
                out.setdefault(name, value)
    return written(out)


def bag_zip(names: str | None, values: str | None) -> str | None:
    keys, items = parsed(names), parsed(values)
    if not isinstance(keys, list):
        return None
    items = items if isinstance(items, list) else []
    out: dict[str, Any] = {}
    for i, name in enumerate(keys):
        if isinstance(name, str):
            out[name] = items[i] if i < len(items) else None
    return written(out)


def treepath(json: str | None) -> str | None:
    """All paths that lead somewhere, `['a'][0]['b']`; an array's elements share the path `[0]`."""
    found: dict[str, None] = {}

    def walk(value: Any, path: str) -> None:
        match value:
            case dict():
                for name, inner in value.items():
                    below = f"{path}['{name}']"
                    found[below] = None
                    walk(inner, below)
            case list() if value:
                found[f"{path}[0]"] = None
                for inner in value:
                    walk(inner, f"{path}[0]")

    bag = parsed(json)
    if not isinstance(bag, dict | list):
        return None
    try:
        walk(bag, "")
    except RecursionError:
        return None
    return written(list(found))


def dynamic_to_json(json: str | None) -> str:
    """The canonical text: names in order at every depth."""
    value = parsed(json)
    if isinstance(value, str):
        return value
    return "" if value is None else dumped(value, in_order=True) or ""


def buildschema(given: list[str]) -> str | None:
    """The one type that fits all values: a name, a bag of them, or an array of alternatives."""
    schema = _Schema()
    try:
        for json in given:
            schema.add(parsed(json))
        return written(schema.shown())
    except RecursionError:
        return None


class _Schema:
    """What has been seen at one place."""

    __slots__ = ("bag", "indexer", "scalars")

    def __init__(self) -> None:
        self.scalars: dict[str, None] = {}
        self.bag: dict[str, _Schema] | None = None
        self.indexer: _Schema | None = None

    def add(self, value: Any) -> None:
        match value:
            case None:
                pass
            case dict():
                self.bag = {} if self.bag is None else self.bag
                for name, inner in value.items():
                    self.bag.setdefault(name, _Schema()).add(inner)
            case list():
                self.indexer = self.indexer or _Schema()
                for inner in value:
                    self.indexer.add(inner)
            case bool():
                self.scalars["bool"] = None
            case int():
                self.scalars["long"] = None
            case float():
                self.scalars["double"] = None
            case _:
                self.scalars["string"] = None

    def shown(self) -> Any:
        kinds: list[Any] = list(self.scalars)
        if self.bag is not None or self.indexer is not None:
            bag = {} if self.bag is None else {name: inner.shown() for name, inner in self.bag.items()}
            if self.indexer is not None:
                bag["`indexer`"] = self.indexer.shown()
            kinds.append(bag)
        return None if not kinds else kinds[0] if len(kinds) == 1 else kinds


NATIVES: tuple[Native, ...] = (
    native("bag_has_key", bag_has_key, BOOL, DYNAMIC, STRING),
    native("bag_remove_keys", bag_remove_keys, DYNAMIC, DYNAMIC, DYNAMIC),
    native("bag_set_key", bag_set_key, DYNAMIC, DYNAMIC, STRING, DYNAMIC),
    native("bag_merge", bag_merge, DYNAMIC, spread=True),
    native("bag_of", bag_of, DYNAMIC, DYNAMIC, LONG),
    native("bag_zip", bag_zip, DYNAMIC, DYNAMIC, DYNAMIC),
    native("treepath", treepath, DYNAMIC, DYNAMIC),
    native("dynamic_to_json", dynamic_to_json, STRING, DYNAMIC),
    native("buildschema", buildschema, DYNAMIC, spread=True),
)
