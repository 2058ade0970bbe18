"""One expression, from text to Python `ast`: parse → bind → generate. The only door of this package.

text → syntax (parser) → bound (binder, statements) → ast (codegen). The caller gives the world (a universe, the names
that exist, where the text stands) and gets an expression for its own code, with functions to be defined beside it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from aforo.csharp import bound as b
from aforo.csharp.assigned import check_assigned
from aforo.csharp.binder import Binder
from aforo.csharp.codegen import Codegen, Locate, Names
from aforo.csharp.diagnostics import Mistake
from aforo.csharp.functions import has_functions
from aforo.csharp.parser import parse_block, parse_expression
from aforo.csharp.reader import Place
from aforo.csharp.runtime.objects import bool_text, cast_bool, to_string
from aforo.csharp.statements import bind_body, bind_lambda
from aforo.csharp.types import (
    BOOL,
    CHAR,
    FLOAT,
    MISSING,
    NULL,
    OBJECT,
    STRING,
    VOID,
    Type,
    Universe,
    can_be_null,
)
from aforo.source import Diagnostic, Span

Wanted: TypeAlias = Literal["text", "bool", "object"]


def text_or_null(value: Any) -> str | None:
    """A result as text; null stays null."""
    return None if value is None else to_string(value)


@dataclass(frozen=True, slots=True)
class World:
    """What expressions of a document can see. `names` maps a C# name to (Python name, type)."""

    universe: Universe
    names: Mapping[str, tuple[str, Type]]
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the text stands: its spans in the document, which characters are secret, line and column of a span."""

    place: Place
    secret: Callable[[int, int], bool]
    locate: Locate


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    `value` is Python to be evaluated where the caller wants it; `definitions` stand beside it in the module.
    `effects` are labels of the members used, with their first argument where it is a literal. `secret` says that
    a secret literal went in. `constant` is the value where it does not depend on anything.
    """

    value: ast.expr
    definitions: tuple[ast.stmt, ...]
    type: Type
    nullable: bool
    effects: frozenset[tuple[str, str | None]]
    secret: bool
    constant: object
    span: Span


@dataclass(frozen=True, slots=True)
class Compiled:
    """The outcome: `expression` is None when a diagnostic is an error."""

    expression: Expression | None
    diagnostics: tuple[Diagnostic, ...]


def compile_expression(
    text: str, *, block: bool, wanted: Wanted, world: World, origin: Origin, names: Names, name: str
) -> Compiled:
    """Compile the inside of `@(...)` or, with `block`, of `@{...}`. Never raises for what an author can write."""
    try:
        return _compile(text, block, wanted, world, origin, names, name)
    except Mistake as mistake:
        return Compiled(None, (mistake.diagnostic,))
    except RecursionError:
        from aforo.csharp.diagnostics import too_deep

        return Compiled(None, (too_deep(origin.place(0, len(text))).diagnostic,))


def _compile(
    text: str, block: bool, wanted: Wanted, world: World, origin: Origin, names: Names, name: str
) -> Compiled:
    binder = Binder(world.universe, world.names, bind_lambda)
    codegen = Codegen(names, origin.locate)
    span = origin.place(0, len(text))
    if block:
        returns = BOOL if wanted == "bool" else OBJECT
        codegen.repeats = True
        body = bind_body(binder, parse_block(text, origin.place, origin.secret), returns)
        if binder.unset:
            check_assigned(body)
        statements = codegen.body(body)
        definition = _define(name, world.parameters, [*codegen.prologue(span), *statements], codegen, span)
        value = _call(name, world.parameters, codegen, span)
        if wanted == "text":
            value = codegen.call(text_or_null, [value], span)
        kind = {"text": STRING, "bool": BOOL, "object": OBJECT}[wanted]
        # What is secret in a block is not followed statement by statement: any secret makes the result one.
        secret = origin.secret(0, len(text))
        made = Expression(
            value, (definition,), kind, wanted != "bool", frozenset(binder.effects), secret, MISSING, span
        )
        return Compiled(made, tuple(binder.warnings))
    bound = _finish(binder, binder.value(parse_expression(text, origin.place, origin.secret)), wanted)
    if binder.unset:
        check_assigned(bound)
    secret = origin.secret(0, len(text))
    constant = (
        bound.value if isinstance(bound, b.Const) and not bound.secret and not binder.effects else MISSING
    )
    functions = has_functions(bound)
    codegen.repeats = functions
    value = codegen.expr(bound)
    definitions: tuple[ast.stmt, ...] = ()
    if functions or codegen.hoisted:
        returned = codegen.at(ast.Return(value), span)
        body_statements = [*codegen.prologue(span), *codegen.hoisted, returned]
        definitions = (_define(name, world.parameters, body_statements, codegen, span),)
        value = _call(name, world.parameters, codegen, span)
    else:
        value = codegen.counted(value, span)
    made = Expression(
        value, definitions, bound.type, bound.nullable, frozenset(binder.effects), secret, constant, span
    )
    return Compiled(made, tuple(binder.warnings))


def _finish(binder: Binder, value: b.Expr, wanted: Wanted) -> b.Expr:
    """The result as the caller wants it."""
    if wanted == "bool":
        found = binder.conversions.implicit(value.type, BOOL, value)
        if found is None and value.type == OBJECT:
            return b.Invoke(cast_bool, (value,), BOOL, value.span, False)
        return binder.convert(value, BOOL)
    if wanted == "object":
        if value.type == VOID:
            return value
        return binder.convert(value, OBJECT)
    if value.type in (STRING, CHAR, NULL):
        return value
    if isinstance(value, b.Const) or FLOAT in (value.type, *value.type.args[:1]):
        return binder.text(value)
    if value.type == BOOL:
        return b.Invoke(bool_text, (value,), STRING, value.span, False)
    maybe = can_be_null(binder.universe, value.type) and value.nullable
    return b.Invoke(text_or_null if maybe else to_string, (value,), STRING, value.span, maybe)


def _define(
    name: str, parameters: tuple[str, ...], body: list[ast.stmt], codegen: Codegen, span: Span
) -> ast.stmt:
    arguments = ast.arguments([], [codegen.at(ast.arg(p), span) for p in parameters], None, [], [], None, [])
    made: ast.stmt = codegen.at(ast.FunctionDef(name, arguments, body, []), span)
    return made


def _call(name: str, parameters: tuple[str, ...], codegen: Codegen, span: Span) -> ast.expr:
    arguments = [codegen.name(p, span) for p in parameters]
    made: ast.expr = codegen.at(ast.Call(codegen.name(name, span), arguments, []), span)
    return made
