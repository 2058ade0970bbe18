"""What binding starts from: names in their scopes, types as written, values converted; and lambdas, which make a
scope of their own. The files above it add access (access.py), changes (changes.py) and all the rest (binder.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.conversions import Conversions, retype
from aforo.csharp.functions import reads
from aforo.csharp.operators import Operators
from aforo.csharp.overloads import Overloads
from aforo.csharp.runtime import objects as ro
from aforo.csharp.types import (
    BOOL,
    CHAR,
    FLOAT,
    INT,
    NULL,
    STRING,
    VOID,
    Member,
    Parameter,
    Type,
    Universe,
    can_be_null,
    func,
    is_value,
    nullable,
)
from aforo.source import Diagnostic, Span

# How many lambda bodies one expression may have bound: overloads try them again and again when nested.
_EFFORT_LIMIT = 3000


@dataclass(frozen=True, slots=True)
class Signature:
    """Of a local function."""

    parameters: tuple[Parameter, ...]
    returns: Type


@dataclass(slots=True)
class Generic:
    """A generic local function: where it was declared, and what has been made of it by its type arguments."""

    node: s.Function
    scopes: int
    functions: int
    loops: tuple[int, int]
    checked: bool | None
    type_names: dict[str, Type]
    instances: dict[tuple[Type, ...], LocalName] = field(default_factory=dict)
    made: list[b.Stmt] = field(default_factory=list)


@dataclass(slots=True)
class LocalName:
    """A local, parameter or local function: its Python name, and the function it belongs to."""

    python: str
    type: Type
    depth: int
    function: Signature | None = None
    generic: Generic | None = None
    constant_not_null: bool = False
    fixed: str = ""  # why it cannot be assigned to


@dataclass(slots=True)
class SwitchScope:
    """A switch whose sections are being bound: what `goto` can name (None is `default`), and from how many loops."""

    temp: str
    type: Type
    labels: dict[object, int]
    loops: int
    jumped: bool = False


@dataclass(slots=True)
class FunctionScope:
    """What a lambda or local function is being bound with."""

    returns: Type | None
    found: list[Type] = field(default_factory=list)
    breaks: int = 0  # loops and switches around what is being bound, within the function
    continues: int = 0  # loops
    switches: list[SwitchScope] = field(default_factory=list)
    outs: tuple[b.Read, ...] = ()  # what a local function gives back beside its result
    nonlocals: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class TypeName:
    """A name that turned out to be a type: only static members can follow."""

    type: Type


@dataclass(frozen=True, slots=True)
class Namespace:
    path: str


class ScopeBinder:
    """`bind_lambda` binds what may hold statements; statements.py stands above this file and is handed in."""

    overloads: Overloads

    def __init__(
        self,
        universe: Universe,
        names: Mapping[str, tuple[str, Type]],
        bind_lambda: Callable[..., b.Function],
    ) -> None:
        self.bind_lambda = bind_lambda
        self.universe = universe
        self.names = names
        self.warnings: list[Diagnostic] = []
        self.effects: set[tuple[str, str | None]] = set()
        self.conversions = Conversions(universe)
        self.operators = Operators(self.conversions, self.warnings)
        self.scopes: list[dict[str, LocalName]] = [{}]
        self.functions: list[FunctionScope] = []
        self.type_names: dict[str, Type] = {}  # type parameters, and what they stand for
        self.loops = 0
        self.rounds = 0  # how many scopes stand around the outermost loop
        self.counter = 0
        self.effort = 0
        self.unset = False  # whether any local is declared without a value

    # --- names ---------------------------------------------------------------------------------------------

    def temp(self) -> str:
        self.counter += 1
        return f"t{self.counter}"

    def declare(self, name: str, type_: Type, span: Span) -> LocalName:
        if any(name in scope for scope in self.scopes):
            raise say.declared_twice(span, name)
        self.counter += 1
        local = LocalName(f"v{self.counter}_{_ascii(name)}", type_, len(self.functions))
        self.scopes[-1][name] = local
        return local

    def lookup(self, name: str) -> LocalName | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def note(self, member: Member, args: list[b.Expr]) -> None:
        """Remembers what the use of a member brings with it, for the caller of the compiler."""
        literal = next((a.value for a in args if isinstance(a, b.Const) and isinstance(a.value, str)), None)
        for label in member.effects:
            self.effects.add((label, literal))
        if member.owner == "Regex":
            self.check_regex(member, args)

    def check_regex(self, member: Member, args: list[b.Expr]) -> None:
        from aforo.csharp.runtime.regexes import regex_problem

        at = next((i for i, p in enumerate(member.parameters) if p.name == "pattern"), None)
        if at is None or at >= len(args):
            return
        pattern = args[at]
        if isinstance(pattern, b.Const) and isinstance(pattern.value, str):
            problem = regex_problem(pattern.value)
            if problem:
                raise say.refused(pattern.span, "this regular expression", problem)

    def resolve_type(self, ref: s.TypeRef) -> Type:
        if not ref.args and ref.name in self.type_names:
            return self.type_names[ref.name]
        if ref.name.startswith("["):
            return Type(ref.name, (self.resolve_type(ref.args[0]),))
        if ref.name.startswith("("):
            return Type(ref.name, tuple(self.resolve_type(a) for a in ref.args))
        if ref.name in ("Nullable", "System.Nullable"):
            if len(ref.args) != 1:
                raise say.unknown_type(ref.span, ref.name, ["Nullable<T>"])
            inner = self.resolve_type(ref.args[0])
            if self.type_names.get(inner.name) == inner:  # not known yet; each instance will say it
                return nullable(inner)
            if not is_value(self.universe, inner) or inner.name == "Nullable":
                if inner == STRING or not is_value(self.universe, inner):
                    raise say.refused(ref.span, f"`{inner}?`", "a reference type needs no `?` in C# 7")
                return inner
            return nullable(inner)
        if ref.name.removeprefix("System.") in ("Func", "Action", "Predicate", "Comparison"):
            args = tuple(self.resolve_type(a) for a in ref.args)
            if not args and not ref.name.endswith("Action"):
                raise say.unknown_type(ref.span, ref.name, [f"{ref.name}<T>"])
            if ref.name.endswith("Action"):
                args = (*args, VOID)
            if ref.name.endswith("Predicate"):
                args = (*args, BOOL)
            if ref.name.endswith("Comparison"):
                args = (*args, *args, INT)
            return func(*args)
        path = ref.name.removeprefix("global::")
        by_path = self.universe.by_path
        # `Tuple<A, B>` is another type than `Tuple`: such a name has the number of its parameters in its alias.
        decl = by_path.get(f"{path}`{len(ref.args)}") if ref.args else None
        decl = decl or by_path.get(path)
        if decl is None:
            raise say.unknown_type(ref.span, ref.name, self.universe.types)
        if len(ref.args) != len(decl.type_params):
            raise say.unknown_type(
                ref.span,
                f"{ref.name}<{','.join('' for _ in ref.args)}>",
                [str(Type(decl.name, tuple(Type(p) for p in decl.type_params)))],
            )
        return Type(decl.name, tuple(self.resolve_type(a) for a in ref.args))

    # --- entry ---------------------------------------------------------------------------------------------

    def expr(self, node: s.Expr, wanted: Type | None = None) -> b.Expr:
        """A value; `wanted` helps `default`, `null` and array initialisers. Raises Mistake."""
        found = self.any(node, wanted)
        if isinstance(found, TypeName):
            raise say.not_a_value(node.span, f"the type `{found.type}`")
        if isinstance(found, Namespace):
            if "." in found.path:
                raise say.not_a_value(node.span, f"the namespace `{found.path}`")
            raise say.unknown_name(node.span, found.path, self.visible())
        return found

    def visible(self) -> list[str]:
        names = [n for scope in self.scopes for n in scope]
        return [*names, *self.names, *(n for n in self.universe.by_path if "." not in n)]

    def value(self, node: s.Expr, wanted: Type | None = None) -> b.Expr:
        """A value that is not void."""
        found = self.expr(node, wanted)
        if found.type == VOID:
            raise say.not_a_value(node.span, "a call that returns nothing")
        return found

    def converted(self, node: s.Expr, target: Type) -> b.Expr:
        """A value of exactly `target`, implicitly converted."""
        inner = node
        while isinstance(inner, s.Paren):
            inner = inner.inner
        if target.name == "Func" and (isinstance(inner, s.Lambda) or self.is_method_group(inner)):
            return self.function(inner, list(target.args[:-1]), target.args[-1])
        return self.convert(self.value(node, target), target)

    def convert(self, value: b.Expr, target: Type) -> b.Expr:
        found = self.conversions.implicit(value.type, target, value)
        if found is None:
            cast = self.conversions.explicit(value.type, target, value) is not None
            raise say.no_conversion(value.span, str(value.type), str(target), explicit=cast)
        return found.apply(value)

    def is_method_group(self, node: s.Expr) -> bool:
        """The name of a method where a function is wanted: access.py."""
        raise NotImplementedError

    def condition(self, node: s.Expr) -> b.Expr:
        return self.converted(node, BOOL)

    def any(self, node: s.Expr, wanted: Type | None = None) -> b.Expr | TypeName | Namespace:
        """A value, a type or a namespace: binder.py says it for every form of expression."""
        raise NotImplementedError

    def name(self, node: s.Name) -> b.Expr | TypeName | Namespace:
        local = self.lookup(node.name)
        if local is not None and not node.args:
            if local.function is not None:
                raise say.misplaced(node.span, f"the function `{node.name}` without a call")
            return b.Read(
                local.python,
                local.type,
                node.span,
                not local.constant_not_null and can_be_null(self.universe, local.type),
            )
        known = self.names.get(node.name)
        if known is not None:
            return b.Read(known[0], known[1], node.span, False)
        if node.name in self.universe.by_path:
            ref = s.TypeRef(node.name, node.args, node.span)
            return TypeName(self.resolve_type(ref))
        if node.name in self.universe.namespaces:
            return Namespace(node.name)
        raise say.unknown_name(node.span, node.name, self.visible())

    def grows(self) -> bool:
        return self.loops > 0 or bool(self.functions)

    def text(self, value: b.Expr) -> b.Expr:
        """A value as it stands in a concatenation: `ToString()`, null as nothing."""
        if value.type in (STRING, CHAR):
            return retype(value, STRING)
        if FLOAT in (value.type, *value.type.args[:1]):
            # Only its box knows that it has fewer digits than a double.
            return b.Invoke(ro.to_string, (self.conversions.box(value),), STRING, value.span, False)
        if value.type == NULL:
            return b.Const("", STRING, value.span)
        if isinstance(value, b.Const) and not isinstance(value.value, (list, dict)):
            return b.Const(ro.to_string(value.value), STRING, value.span, value.secret)
        run = ro.bool_text if value.type == BOOL else ro.to_string
        return b.Invoke(run, (value,), STRING, value.span, False)

    # --- functions --------------------------------------------------------------------------------------------------

    def function(self, node: s.Expr, takes: list[Type], gives: Type | None) -> b.Function:
        """A lambda, or a method group, as a function of the given parameter types."""
        self.effort += 1
        if self.effort > _EFFORT_LIMIT:
            raise say.too_deep(node.span)
        while isinstance(node, s.Paren):
            node = node.inner
        if not isinstance(node, s.Lambda):
            names = tuple((f"p{i}__", None) for i in range(len(takes)))
            args = tuple(s.Argument(s.Name(n, (), node.span), "", "", node.span) for n, _ in names)
            node = s.Lambda(names, s.Call(node, args, node.span), node.span)
        if node.loose:
            node = s.Lambda(tuple((f"_{i}__", None) for i in range(len(takes))), node.body, node.span)
        if len(node.parameters) != len(takes):
            raise say.no_overload(node.span, "this function", f"{len(node.parameters)} parameters", ())
        return self.bind_lambda(self, node, takes, gives)

    def kept(self, value: b.Expr) -> b.Expr:
        """A function that outlives the statement: one that a round of a loop makes may use none of its variables.

        Python has one variable for all rounds, C# one for each.
        """
        if not self.loops or not isinstance(value, b.Function):
            return value
        own = {local.python: name for scope in self.scopes[self.rounds :] for name, local in scope.items()}
        used = next((own[name] for name in reads(value) if name in own), None)
        if used is not None:
            reason = f"it is kept beyond the round of the loop whose variable `{used}` it uses"
            raise say.refused(value.span, "this function", reason)
        return value


def _ascii(name: str) -> str:
    return "".join(c if c.isascii() else "_" for c in name)
