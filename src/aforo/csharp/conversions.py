"""Which type converts to which, and the bound tree that does it. It binds no names.

A conversion is a cost (what overload resolution compares) and a function that puts it around a tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, TypeAlias

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp.runtime import collections as rc
from aforo.csharp.runtime import numbers as rn
from aforo.csharp.runtime import objects as ro
from aforo.csharp.runtime.chars import char_code, from_code
from aforo.csharp.runtime.enums import NetType
from aforo.csharp.runtime.grids import Grid
from aforo.csharp.runtime.value_tuples import ValueTuple, check, check_truncated, make_tuple, map_tuple
from aforo.csharp.types import (
    BOOL,
    CHAR,
    DOUBLE,
    INT,
    INTEGRAL,
    NEVER,
    NULL,
    NUMERIC,
    OBJECT,
    STRING,
    VOID,
    Member,
    Type,
    Universe,
    is_value,
)
from aforo.source import Span

Apply: TypeAlias = Callable[[b.Expr], b.Expr]

_WIDER: Final[dict[str, tuple[str, ...]]] = {
    "sbyte": ("short", "int", "long", "float", "double", "decimal"),
    "byte": ("short", "ushort", "int", "uint", "long", "ulong", "float", "double", "decimal"),
    "short": ("int", "long", "float", "double", "decimal"),
    "ushort": ("int", "uint", "long", "ulong", "float", "double", "decimal"),
    "int": ("long", "float", "double", "decimal"),
    "uint": ("long", "ulong", "float", "double", "decimal"),
    "long": ("float", "double", "decimal"),
    "ulong": ("float", "double", "decimal"),
    "char": ("ushort", "int", "uint", "long", "ulong", "float", "double", "decimal"),
    "float": ("double",),
}
_TOKENS: Final = frozenset(("JToken", "JContainer", "JObject", "JProperty"))
_EACH_TOKEN: Final = Type("IEnumerable", (Type("JToken"),))


@dataclass(frozen=True, slots=True)
class Conversion:
    cost: int
    apply: Apply


def retype(expr: b.Expr, type_: Type) -> b.Expr:
    """The same tree seen as another type."""
    return replace(expr, type=type_)


class Conversions:
    """Implicit and explicit conversions over one universe."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        # Inside of `checked` what does not fit is an exception; elsewhere only constants are looked at.
        self.checked: bool | None = None
        self._infos: dict[Type, ro.TypeInfo] = {}
        self._net_types: dict[Type, NetType] = {}

    # --- implicit ------------------------------------------------------------------------------------------

    def implicit(self, source: Type, target: Type, expr: b.Expr | None = None) -> Conversion | None:
        """What C# does unasked; `expr` lets a constant fit into a smaller type."""
        if source == target:
            return Conversion(0, lambda e: e)
        standard = self.standard(source, target, expr)
        if standard is not None:
            return standard
        return self.user(source, target, ("implicit",))

    def standard(self, source: Type, target: Type, expr: b.Expr | None = None) -> Conversion | None:
        if source in (target, NEVER):
            return Conversion(0, lambda e: e)
        if source == NULL:
            fits = target.name == "Nullable" or not is_value(self.universe, target)
            return Conversion(1, lambda e: retype(e, target)) if fits else None
        if target.name == "Nullable":
            into = self.implicit(source, target.args[0], expr) if source.name != "Nullable" else None
            if into is None:
                return None
            return Conversion(into.cost + 1, lambda e: retype(into.apply(e), target))
        if source.is_tuple or target.is_tuple:
            return self.tupled(source, target)
        if target.name in _WIDER.get(source.name, ()):
            distance = 1 + _WIDER[source.name].index(target.name)
            return Conversion(distance, lambda e: self.numeric(e, target))
        if isinstance(expr, b.Const) and source == INT and target.name in INTEGRAL:
            low, high = rn.RANGES[target.name]
            if isinstance(expr.value, int) and low <= expr.value <= high:
                return Conversion(3, lambda e: retype(e, target))
        if isinstance(expr, b.Const) and source == INT and expr.value == 0 and self.is_enum(target):
            # The constant 0 is every enum's: `token.ToString(0)` is `Formatting.None`.
            make = _enum_of(self.python(target))
            return Conversion(3, lambda e: b.Const(make(0), target, e.span))
        if target == OBJECT:
            return Conversion(20, self.box)
        return self.reference(source, target)

    def tupled(self, source: Type, target: Type) -> Conversion | None:
        """Element by element; the names do not count."""
        if not target.is_tuple:
            return Conversion(20, self.box) if target == OBJECT else None
        if len(source.args) != len(target.args):
            return None
        if source.args == target.args:
            return Conversion(0, lambda e: retype(e, target))
        inner = [self.implicit(s, t) for s, t in zip(source.args, target.args, strict=True)]
        steps = [i for i in inner if i is not None]
        if len(steps) != len(inner):
            return None

        def apply(expr: b.Expr) -> b.Expr:
            held = b.Read("p", source, expr.span, False)
            items = tuple(
                step.apply(
                    b.Invoke(ro.anonymous_member, (held, b.Const(i, INT, expr.span)), type_, expr.span)
                )
                for i, (step, type_) in enumerate(zip(steps, source.args, strict=True))
            )
            made = b.Invoke(make_tuple, items, target, expr.span, False)
            convert = b.Function(("p",), made, "", (), OBJECT, expr.span)
            return b.Invoke(map_tuple, (expr, convert), target, expr.span, False)

        return Conversion(1 + sum(s.cost for s in steps), apply)

    def reference(self, source: Type, target: Type) -> Conversion | None:
        if is_value(self.universe, source):
            return None
        if target == _EACH_TOKEN and source.name in _TOKENS:
            return Conversion(
                2,
                lambda e: b.Invoke(rc.each_token, (e,), target, e.span, False),
            )
        for distance, each in enumerate(self.universe.bases(source)):
            if each == target:
                return Conversion(1 + distance, lambda e: retype(e, target))
            if each.name == target.name and len(each.args) == len(target.args) and each.name != "Nullable":
                pairs = zip(each.args, target.args, strict=True)
                if each.name in (
                    "[]",
                    "IEnumerable",
                    "IReadOnlyList",
                    "IReadOnlyCollection",
                    "IReadOnlyDictionary",
                    "IGrouping",
                ) and all(
                    a == c or (not is_value(self.universe, a) and self.reference_or_object(a, c))
                    for a, c in pairs
                ):
                    return Conversion(2 + distance, lambda e: retype(e, target))
        return None

    def reference_or_object(self, source: Type, target: Type) -> bool:
        return target == OBJECT or self.reference(source, target) is not None

    def user(self, source: Type, target: Type, kinds: tuple[str, ...]) -> Conversion | None:
        """A conversion that a type declares: on the target, or on the source and its bases."""
        best: tuple[int, Member] | None = None
        for owner in (target, *self.universe.bases(source)):
            decl = self.universe.decl(owner)
            if decl is None:
                continue
            for kind in kinds:
                for each in decl.members.get(kind, ()):
                    if each.returns != target:
                        continue
                    into = self.standard(source, each.parameters[0].type)
                    if into is not None and (best is None or into.cost < best[0]):
                        best = (into.cost, each)
        if best is None:
            return None
        member = best[1]
        into = self.standard(source, member.parameters[0].type)
        assert into is not None
        assert member.run is not None
        run = member.run
        return Conversion(
            10 + best[0],
            lambda e: b.Invoke(run, (into.apply(e),), target, e.span, member.may_be_null),
        )

    # --- explicit ------------------------------------------------------------------------------------------

    def explicit(self, source: Type, target: Type, expr: b.Expr | None = None) -> Conversion | None:
        """What a cast does."""
        found = self.implicit(source, target, expr)
        if found is not None:
            return found
        if source.name in NUMERIC and target.name in NUMERIC:
            return Conversion(1, lambda e: self.numeric(e, target))
        if self.is_enum(source) and target.name in INTEGRAL:
            return Conversion(1, lambda e: b.Invoke(int, (e,), target, e.span, False))
        if self.is_enum(target) and source.name in INTEGRAL:
            python = self.universe.types[target.name].python
            return Conversion(1, lambda e: b.Invoke(_enum_of(python), (e,), target, e.span, False))
        if source.name == "Nullable":
            opened = self.explicit(source.args[0], target)
            if opened is not None:
                return Conversion(
                    1,
                    lambda e: opened.apply(b.Invoke(rn.nullable_value, (e,), source.args[0], e.span, False)),
                )
        user = self.user(source, target, ("implicit", "explicit"))
        if user is not None:
            return user
        if target.name == "Nullable":
            inner = self.explicit(source, target.args[0])
            if source == OBJECT and inner is not None:
                info = self.info(target.args[0])
                args = self.literals(info.python, info.name)
                return Conversion(
                    1, lambda e: b.Invoke(ro.unbox_nullable, (e, *args(e.span)), target, e.span)
                )
            if inner is not None and source.name in NUMERIC:
                narrowed = inner
                return Conversion(1, lambda e: retype(narrowed.apply(e), target))
            return None
        if source == OBJECT or self.downcast(source, target):
            return Conversion(1, lambda e: self.from_object(e, target))
        return None

    def downcast(self, source: Type, target: Type) -> bool:
        """A reference type to something that derives from it, or to or from an interface."""
        if is_value(self.universe, source) or is_value(self.universe, target):
            return False
        if any(t == source for t in self.universe.bases(target)):
            return True
        kinds = {getattr(self.universe.decl(t), "kind", "") for t in (source, target)}
        return "interface" in kinds and self.python(target) is not None

    def is_enum(self, type_: Type) -> bool:
        decl = self.universe.decl(type_)
        return decl is not None and decl.kind == "enum"

    def numeric(self, expr: b.Expr, target: Type) -> b.Expr:
        """Between numeric types, unchecked."""
        source, span = expr.type.name, expr.span
        name = target.name

        def call(run: Callable[..., Any], *args: b.Expr) -> b.Expr:
            return b.Invoke(run, args, target, span, False)

        if source == name:
            return expr
        if source == "char":
            code = b.Invoke(char_code, (expr,), INT, span, False)
            return retype(code, target) if name in INTEGRAL else self.numeric(code, target)
        if name == "char":
            whole = expr if source in INTEGRAL else self.numeric(expr, INT)
            return call(from_code, whole)
        if isinstance(expr, b.Const) and name in ("double", "float", "decimal") and source in INTEGRAL:
            return replace(
                expr, value=rn.to_decimal(expr.value) if name == "decimal" else float(expr.value), type=target
            )
        if name == "double":
            return retype(expr, target) if source == "float" else call(rn.to_float, expr)
        if name == "float":
            return call(rn.to_single, expr)
        if name == "decimal":
            return call(rn.to_decimal, expr)
        named = b.Const(name, STRING, span)
        if source in INTEGRAL:
            low, high = rn.RANGES[source]
            if rn.RANGES[name][0] <= low and high <= rn.RANGES[name][1]:
                return retype(expr, target)
            return call(check if self.checked else rn.wrap, expr, named)
        return call(check_truncated if self.checked else rn.truncate_to, expr, named)

    def box(self, expr: b.Expr) -> b.Expr:
        """A value as object: what Python could not tell apart is wrapped."""
        name = expr.type.name
        inner = expr.type.args[0].name if name == "Nullable" else name
        kind = ro.Char if inner == "char" else rn.BOXES.get(inner)
        if kind is None:
            return retype(expr, OBJECT)
        run = ro.box_nullable if name == "Nullable" else ro.box
        constant = b.Const(kind, OBJECT, expr.span)
        return b.Invoke(run, (expr, constant), OBJECT, expr.span, name == "Nullable")

    def from_object(self, expr: b.Expr, target: Type) -> b.Expr:
        direct = {
            STRING: ro.cast_string,
            INT: ro.cast_int,
            BOOL: ro.cast_bool,
            DOUBLE: ro.cast_double,
            CHAR: ro.cast_char,
        }
        run = direct.get(target)
        if run is not None:
            return b.Invoke(run, (expr,), target, expr.span, target == STRING)
        info = self.info(target)
        args = self.literals(info.python, info.name)(expr.span)
        value = is_value(self.universe, target)
        return b.Invoke(ro.unbox if value else ro.cast_reference, (expr, *args), target, expr.span, not value)

    def literals(self, *values: object) -> Callable[[Span], tuple[b.Expr, ...]]:
        return lambda span: tuple(b.Const(v, OBJECT, span) for v in values)

    def python(self, type_: Type) -> Any:
        """The Python class that values of a type have; None when none tells them apart."""
        if type_.name.startswith("[,"):
            return Grid
        if type_.name == "[]":
            return bytearray if type_.args[0].name == "byte" else list
        if type_.name == "Nullable":
            return self.python(type_.args[0])
        if type_.name == "char":
            return ro.Char
        if type_.is_tuple:
            return ValueTuple
        decl = self.universe.decl(type_)
        return decl.python if decl is not None else None

    def info(self, type_: Type) -> ro.TypeInfo:
        """What the runtime is told about a type argument; one object per type."""
        found = self._infos.get(type_)
        if found is None:
            element = self.info(type_.args[-1]) if type_.args and type_.name != "Func" else None
            decl = self.universe.decl(type_)
            default = decl.default if decl is not None and type_.name not in ("Nullable", "[]") else None
            if type_.is_tuple:
                default = make_tuple(*(self.info(a).default for a in type_.args))
            elif type_.name == "KeyValuePair":
                default = rc.Pair(*(self.info(a).default for a in type_.args))
            python = self.python(type_) or object
            found = ro.TypeInfo(type_.name, python, default, self.caster(type_, python), element)
            self._infos[type_] = found
        return found

    def net_type(self, type_: Type) -> NetType:
        """`typeof(T)`; one object per type."""
        found = self._net_types.get(type_)
        if found is None:
            found = self._net_types[type_] = NetType(self.net_name(type_), self.info(type_))
        return found

    def net_name(self, type_: Type) -> str:
        """The name of a type as .NET writes it."""
        if type_.name.startswith("["):
            return self.net_name(type_.args[0]) + type_.name
        name, space = type_.name, "System"
        if type_.name == "Func" and type_.args[-1] == VOID:
            type_ = replace(type_, name="Action", args=type_.args[:-1])
            name = "Action"
        elif type_.is_tuple:
            name = "ValueTuple"
        elif type_.name not in ("Func", "Nullable", "void"):
            decl = self.universe.decl(type_)
            space = decl.namespace if decl is not None else space
            name = {"object": "Object", "string": "String", "bool": "Boolean", "char": "Char"}.get(
                name, rn.NET_NAMES.get(name, name.replace(".", "+"))
            )
        elif name == "void":
            name = "Void"
        if not type_.args:
            return f"{space}.{name}"
        return f"{space}.{name}`{len(type_.args)}[{','.join(self.net_name(a) for a in type_.args)}]"

    def fits(self, value: object, target: Type, span: Span) -> None:
        """Raises Mistake where a constant does not fit into an integer type, but for in `unchecked`."""
        if self.checked is False or target.name not in rn.RANGES or isinstance(value, (bool, str)):
            return
        low, high = rn.RANGES[target.name]
        if isinstance(value, (int, float, Decimal)) and not low - 1 < value < high + 1:
            raise say.overflow(span, value, str(target))

    def caster(self, type_: Type, python: Any) -> Callable[[Any], Any]:
        direct: dict[Type, Callable[[Any], Any]] = {
            STRING: ro.cast_string, INT: ro.cast_int, BOOL: ro.cast_bool, DOUBLE: ro.cast_double,
            CHAR: ro.cast_char, OBJECT: lambda v: v,
        }  # fmt: skip
        if type_ in direct:
            return direct[type_]
        name = type_.name
        if name == "Nullable":
            inner = type_.args[0].name
            return lambda v: ro.unbox_nullable(v, python, inner)
        if is_value(self.universe, type_):
            return lambda v: ro.unbox(v, python, name)
        return lambda v: ro.cast_reference(v, python, str(type_))


def _enum_of(python: Any) -> Callable[[int], Any]:
    def make(value: int) -> Any:
        try:
            return python(value)
        except ValueError:
            return value

    make.__qualname__ = f"enum_{python.__name__}"
    return make
