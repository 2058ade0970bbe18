"""Compiles and runs one C# expression, over the declared .NET types alone or in a world that is given; `{` in front
makes it a block."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

from aforo.csharp.catalog import TYPES
from aforo.csharp.codegen import Names
from aforo.csharp.compile import Compiled, Origin, World, compile_expression
from aforo.csharp.types import Universe
from aforo.source import Diagnostic, Source, Span


@lru_cache(maxsize=1)
def world() -> World:
    return World(Universe(TYPES), {}, ("x",))


def compiled(text: str, names: Names | None = None, within: World | None = None) -> Compiled:
    block = text.startswith("{")
    inner = text[1:-1] if block else text
    source = Source("expression", inner)

    def locate(span: Span) -> tuple[int, int]:
        line, column = source.position(span.start)
        return line, column - 1

    origin = Origin(Span, lambda _start, _end: False, locate)
    return compile_expression(
        inner,
        block=block,
        wanted="text",
        world=within or world(),
        origin=origin,
        names=names or Names(),
        name="e1",
    )


def mistakes(text: str) -> tuple[Diagnostic, ...]:
    return compiled(text).diagnostics


def evaluate(text: str, within: World | None = None, x: Any = None) -> Any:
    """The result as text (null as None); `x` is what the world's first name stands for."""
    names = Names()
    made = compiled(text, names, within).expression
    assert made is not None, mistakes(text)
    arguments = ast.arguments([], [ast.arg("x")], None, [], [], None, [])
    main = ast.FunctionDef("main", arguments, [ast.Return(made.value)], [])
    module = ast.fix_missing_locations(ast.Module([*made.definitions, main], []))
    scope: dict[str, Any] = {"__builtins__": {}, **names.values}
    exec(compile(module, "expression", "exec"), scope)
    return scope["main"](x)


def thrown(text: str) -> str:
    """The name of what evaluating it raises."""
    try:
        value = evaluate(text)
    except Exception as error:  # noqa: BLE001 - its name is the answer
        return type(error).__name__
    raise AssertionError(f"{text} gave {value!r}")
