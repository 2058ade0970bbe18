"""How a tabular operator is declared: its keywords, its syntax, how it is read and how it is bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aforo.kql.parser import Parser
from aforo.kql.syntax import Operator, Syntax
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class Declared:
    """`parse` starts behind the keyword, whose place it gets. `bind` is (binder, input, syntax, scope) to relation.

    `starts` says that the operator may begin a pipeline, `pipes` that it may stand behind a pipe.
    """

    keywords: tuple[str, ...]
    syntax: type[Operator]
    parse: Callable[[Parser, Span], Syntax]
    bind: Callable[..., Any]
    doc: str
    pipes: bool = True
    starts: bool = False
