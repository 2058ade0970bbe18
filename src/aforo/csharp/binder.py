"""Syntax to bound tree: names to declarations, calls to runtime functions, types to everything. Expressions.

It is given a universe and the names that exist from the start; it reaches nothing else. The first mistake ends
the compile of its expression: a second message about a thing without a type helps nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.conversions import retype
from aforo.csharp.overloads import Overloads
from aforo.csharp.runtime import objects as ro
from aforo.csharp.scope import Namespace, TypeName
from aforo.csharp.tuples import TupleBinder
from aforo.csharp.types import (
    BOOL,
    EXCEPTION,
    NEVER,
    NULL,
    NUMERIC,
    OBJECT,
    STRING,
    TYPE,
    Type,
    Universe,
    can_be_null,
    is_value,
)
from aforo.source import Span


class Binder(TupleBinder):
    """Binds one expression or block; made anew for each."""

    def __init__(
        self,
        universe: Universe,
        names: Mapping[str, tuple[str, Type]],
        bind_lambda: Callable[[Any, s.Lambda, list[Type], Type | None], b.Function],
    ) -> None:
        super().__init__(universe, names, bind_lambda)
        self.overloads = Overloads(self)

    def any(self, node: s.Expr, wanted: Type | None = None) -> b.Expr | TypeName | Namespace:
        match node:
            case s.Literal():
                type_ = NULL if node.kind == "null" else Type(node.kind)
                return b.Const(node.value, type_, node.span, node.secret)
            case s.Name():
                return self.name(node)
            case s.Paren():
                return self.any(node.inner, wanted)
            case s.Member() | s.Index() | s.Call():
                return self.spine(node)
            case s.Cast():
                return self.cast(node)
            case s.As():
                return self.as_(node)
            case s.Is():
                return self.pattern(self.value(node.operand), node.pattern, node.span)
            case s.Unary():
                return self.operators.unary(node.operator, self.value(node.operand), node.span)
            case s.Step():
                return self.step(node)
            case s.Binary():
                return self.binary(node)
            case s.Ternary():
                return self.ternary(node, wanted)
            case s.Assign():
                return self.assign(node)
            case s.New():
                return self.new(node)
            case s.NewArray():
                return self.new_array(node, wanted)
            case s.NewAnonymous():
                return self.anonymous(node)
            case s.Interpolated():
                return self.interpolated(node)
            case s.Default():
                return self.default(node, wanted)
            case s.Tuple():
                return self.tuple(node, wanted)
            case s.Checked():
                with self.checked(node.on):
                    return self.value(node.inner, wanted)
            case s.ThrowExpr():
                return b.Raise(self.converted(node.value, EXCEPTION), NEVER, node.span)
            case s.Lambda():
                raise say.no_type(node.span, "this lambda")
            case s.TypeOf():
                return b.Const(self.conversions.net_type(self.resolve_type(node.type)), TYPE, node.span)
            case s.Declaration():
                raise say.misplaced(node.span, "a declaration")

    @contextmanager
    def checked(self, on: bool) -> Iterator[None]:
        """What is bound inside overflows with an exception, or wraps."""
        before, self.conversions.checked = self.conversions.checked, on
        try:
            yield
        finally:
            self.conversions.checked = before

    # --- operators --------------------------------------------------------------------------------------------

    def binary(self, node: s.Binary) -> b.Expr:
        """Left-leaning chains are walked; strings are collected into one Concat, conditions into one Logic."""
        spine: list[s.Binary] = []
        now: s.Expr = node
        while isinstance(now, s.Binary) and now.operator != "??":
            spine.append(now)
            now = now.left
        if not spine:
            return self.coalesce(node)
        left = self.value(now)
        for each in reversed(spine):
            left = self.operate(each, left)
        return left

    def operate(self, node: s.Binary, left: b.Expr) -> b.Expr:
        operator, span = node.operator, node.span
        if operator in ("&&", "||"):
            word = "and" if operator == "&&" else "or"
            first = self.convert(left, BOOL)
            second = self.condition(node.right)
            parts = (
                (*first.parts, second)
                if isinstance(first, b.Logic) and first.operator == word
                else (first, second)
            )
            return b.Logic(word, parts, BOOL, span)
        right = self.value(node.right)
        if operator == "+" and STRING in (left.type, right.type):
            own = None if left.type == STRING else self.operators.user(operator, left, right, span)
            if own is not None:
                return own
            head = left.parts if isinstance(left, b.Concat) else (self.text(left),)
            return b.Concat((*head, self.text(right)), self.grows(), STRING, span)
        return self.operators.binary(operator, left, right, span)

    def coalesce(self, node: s.Binary) -> b.Expr:
        left = self.value(node.left)
        if not can_be_null(self.universe, left.type):
            raise say.no_operator(node.span, "??", str(left.type))
        temp = self.temp()
        inner = left.type.args[0] if left.type.name == "Nullable" else left.type
        right = self.value(node.right, inner)
        if left.type == NULL:
            return right
        read = b.Read(temp, inner, left.span, False)
        for target in (inner, left.type):
            found = self.conversions.implicit(right.type, target, right)
            if found is not None:
                keeps = right.nullable and right.type != NEVER
                return b.Coalesce(
                    left, temp, retype(read, target), found.apply(right), target, node.span, keeps
                )
        into = self.conversions.implicit(inner, right.type)
        if into is None:
            raise say.no_operator(node.span, "??", str(left.type), str(right.type))
        return b.Coalesce(left, temp, into.apply(read), right, right.type, node.span, right.nullable)

    def ternary(self, node: s.Ternary, wanted: Type | None) -> b.Expr:
        condition = self.condition(node.condition)
        then, otherwise = self.value(node.then, wanted), self.value(node.otherwise, wanted)
        type_ = self.joined(then, otherwise)
        if type_ is None and wanted is not None:
            both = (self.conversions.implicit(e.type, wanted, e) for e in (then, otherwise))
            type_ = wanted if all(both) else None
        if type_ is None:
            raise say.no_conversion(node.span, str(then.type), str(otherwise.type))
        then, otherwise = self.convert(then, type_), self.convert(otherwise, type_)
        return b.Choice(condition, then, otherwise, type_, node.span, then.nullable or otherwise.nullable)

    def joined(self, left: b.Expr, right: b.Expr) -> Type | None:
        """The type that both branches have: one of their two."""
        if left.type == right.type:
            return left.type
        if left.type == NULL and is_value(self.universe, right.type) and right.type.name != "Nullable":
            return None
        for a, c in ((left, right), (right, left)):
            if a.type != NULL and self.conversions.implicit(c.type, a.type, c) is not None:
                return a.type
        return None

    def cast(self, node: s.Cast) -> b.Expr:
        target = self.resolve_type(node.type)
        inner = node.operand
        while isinstance(inner, s.Paren):
            inner = inner.inner
        if isinstance(inner, s.Lambda):
            return self.converted(inner, target)
        value = self.value(node.operand, target)
        found = self.conversions.explicit(value.type, target, value)
        if found is None:
            raise say.no_conversion(node.span, str(value.type), str(target))
        if isinstance(value, b.Const) and value.type.name in NUMERIC:
            self.conversions.fits(value.value, target, node.span)
        made = found.apply(value)
        return replace(made, span=node.span) if not isinstance(made, b.Const) else made

    def as_(self, node: s.As) -> b.Expr:
        target = self.resolve_type(node.type)
        value = self.value(node.operand)
        if is_value(self.universe, target) and target.name != "Nullable":
            raise say.no_operator(node.span, "as", str(value.type), str(target))
        if self.conversions.standard(value.type, target) is not None and value.type != OBJECT:
            return self.convert(value, target)
        if value.type != OBJECT and not self.conversions.downcast(value.type, target):
            raise say.no_conversion(node.span, str(value.type), str(target))
        kind = b.Const(self.test_class(target, node.span), OBJECT, node.span)
        if target == STRING:
            return b.Invoke(ro.as_reference, (value, kind), target, node.span)
        return b.Invoke(ro.as_reference, (value, kind), target, node.span)

    def test_class(self, type_: Type, span: Span) -> Any:
        python = self.conversions.python(type_)
        if python is None:
            raise say.unsupported(span, f"a test for `{type_}`")
        return python

    def pattern(self, value: b.Expr, pattern: s.Pattern, span: Span) -> b.Expr:
        if isinstance(pattern, s.ConstantPattern):
            try:
                found = self.any(pattern.value)
            except say.Mistake:
                found = self.named_type(pattern.value)
            if isinstance(found, TypeName):
                return self.type_test(value, found.type, "", span)
            if isinstance(found, Namespace):
                raise say.not_a_value(pattern.span, "a namespace")
            if value.type == OBJECT and found.type != NULL:
                boxed = self.convert(found, OBJECT)
                return b.Invoke(ro.equals, (value, boxed), BOOL, span, False)
            return self.operators.equality("==", value, found, span)
        if pattern.type is None:
            if not pattern.name or pattern.name == "_":
                return b.Sequence((value, b.Const(True, BOOL, span)), 1, BOOL, span, False)
            local = self.declare(pattern.name, value.type, pattern.span)
            return b.Sequence(
                (b.Write(local.python, value, value.type, span), b.Const(True, BOOL, span)),
                1,
                BOOL,
                span,
                False,
            )
        return self.type_test(value, self.resolve_type(pattern.type), pattern.name, span)

    def named_type(self, node: s.Expr) -> TypeName:
        """`x is JObject` reaches the binder as a constant pattern."""
        parts: list[str] = []
        now = node
        while isinstance(now, s.Member):
            parts.append(now.name)
            now = now.target
        if isinstance(now, s.Name):
            path = ".".join([now.name, *reversed(parts)])
            return TypeName(self.resolve_type(s.TypeRef(path, now.args, node.span)))
        raise say.not_a_value(node.span, "this")

    def type_test(self, value: b.Expr, target: Type, name: str, span: Span) -> b.Expr:
        known = self.conversions.standard(value.type, target) is not None and value.type not in (NULL, OBJECT)
        if name in ("", "_"):
            if known:
                return (
                    b.IsNull(value, True, BOOL, span)
                    if can_be_null(self.universe, value.type)
                    else b.Sequence((value, b.Const(True, BOOL, span)), 1, BOOL, span, False)
                )
            return b.Invoke(
                ro.is_instance,
                (value, b.Const(self.test_class(target, span), OBJECT, span)),
                BOOL,
                span,
                False,
            )
        local = self.declare(name, target, span)
        local.constant_not_null = True
        held = self.temp()
        read = b.Read(held, value.type, span)
        test: b.Expr = (
            b.IsNull(read, True, BOOL, span)
            if known
            else b.Invoke(
                ro.is_instance,
                (read, b.Const(self.test_class(target, span), OBJECT, span)),
                BOOL,
                span,
                False,
            )
        )
        cast = self.conversions.explicit(value.type, target)
        if cast is None:
            raise say.no_conversion(span, str(value.type), str(target))
        write = b.Write(local.python, cast.apply(read), target, span)
        taken = b.Sequence((write, b.Const(True, BOOL, span)), 1, BOOL, span, False)
        whole = b.Logic("and", (test, taken), BOOL, span)
        return b.Sequence((b.Write(held, value, value.type, span), whole), 1, BOOL, span, False)
