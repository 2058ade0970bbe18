"""How a plugin of `evaluate` is declared, and what a call of one says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aforo.kql import syntax as s
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class PluginCall:
    """`options` are the named arguments by lower-case name. `schema` is what was declared behind a colon; `keeps` says
    that it begins with `*`."""

    name: str
    arguments: tuple[s.Syntax, ...]
    options: Mapping[str, s.Syntax]
    schema: tuple[s.ColumnDeclaration, ...] | None
    keeps: bool
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Plugin:
    """`count` is the least and the greatest number of arguments that stand without a name; `bind` is (binder, input,
    call, scope) to relation; `options` are the names, in lower case, that others may have."""

    name: str
    count: tuple[int, int]
    bind: Callable[..., Any]
    doc: str
    options: frozenset[str] = frozenset()
