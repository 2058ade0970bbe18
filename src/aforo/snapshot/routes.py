"""Which operation a path means. It knows no socket, no key and no policy.

Rules where Azure's documentation is silent (docs/decisions/0060-operation-matching.md): the longest API path
wins; within an API a literal segment beats a parameter, which beats the wildcard; paths match regardless of
case; a trailing slash does not matter; dot segments never match, however they are encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

A = TypeVar("A")
O = TypeVar("O")  # noqa: E741 - an operation

# Distinct paths that are remembered; a flood of invented paths must not become a flood of memory.
MAX_REMEMBERED = 4096
MAX_REMEMBERED_LENGTH = 1024
_DOTS = frozenset((".", ".."))
_SLASH = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class Match(Generic[A, O]):
    """An operation found: `path` is relative to the API (with a leading slash), `parameters` are decoded."""

    api: A
    operation: O
    path: str
    parameters: dict[str, str]


@dataclass(slots=True)
class _Node(Generic[O]):
    literals: dict[str, _Node[O]] = field(default_factory=dict)
    parameter: _Node[O] | None = None
    # method -> (operation, names of its parameters in order)
    here: dict[str, tuple[O, tuple[str, ...]]] = field(default_factory=dict)
    wildcard: dict[str, tuple[O, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(slots=True)
class _ApiRoutes(Generic[A, O]):
    api: A
    root: _Node[O] = field(default_factory=_Node)


class Router(Generic[A, O]):
    """`add` while building, then `match`; a router does not change once it is in force."""

    def __init__(self) -> None:
        # API path in lower case, as segments -> routes
        self._apis: dict[tuple[str, ...], _ApiRoutes[A, O]] = {}
        self._longest = 0
        self._remembered: dict[tuple[str, str], Match[A, O] | None] = {}

    def add(self, api: A, api_path: str, operations: Iterable[tuple[str, str, O]]) -> None:
        """Add an API with its operations: (method, URL template, operation) each."""
        segments = tuple(s for s in api_path.lower().split("/") if s)
        routes = self._apis.setdefault(segments, _ApiRoutes(api))
        self._longest = max(self._longest, len(segments))
        for method, template, operation in operations:
            _insert(routes.root, method.upper(), template, operation)

    def match(self, method: str, path: str) -> Match[A, O] | None:
        """The operation of a request, None when there is none."""
        key = (method, path)
        try:
            return self._remembered[key]
        except KeyError:
            pass
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        found = self._find(method, path)
        if len(path) <= MAX_REMEMBERED_LENGTH:
            self._remembered[key] = found
        return found

    def _find(self, method: str, path: str) -> Match[A, O] | None:
        segments = [s for s in path.split("/") if s]
        lower = [s.lower() for s in segments]
        if any(_climbs(s) for s in lower):
            return None
        for length in range(min(self._longest, len(segments)), -1, -1):
            routes = self._apis.get(tuple(lower[:length]))
            if routes is None:
                continue
            found = _walk(routes.root, method, segments[length:], lower[length:], 0, [])
            if found is not None:
                operation, parameters = found
                relative = "/" + "/".join(segments[length:])
                if path.endswith("/") and len(relative) > 1:
                    relative += "/"
                return Match(routes.api, operation, relative, parameters)
        return None

    def api_of(self, path: str) -> A | None:
        """The API that a path falls under, whether or not one of its operations matches."""
        lower = [s for s in path.lower().split("/") if s]
        for length in range(min(self._longest, len(lower)), -1, -1):
            routes = self._apis.get(tuple(lower[:length]))
            if routes is not None:
                return routes.api
        return None


def _climbs(segment: str) -> bool:
    """Whether a segment is `.` or `..`, or becomes such for a backend that decodes it or takes a backslash for a slash."""
    if segment in _DOTS:
        return True
    if "%" not in segment and "\\" not in segment:
        return False
    return not _DOTS.isdisjoint(_SLASH.split(unquote(segment)))


def _insert(node: _Node[O], method: str, template: str, operation: O) -> None:
    names: list[str] = []
    # Query parameters of a template name parameters; they do not take part in matching.
    for segment in (s for s in template.partition("?")[0].split("/") if s):
        if segment == "*" or segment.startswith("{*"):
            node.wildcard.setdefault(method, (operation, (*names, "*")))
            return
        if segment.startswith("{") and segment.endswith("}"):
            names.append(segment[1:-1])
            if node.parameter is None:
                node.parameter = _Node()
            node = node.parameter
        else:
            node = node.literals.setdefault(segment.lower(), _Node())
    node.here.setdefault(method, (operation, tuple(names)))


def _walk(
    node: _Node[O], method: str, segments: list[str], lower: list[str], at: int, values: list[str]
) -> tuple[O, dict[str, str]] | None:
    if at == len(segments):
        found = node.here.get(method)
        if found is not None:
            return found[0], dict(zip(found[1], values, strict=True))
    else:
        child = node.literals.get(lower[at])
        if child is not None:
            deeper = _walk(child, method, segments, lower, at + 1, values)
            if deeper is not None:
                return deeper
        if node.parameter is not None:
            deeper = _walk(node.parameter, method, segments, lower, at + 1, [*values, unquote(segments[at])])
            if deeper is not None:
                return deeper
    found = node.wildcard.get(method)
    if found is not None:
        rest = "/".join(unquote(s) for s in segments[at:])
        return found[0], dict(zip(found[1], [*values, rest], strict=True))
    return None
