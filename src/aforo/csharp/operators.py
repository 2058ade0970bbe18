"""Unary and binary operators over bound operands: numeric promotion, strings, equality, lifted forms."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import add, mul, sub
from typing import Any, Final

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp.conversions import Conversions, retype
from aforo.csharp.runtime import numbers as rn
from aforo.csharp.runtime import objects as ro
from aforo.csharp.runtime.value_tuples import both, check, either
from aforo.csharp.types import BOOL, INT, INTEGRAL, NULL, NUMERIC, OBJECT, STRING, Type, is_value, nullable
from aforo.source import Diagnostic, Span

_ARITHMETIC: Final = ("+", "-", "*", "/", "%")
_COMPARE: Final = ("<", "<=", ">", ">=")
_FLOAT: Final[dict[str, Callable[..., Any]]] = {"/": rn.divide_float, "%": rn.remainder_float}
_DECIMAL: Final[dict[str, Callable[..., Any]]] = {
    "+": rn.add_decimal, "-": rn.subtract_decimal, "*": rn.multiply_decimal, "/": rn.divide_decimal,
    "%": rn.remainder_decimal,
}  # fmt: skip
_SHIFTS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("<<", "int"): rn.shift_left_int, ("<<", "long"): rn.shift_left_long, ("<<", "uint"): rn.shift_left_uint,
    ("<<", "ulong"): rn.shift_left_ulong, (">>", "int"): rn.shift_right_int, (">>", "long"): rn.shift_right_long,
    (">>", "uint"): rn.shift_right_int, (">>", "ulong"): rn.shift_right_long,
}  # fmt: skip
# Types whose == and order are their Python class's own.
_ORDERED: Final = frozenset(("DateTime", "DateTimeOffset", "TimeSpan"))
_EQUATABLE: Final = _ORDERED | {
    "Guid", "Uri", "Type", "XName", "XNamespace", "HashAlgorithmName", "RSASignaturePadding", "RSAEncryptionPadding",
    "TimeZoneInfo.TransitionTime",
}  # fmt: skip


_FOLDED: Final[dict[str, Callable[[int, int], int]]] = {"+": add, "-": sub, "*": mul}


class Operators:
    """Builds operator trees; collects warnings into `warnings`."""

    def __init__(self, conversions: Conversions, warnings: list[Diagnostic]) -> None:
        self.conversions = conversions
        self.universe = conversions.universe
        self.warnings = warnings

    def unary(self, operator: str, operand: b.Expr, span: Span) -> b.Expr:
        name = operand.type.name
        if operator == "!" and operand.type == BOOL:
            return b.Not(operand, BOOL, span)
        if operator == "!" and operand.type == nullable(BOOL):
            return b.Invoke(rn.lifted_not, (operand,), operand.type, span)
        if operator == "+" and name in NUMERIC:
            return self.promote(operand, self.unary_type(name))
        if operator == "-" and name in NUMERIC and name != "ulong":
            kind = Type("long") if name == "uint" else self.unary_type(name)
            zero = b.Const(
                Decimal(0) if name == "decimal" else -0.0 if name in ("double", "float") else 0, kind, span
            )
            return self.arithmetic("-", zero, self.promote(operand, kind), kind, span)
        if operator == "~" and name in INTEGRAL:
            kind = self.unary_type(name)
            minus_one = b.Const(-1, kind, span)
            return self.bitwise("^", self.promote(operand, kind), minus_one, kind, span)
        if operator == "-" and name == "TimeSpan":
            from aforo.csharp.runtime.spans import negate_span

            return b.Invoke(negate_span, (operand,), operand.type, span, False)
        raise say.no_operator(span, operator, str(operand.type))

    def unary_type(self, name: str) -> Type:
        return Type(name) if name in ("uint", "long", "ulong", "float", "double", "decimal") else INT

    def promote(self, expr: b.Expr, target: Type) -> b.Expr:
        return self.conversions.numeric(expr, target)

    def binary(self, operator: str, left: b.Expr, right: b.Expr, span: Span) -> b.Expr:
        """Everything but `&&`, `||`, `??` and string concatenation."""
        if operator in ("==", "!="):
            return self.equality(operator, left, right, span)
        user = self.user(operator, left, right, span)
        if user is not None:
            return user
        if "Nullable" in (left.type.name, right.type.name):
            return self.lifted(operator, left, right, span)
        kind = self.common(left.type, right.type, left, right)
        if kind is not None and operator in _ARITHMETIC:
            self.folded(operator, left, right, kind, span)
            return self.arithmetic(operator, self.promote(left, kind), self.promote(right, kind), kind, span)
        if kind is not None and operator in _COMPARE:
            return b.Operate(operator, self.promote(left, kind), self.promote(right, kind), BOOL, span)
        if (
            operator in _COMPARE
            and left.type == right.type
            and (left.type.name in _ORDERED or self.conversions.is_enum(left.type))
        ):
            return b.Operate(operator, left, right, BOOL, span)
        if operator in ("<<", ">>") and left.type.name in NUMERIC and right.type.name in INTEGRAL:
            target = self.unary_type(left.type.name)
            run = _SHIFTS.get((operator, target.name))
            if run is not None:
                return b.Invoke(run, (self.promote(left, target), right), target, span, False)
        if operator in ("+", "-"):
            stepped = self.enum_step(operator, left, right, span)
            if stepped is not None:
                return stepped
        if operator in ("&", "|", "^"):
            if left.type == right.type == BOOL or (
                left.type == right.type and self.conversions.is_enum(left.type)
            ):
                return b.Operate(operator, left, right, left.type, span)
            if kind is not None and kind.name in INTEGRAL:
                return self.bitwise(operator, self.promote(left, kind), self.promote(right, kind), kind, span)
        raise say.no_operator(span, operator, str(left.type), str(right.type))

    def enum_step(self, operator: str, left: b.Expr, right: b.Expr, span: Span) -> b.Expr | None:
        """A value of an enum and a number is another one; between two it is the number."""
        if left.type.name in INTEGRAL and operator == "+":
            left, right = right, left
        if not self.conversions.is_enum(left.type):
            return None
        if right.type == left.type and operator == "-":
            return b.Operate(operator, left, right, INT, span)
        if self.conversions.implicit(right.type, INT, right) is None:
            return None
        number = b.Operate(operator, left, right, INT, span)
        into = self.conversions.explicit(INT, left.type)
        return None if into is None else into.apply(number)

    def folded(self, operator: str, left: b.Expr, right: b.Expr, kind: Type, span: Span) -> None:
        """Refuses what C# works out at once and finds too large."""
        if not (isinstance(left, b.Const) and isinstance(right, b.Const)) or operator not in _FOLDED:
            return
        if type(left.value) is int and type(right.value) is int:
            self.conversions.fits(_FOLDED[operator](left.value, right.value), kind, span)

    def common(self, left: Type, right: Type, left_expr: b.Expr, right_expr: b.Expr) -> Type | None:
        """Binary numeric promotion."""
        names = (left.name, right.name)
        if names[0] not in NUMERIC or names[1] not in NUMERIC:
            return None
        if "decimal" in names:
            return None if "double" in names or "float" in names else Type("decimal")
        for kind in ("double", "float"):
            if kind in names:
                return Type(kind)
        if "ulong" in names:
            other, expr = (names[1], right_expr) if names[0] == "ulong" else (names[0], left_expr)
            positive = isinstance(expr, b.Const) and isinstance(expr.value, int) and expr.value >= 0
            return Type("ulong") if positive or other in ("ulong", "uint", "ushort", "byte", "char") else None
        if "long" in names:
            return Type("long")
        if "uint" in names:
            other, expr = (names[1], right_expr) if names[0] == "uint" else (names[0], left_expr)
            positive = isinstance(expr, b.Const) and isinstance(expr.value, int) and expr.value >= 0
            return Type("uint") if positive or other in ("uint", "ushort", "byte", "char") else Type("long")
        return INT

    def arithmetic(self, operator: str, left: b.Expr, right: b.Expr, kind: Type, span: Span) -> b.Expr:
        if kind.name == "decimal":
            return b.Invoke(_DECIMAL[operator], (left, right), kind, span, False)
        if kind.name in ("double", "float"):
            run = _FLOAT.get(operator)
            value: b.Expr = (
                b.Invoke(run, (left, right), kind, span, False)
                if run is not None
                else b.Operate(operator, left, right, kind, span)
            )
            return b.Invoke(rn.to_single, (value,), kind, span, False) if kind.name == "float" else value
        if operator in ("/", "%"):
            value = b.Invoke(
                rn.divide_int if operator == "/" else rn.remainder_int, (left, right), kind, span, False
            )
        else:
            value = b.Operate(operator, left, right, kind, span)
        # The one quotient that does not fit (of the least number by -1) is an error of the processor, checked or not.
        if self.conversions.checked or operator == "/":
            return b.Invoke(check, (value, b.Const(kind.name, STRING, span)), kind, span, False)
        return b.Invoke(rn.WRAPS[kind.name], (value,), kind, span, False)

    def bitwise(self, operator: str, left: b.Expr, right: b.Expr, kind: Type, span: Span) -> b.Expr:
        value = b.Operate(operator, left, right, kind, span)
        return b.Invoke(rn.WRAPS[kind.name], (value,), kind, span, False)

    def user(self, operator: str, left: b.Expr, right: b.Expr, span: Span) -> b.Expr | None:
        """An operator that one of the types declares."""
        for owner in (left.type, right.type):
            decl = self.universe.decl(owner)
            for each in decl.members.get(f"operator {operator}", ()) if decl is not None else ():
                first = self.conversions.implicit(left.type, each.parameters[0].type, left)
                second = self.conversions.implicit(right.type, each.parameters[1].type, right)
                if first is not None and second is not None and each.run is not None:
                    return b.Invoke(
                        each.run, (first.apply(left), second.apply(right)), each.returns, span, False
                    )
        return None

    def lifted(self, operator: str, left: b.Expr, right: b.Expr, span: Span) -> b.Expr:
        """Relational operators are false with null; arithmetic is null with null."""
        inner_left = left.type.args[0] if left.type.name == "Nullable" else left.type
        inner_right = right.type.args[0] if right.type.name == "Nullable" else right.type
        if operator in ("&", "|") and inner_left == inner_right == BOOL:
            three = both if operator == "&" else either
            return b.Invoke(three, (left, right), nullable(BOOL), span)
        a = b.Read("a", inner_left, span, False)
        c = b.Read("c", inner_right, span, False)
        inner = self.binary(operator, a, c, span)
        run = b.Function(("a", "c"), inner, "", (), OBJECT, span)
        result = nullable(inner.type)
        value = b.Invoke(rn.lifted, (run, left, right), result, span, True)
        if operator in _COMPARE:
            return b.Invoke(rn.value_or, (value, b.Const(False, BOOL, span)), BOOL, span, False)
        return value

    def equality(self, operator: str, left: b.Expr, right: b.Expr, span: Span) -> b.Expr:
        negated = operator == "!="
        if right.type == NULL or left.type == NULL:
            value = left if right.type == NULL else right
            if value.type == NULL:
                return b.Const(not negated, BOOL, span)
            if is_value(self.universe, value.type) and value.type.name != "Nullable":
                # Always false; .NET allows it with a warning.
                return b.Sequence((value, b.Const(negated, BOOL, span)), 1, BOOL, span, False)
            return b.IsNull(value, negated, BOOL, span)
        kind = self.common(left.type, right.type, left, right)
        if kind is not None:
            return b.Operate(operator, self.promote(left, kind), self.promote(right, kind), BOOL, span)
        if left.type == right.type and self.by_value(left.type):
            return b.Operate(operator, left, right, BOOL, span)
        if left.type.is_tuple and right.type.is_tuple:
            for source, target in ((left, right), (right, left)):
                into = self.conversions.implicit(source.type, target.type)
                if into is not None:
                    pair = (into.apply(left), right) if source is left else (left, into.apply(right))
                    return b.Operate(operator, *pair, BOOL, span)
        if {left.type, right.type} == {OBJECT, STRING}:
            self.warnings.append(say.reference_comparison(span))
            return self.maybe_not(b.Invoke(ro.equals, (left, right), BOOL, span, False), negated, span)
        if "Nullable" in (left.type.name, right.type.name):
            return self.nullable_equality(operator, left, right, span)
        for source, target in ((left, right), (right, left)):
            if self.conversions.is_enum(target.type) and isinstance(source, b.Const) and source.value == 0:
                return b.Operate(operator, left, right, BOOL, span)
        both_references = not is_value(self.universe, left.type) and not is_value(self.universe, right.type)
        related = any(
            self.conversions.standard(s, t) is not None
            for s, t in ((left.type, right.type), (right.type, left.type))
        )
        if both_references and related:
            same = b.Invoke(ro.reference_equals, (left, right), BOOL, span, False)
            return self.maybe_not(same, negated, span)
        for source, target in ((left, right), (right, left)):
            found = self.conversions.implicit(source.type, target.type, source)
            if found is not None and self.by_value(target.type):
                converted = found.apply(source)
                pair = (converted, right) if source is left else (left, converted)
                return b.Operate(operator, *pair, BOOL, span)
        raise say.no_operator(span, operator, str(left.type), str(right.type))

    def by_value(self, type_: Type) -> bool:
        return type_ in (BOOL, STRING) or type_.name in _EQUATABLE or self.conversions.is_enum(type_)

    def nullable_equality(self, operator: str, left: b.Expr, right: b.Expr, span: Span) -> b.Expr:
        inner_left = left.type.args[0] if left.type.name == "Nullable" else left.type
        inner_right = right.type.args[0] if right.type.name == "Nullable" else right.type
        fits = inner_left == inner_right or (
            inner_left.name in NUMERIC
            and inner_right.name in NUMERIC
            and "char" not in (inner_left.name, inner_right.name)
        )
        if not fits:
            raise say.no_operator(span, operator, str(left.type), str(right.type))
        return b.Operate(operator, retype(left, inner_left), retype(right, inner_right), BOOL, span)

    def maybe_not(self, value: b.Expr, negated: bool, span: Span) -> b.Expr:
        return b.Not(value, BOOL, span) if negated else value
