"""Fields of JSON values by their paths, and the texts in all others. It changes the value that it is given.

Rules are (steps, mode): see `model/field_path.py`. Values are what a JSON parser made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from aforo.gateway.masking.marks import HIDDEN, KEEP, Marks
from aforo.gateway.masking.written import Finder
from aforo.model.field_path import ALL, DESCEND, Part

Rule = tuple[tuple[Part, ...], str]
# A container and the key or index in it; both name a value.
Spot = tuple[Any, Any]

# Digits of a number that is worth a look: the shortest that detectors find.
_LONG_NUMBER = 10**9


def spots(root: Any, steps: Sequence[Part]) -> list[Spot]:
    """Where a path leads in a value."""
    at: list[tuple[Any, Any, Any]] = [(None, None, root)]
    for step in steps:
        following: list[tuple[Any, Any, Any]] = []
        for container, key, value in at:
            if step is DESCEND:
                following.append((container, key, value))
                following += _below(value)
            elif step is ALL:
                following += _members(value)
            elif isinstance(step, str):
                if isinstance(value, dict) and step in value:
                    following.append((value, step, value[step]))
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                following.append((value, step, value[step]))
        at = following
    return [(container, key) for container, key, _ in at if container is not None]


def _members(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    if isinstance(value, dict):
        yield from ((value, key, each) for key, each in value.items())
    elif isinstance(value, list):
        yield from ((value, index, each) for index, each in enumerate(value))


def _below(value: Any) -> list[tuple[Any, Any, Any]]:
    found: list[tuple[Any, Any, Any]] = []
    waiting = list(_members(value))
    while waiting:
        found.append(waiting.pop())
        waiting += _members(found[-1][2])
    return found


def text_of(value: Any) -> str:
    """What a hash is made of: the text itself, anything else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def mask_fields(root: Any, rules: Sequence[Rule], marks: Marks, told: list[str]) -> set[tuple[int, Any]]:
    """Replace what the rules name; texts that went go into `told`. The spots (by the container's identity) that no
    detector should look at."""
    done: set[tuple[int, Any]] = set()
    hidden: list[Spot] = []
    # What is kept first: a rule that says so is about that very field.
    for steps, mode in rules:
        for container, key in spots(root, steps):
            place = (id(container), key)
            if mode == HIDDEN:
                hidden.append((container, key))
                continue
            value = container[key]
            if mode != KEEP and place not in done:
                told += texts_in(value)
                container[key] = marks.instead(mode, text_of(value))
            done.add(place)
    for container, key in sorted(hidden, key=lambda s: s[1] if isinstance(s[1], int) else -1, reverse=True):
        if isinstance(container, dict):
            if key in container:
                told += texts_in(container.pop(key))
        elif key < len(container):
            told += texts_in(container[key])
            # An element that is gone would move the others, which rules name by their places.
            container[key] = None
            done.add((id(container), key))
    return done


def texts_in(value: Any) -> list[str]:
    """The texts and numbers in a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [text_of(value)]
    return [
        text_of(v)
        for _, _, v in _below(value)
        if isinstance(v, (str, int, float)) and not isinstance(v, bool)
    ]


def mask_texts(root: Any, finder: Finder, skip: set[tuple[int, Any]]) -> Any:
    """The value with what detectors find in its texts, names and long numbers replaced."""
    box = [root]
    waiting: list[Any] = [box]
    while waiting:
        at = waiting.pop()
        pairs: list[tuple[Any, Any]] = list(at.items()) if isinstance(at, dict) else list(enumerate(at))
        renamed: dict[str, str] = {}
        for key, value in pairs:
            if isinstance(at, dict) and (name := finder.mask(key)) != key:
                renamed[key] = name
            if skip and (id(at), key) in skip:
                continue
            if isinstance(value, str):
                new = finder.mask(value)
                if new is not value:
                    at[key] = new
            elif isinstance(value, (dict, list)):
                waiting.append(value)
            elif (
                type(value) is int
                and abs(value) > _LONG_NUMBER
                and (n := finder.mask(str(value))) != str(value)
            ):
                at[key] = n
        if renamed:
            items = list(at.items())
            at.clear()
            at.update((renamed.get(key, key), value) for key, value in items)
    return box[0]
