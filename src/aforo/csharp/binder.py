"""Syntax to bound tree: names to declarations, calls to runtime functions, types to everything. Expressions.

It is given a universe and the names that exist from the start; it reaches nothing else. The first mistake ends
the compile of its expression: a second message about a thing without a type helps nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.conversions import Conversions, retype
from aforo.csharp.operators import Operators
from aforo.csharp.overloads import Given, Overloads
from aforo.csharp.runtime import collections as rc
from aforo.csharp.runtime import objects as ro
from aforo.csharp.runtime import strings as rs
from aforo.csharp.types import (
    BOOL,
    CHAR,
    EXCEPTION,
    INT,
    MISSING,
    NEVER,
    NULL,
    OBJECT,
    STRING,
    VOID,
    Member,
    Type,
    Universe,
    array,
    can_be_null,
    func,
    is_value,
    nullable,
    substitute,
)
from aforo.source import Diagnostic, Span

# How many lambda bodies one expression may have bound: overloads try them again and again when nested.
_EFFORT_LIMIT = 3000


@dataclass(slots=True)
class LocalName:
    """A local, parameter or local function: its Python name, and the function it belongs to."""

    python: str
    type: Type
    depth: int
    assigned: bool = True
    function: tuple[tuple[Type, ...], Type] | None = None
    constant_not_null: bool = False


@dataclass(slots=True)
class FunctionScope:
    """What a lambda or local function is being bound with."""

    returns: Type | None
    found: list[Type] = field(default_factory=list)
    nonlocals: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class TypeName:
    """A name that turned out to be a type: only static members can follow."""

    type: Type


@dataclass(frozen=True, slots=True)
class Namespace:
    path: str


class Binder:
    """`bind_lambda` binds what may hold statements; statements.py stands above this file and is handed in."""

    def __init__(
        self,
        universe: Universe,
        names: Mapping[str, tuple[str, Type]],
        bind_lambda: Callable[[Binder, s.Lambda, list[Type], Type | None], b.Function],
    ) -> None:
        self.bind_lambda = bind_lambda
        self.universe = universe
        self.names = names
        self.warnings: list[Diagnostic] = []
        self.effects: set[tuple[str, str | None]] = set()
        self.conversions = Conversions(universe)
        self.operators = Operators(self.conversions, self.warnings)
        self.overloads = Overloads(self)
        self.scopes: list[dict[str, LocalName]] = [{}]
        self.functions: list[FunctionScope] = []
        self.loops = 0
        self.counter = 0
        self.effort = 0

    # --- names ---------------------------------------------------------------------------------------------

    def temp(self) -> str:
        self.counter += 1
        return f"t{self.counter}"

    def declare(self, name: str, type_: Type, span: Span, *, assigned: bool = True) -> LocalName:
        if any(name in scope for scope in self.scopes):
            raise say.declared_twice(span, name)
        self.counter += 1
        local = LocalName(f"v{self.counter}_{_ascii(name)}", type_, len(self.functions), assigned)
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
        from aforo.csharp.runtime.text import regex_problem

        at = next((i for i, p in enumerate(member.parameters) if p.name == "pattern"), None)
        if at is None or at >= len(args):
            return
        pattern = args[at]
        if isinstance(pattern, b.Const) and isinstance(pattern.value, str):
            problem = regex_problem(pattern.value)
            if problem:
                raise say.refused(pattern.span, "this regular expression", problem)

    def resolve_type(self, ref: s.TypeRef) -> Type:
        if ref.name == "[]":
            return array(self.resolve_type(ref.args[0]))
        if ref.name == "Nullable" or (ref.name == "System.Nullable" and ref.args):
            inner = self.resolve_type(ref.args[0])
            if not is_value(self.universe, inner) or inner.name == "Nullable":
                if inner == STRING or not is_value(self.universe, inner):
                    raise say.refused(ref.span, f"`{inner}?`", "a reference type needs no `?` in C# 7")
                return inner
            return nullable(inner)
        if ref.name in ("Func", "Action", "Predicate", "System.Func", "System.Action"):
            args = tuple(self.resolve_type(a) for a in ref.args)
            if ref.name.endswith("Action"):
                args = (*args, VOID)
            if ref.name == "Predicate":
                args = (*args, BOOL)
            return func(*args)
        decl = self.universe.by_path.get(ref.name.removeprefix("global::"))
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
        if target.name == "Func" and isinstance(node, s.Lambda):
            return self.function(node, list(target.args[:-1]), target.args[-1])
        return self.convert(self.value(node, target), target)

    def convert(self, value: b.Expr, target: Type) -> b.Expr:
        found = self.conversions.implicit(value.type, target, value)
        if found is None:
            cast = self.conversions.explicit(value.type, target, value) is not None
            raise say.no_conversion(value.span, str(value.type), str(target), explicit=cast)
        return found.apply(value)

    def condition(self, node: s.Expr) -> b.Expr:
        return self.converted(node, BOOL)

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
            case s.ThrowExpr():
                return b.Raise(self.converted(node.value, EXCEPTION), NEVER, node.span)
            case s.Lambda():
                raise say.no_type(node.span, "this lambda")
            case s.TypeOf():
                raise say.unsupported(node.span, "`typeof`")
            case s.Declaration():
                raise say.misplaced(node.span, "a declaration")

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

    # --- spines: a.b[c]?.d(e) --------------------------------------------------------------------------------

    def spine(self, node: s.Expr) -> b.Expr | TypeName | Namespace:
        """Walks a chain from its inner end, so that `?` can end the whole of what follows it."""
        links: list[s.Member | s.Index | s.Call] = []
        now: s.Expr = node
        while isinstance(now, (s.Member, s.Index, s.Call)):
            links.append(now)
            now = now.target
        links.reverse()
        return self.walk(self.callee(now, links), links, 1 if self.called_name(now, links) else 0)

    def called_name(self, start: s.Expr, links: list[s.Member | s.Index | s.Call]) -> bool:
        return isinstance(start, s.Name) and isinstance(links[0], s.Call)

    def callee(
        self, start: s.Expr, links: list[s.Member | s.Index | s.Call]
    ) -> b.Expr | TypeName | Namespace:
        """The first value of a chain; `f(x)` with a local function or delegate is one already."""
        first = links[0]
        if not (isinstance(start, s.Name) and isinstance(first, s.Call)):
            return self.any(start)
        local = self.lookup(start.name)
        if local is None:
            if start.name in self.names or start.name in self.universe.by_path:
                raise say.misplaced(first.span, "a call")
            raise say.unknown_name(start.span, start.name, [n for sc in self.scopes for n in sc])
        if local.function is not None:
            takes, gives = local.function
        elif local.type.name == "Func":
            *rest, gives = local.type.args
            takes = tuple(rest)
        else:
            raise say.misplaced(first.span, "a call")
        if len(takes) != len(first.arguments) or any(a.mode or a.name for a in first.arguments):
            raise say.no_overload(first.span, start.name, f"{len(first.arguments)} arguments", ())
        args = tuple(self.converted(a.value, t) for a, t in zip(first.arguments, takes, strict=True))
        return b.CallValue(
            b.Read(local.python, OBJECT, start.span),
            args,
            gives,
            first.span,
            can_be_null(self.universe, gives),
        )

    def walk(
        self, value: b.Expr | TypeName | Namespace, links: list[s.Member | s.Index | s.Call], at: int
    ) -> b.Expr | TypeName | Namespace:
        while at < len(links):
            link = links[at]
            if not isinstance(link, s.Call) and link.conditional:
                if isinstance(value, (TypeName, Namespace)):
                    raise say.misplaced(link.span, "`?`")
                return self.conditional(value, links, at)
            value, at = self.follow(value, links, at)
        return value

    def conditional(self, value: b.Expr, links: list[s.Member | s.Index | s.Call], at: int) -> b.Expr:
        if not can_be_null(self.universe, value.type):
            raise say.no_operator(links[at].span, "?.", str(value.type))
        inner = value.type.args[0] if value.type.name == "Nullable" else value.type
        temp = self.temp()
        link = links[at]
        first: s.Member | s.Index
        if isinstance(link, s.Member):
            first = s.Member(link.target, link.name, link.args, False, link.name_span, link.span)
        else:
            assert isinstance(link, s.Index)
            first = s.Index(link.target, link.arguments, False, link.span)
        rest = self.walk(b.Read(temp, inner, value.span, False), [first, *links[at + 1 :]], 0)
        assert not isinstance(rest, (TypeName, Namespace))
        result = rest.type
        if result != VOID and is_value(self.universe, result) and result.name != "Nullable":
            result = nullable(result)
        return b.Conditional(value, temp, rest, result, links[-1].span)

    def follow(
        self, value: b.Expr | TypeName | Namespace, links: list[s.Member | s.Index | s.Call], at: int
    ) -> tuple[b.Expr | TypeName | Namespace, int]:
        link = links[at]
        following = links[at + 1] if at + 1 < len(links) else None
        if isinstance(link, s.Member):
            if isinstance(value, Namespace):
                return self.in_namespace(value, link), at + 1
            if isinstance(following, s.Call):
                return self.method(value, link, following), at + 2
            return self.property(value, link), at + 1
        if isinstance(value, (TypeName, Namespace)):
            raise say.not_a_value(link.span, "a type")
        if isinstance(link, s.Index):
            return self.index(value, link), at + 1
        if value.type.name == "Func":
            *takes, gives = value.type.args
            if len(takes) == len(link.arguments):
                args = tuple(self.converted(a.value, t) for a, t in zip(link.arguments, takes, strict=True))
                return b.CallValue(value, args, gives, link.span), at + 1
        raise say.misplaced(link.span, "a call")

    def in_namespace(self, value: Namespace, link: s.Member) -> TypeName | Namespace:
        path = f"{value.path}.{link.name}"
        if path in self.universe.by_path:
            return TypeName(self.resolve_type(s.TypeRef(path, link.args, link.span)))
        if path in self.universe.namespaces:
            return Namespace(path)
        raise say.unknown_type(link.span, path, [n for n in self.universe.by_path if "." in n])

    def receiver(self, value: b.Expr, member: Member, span: Span) -> b.Expr:
        """The value that a member is called on: checked for null, boxed for members of object."""
        if member.owner == "object" and is_value(self.universe, value.type):
            return self.conversions.box(value)
        checked = value.nullable and not member.null_ok and not member.extension
        if checked and not is_value(self.universe, value.type):
            return b.NotNull(value, self.temp(), value.type, span)
        return value

    def property(self, value: b.Expr | TypeName, link: s.Member) -> b.Expr:
        static = isinstance(value, TypeName)
        type_ = value.type
        if not static and isinstance(value, b.Expr):
            special = self.anonymous_property(value, link)
            if special is not None:
                return special
        found = [
            (m, bd) for m, bd in self.universe.find(type_, link.name, static=static) if m.kind == "property"
        ]
        if not found or link.args:
            if any(True for m, _ in self.universe.find(type_, link.name, static=static)):
                raise say.misplaced(link.name_span, f"the method `{link.name}` without a call")
            raise say.unknown_member(
                link.name_span, str(type_), link.name, self.universe.names(type_, static=static)
            )
        member, binding = found[0]
        returns = substitute(member.returns, binding)
        self.note(member, [])
        if member.const is not MISSING:
            return b.Const(member.const, returns, link.span)
        if isinstance(value, TypeName):
            assert member.run is not None
            return b.Invoke(member.run, (), returns, link.span, member.may_be_null)
        own = self.receiver(value, member, link.name_span)
        if member.attr is not None:
            return b.Attribute(own, member.attr, returns, link.span, member.may_be_null)
        assert member.run is not None, member
        return b.Invoke(
            member.run,
            (own,),
            returns,
            link.span,
            member.may_be_null or member.returns.name in ("V", "K", "T"),
        )

    def anonymous_property(self, value: b.Expr, link: s.Member) -> b.Expr | None:
        if not value.type.name.startswith("{"):
            return None
        names = value.type.name[1:-1].split(",")
        if link.name not in names:
            raise say.unknown_member(link.name_span, "the anonymous type", link.name, names)
        at = names.index(link.name)
        place = b.Const(at, INT, link.span)
        return b.Invoke(ro.anonymous_member, (value, place), value.type.args[at], link.span)

    def method(self, value: b.Expr | TypeName, link: s.Member, call: s.Call) -> b.Expr:
        static = isinstance(value, TypeName)
        type_ = value.type
        found = [
            (m, bd) for m, bd in self.universe.find(type_, link.name, static=static) if m.kind == "method"
        ]
        type_args = tuple(self.resolve_type(a) for a in link.args)
        given = self.given(call.arguments)
        if isinstance(value, TypeName):
            if not found:
                raise say.unknown_member(
                    link.name_span, str(type_), link.name, self.universe.names(type_, static=True)
                )
            plain = [(self.as_static(m), bd) for m, bd in found]
            return self.overloads.choose(plain, given, type_args, None, f"{type_}.{link.name}", call.span)
        extensions = [(m, dict[str, Type]()) for m in self.universe.extensions.get(link.name, ())]
        if not found and not extensions:
            held = self.held_function(value, link, call)
            if held is not None:
                return held
            raise say.unknown_member(
                link.name_span, str(type_), link.name, self.universe.names(type_, static=False)
            )
        first: say.Mistake | None = None
        for group in self.groups(found):
            try:
                own = self.receiver(value, group[0][0], link.name_span)
                return self.overloads.choose(group, given, type_args, own, link.name, call.span)
            except say.Mistake as mistake:
                first = first or mistake
        if extensions:
            own = (
                value
                if not value.nullable or is_value(self.universe, value.type)
                else b.NotNull(value, self.temp(), value.type, link.name_span)
            )
            try:
                return self.overloads.choose(extensions, given, type_args, own, link.name, call.span)
            except say.Mistake as mistake:
                if first is None and mistake.diagnostic.code == "CS0204" and not found:
                    inner = [n for n in self.universe.names(type_, static=False) if n != link.name]
                    fits = any(self.fits_receiver(m, value.type) for m, _ in extensions)
                    if not fits:
                        raise say.unknown_member(link.name_span, str(type_), link.name, inner) from None
                first = first or mistake
        assert first is not None
        raise first

    def groups(
        self, found: list[tuple[Member, dict[str, Type]]]
    ) -> list[list[tuple[Member, dict[str, Type]]]]:
        """Instance methods by declaring type, nearest first: a nearer one hides what its base declares."""
        out: list[list[tuple[Member, dict[str, Type]]]] = []
        for pair in found:
            if out and out[-1][0][0].owner == pair[0].owner:
                out[-1].append(pair)
            else:
                out.append([pair])
        return out

    def fits_receiver(self, member: Member, type_: Type) -> bool:
        names = set(member.type_params)
        return self.overloads.infer(member.parameters[0].type, type_, {}, names)

    def held_function(self, value: b.Expr, link: s.Member, call: s.Call) -> b.Expr | None:
        if link.name == "Invoke" and value.type.name == "Func":
            *takes, gives = value.type.args
            if len(takes) == len(call.arguments):
                args = tuple(self.converted(a.value, t) for a, t in zip(call.arguments, takes, strict=True))
                return b.CallValue(value, args, gives, call.span)
        return None

    def as_static(self, member: Member) -> Member:
        if not member.extension:
            return member
        return replace(member, extension=False)

    def given(self, arguments: tuple[s.Argument, ...]) -> list[Given]:
        out: list[Given] = []
        for each in arguments:
            if each.mode == "ref" or each.mode == "in":
                raise say.unsupported(each.span, f"a `{each.mode}` argument")
            waits = isinstance(each.value, s.Lambda) or each.mode == "out" or self.is_method_group(each.value)
            value = None if waits else self.value(each.value)
            out.append(Given(each.name, each.mode, value, each.value, each.span))
        return out

    def is_method_group(self, node: s.Expr) -> bool:
        """`int.Parse` or a local function, handed over as a function."""
        if isinstance(node, s.Name):
            local = self.lookup(node.name)
            return local is not None and local.function is not None
        if not isinstance(node, s.Member) or not isinstance(node.target, (s.Name, s.Member)):
            return False
        try:
            target = self.any(node.target)
        except say.Mistake:
            return False
        if not isinstance(target, TypeName):
            return False
        return any(m.kind == "method" for m, _ in self.universe.find(target.type, node.name, static=True))

    def index(self, value: b.Expr, link: s.Index) -> b.Expr:
        given = self.given(link.arguments)
        if value.type.name == "[]":
            at = self.convert(self.single(given, link), INT)
            own = b.NotNull(value, self.temp(), value.type, link.span) if value.nullable else value
            element = value.type.args[0]
            return b.Invoke(rc.array_at, (own, at), element, link.span, can_be_null(self.universe, element))
        found = [
            (m, bd) for m, bd in self.universe.find(value.type, "this", static=False) if m.kind == "index"
        ]
        if not found:
            raise say.not_indexable(link.span, str(value.type))
        first: say.Mistake | None = None
        for group in self.groups(found):
            own = self.receiver(value, group[0][0], link.span)
            try:
                return self.overloads.choose(group, given, (), own, f"{value.type}[]", link.span)
            except say.Mistake as mistake:
                first = first or mistake
        assert first is not None
        raise first

    def single(self, given: list[Given], link: s.Index) -> b.Expr:
        if len(given) != 1 or given[0].value is None:
            raise say.not_indexable(link.span, "an array")
        return given[0].value

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
            head = left.parts if isinstance(left, b.Concat) else (self.text(left),)
            return b.Concat((*head, self.text(right)), self.grows(), STRING, span)
        return self.operators.binary(operator, left, right, span)

    def grows(self) -> bool:
        return self.loops > 0 or bool(self.functions)

    def text(self, value: b.Expr) -> b.Expr:
        """A value as it stands in a concatenation: `ToString()`, null as nothing."""
        if value.type in (STRING, CHAR):
            return retype(value, STRING)
        if value.type == NULL:
            return b.Const("", STRING, value.span)
        if isinstance(value, b.Const) and not isinstance(value.value, (list, dict)):
            return b.Const(ro.to_string(value.value), STRING, value.span, value.secret)
        run = ro.bool_text if value.type == BOOL else ro.to_string
        return b.Invoke(run, (value,), STRING, value.span, False)

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
        value = self.value(node.operand, target)
        found = self.conversions.explicit(value.type, target, value)
        if found is None:
            raise say.no_conversion(node.span, str(value.type), str(target))
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

    # --- assignment ----------------------------------------------------------------------------------------------

    def local_target(self, node: s.Expr) -> LocalName | None:
        while isinstance(node, s.Paren):
            node = node.inner
        if not isinstance(node, s.Name):
            return None
        local = self.lookup(node.name)
        if local is None:
            if node.name in self.names:
                raise say.not_assignable(node.span, f"`{node.name}`")
            raise say.unknown_name(node.span, node.name, self.visible())
        if local.function is not None:
            raise say.not_assignable(node.span, f"the function `{node.name}`")
        self.captured(local)
        return local

    def captured(self, local: LocalName) -> None:
        """A local of an outer function is assigned: every function between needs to know."""
        local.assigned = True
        for function in self.functions[local.depth :]:
            function.nonlocals.add(local.python)

    def assign(self, node: s.Assign) -> b.Expr:
        local = self.local_target(node.target)
        if local is None:
            return self.store(node)
        if node.operator == "=":
            return b.Write(local.python, self.converted(node.value, local.type), local.type, node.span)
        current = b.Read(local.python, local.type, node.target.span, can_be_null(self.universe, local.type))
        result = self.compound(node.operator, current, self.value(node.value), local.type, node.span)
        return b.Write(local.python, result, local.type, node.span)

    def compound(self, operator: str, current: b.Expr, value: b.Expr, target: Type, span: Span) -> b.Expr:
        symbol = operator[:-1]
        if symbol == "+" and target == STRING:
            return b.Concat((self.text(current), self.text(value)), True, STRING, span)
        if symbol in ("&&", "||", "??"):
            raise say.unsupported(span, f"`{operator}`")
        result = self.operators.binary(symbol, current, value, span)
        found = self.conversions.explicit(result.type, target, result)
        if found is None:
            raise say.no_conversion(span, str(result.type), str(target))
        return found.apply(result)

    def store(self, node: s.Assign) -> b.Expr:
        """`a[i] = v` and `a.P = v`: the declared member has a `store`."""
        target = node.target
        while isinstance(target, s.Paren):
            target = target.inner
        if isinstance(target, s.Index):
            return self.store_index(node, target)
        if isinstance(target, s.Member):
            owner = self.value(target.target)
            for member, binding in self.universe.find(owner.type, target.name, static=False):
                if member.store is not None:
                    type_ = substitute(member.returns, binding)
                    value = self.converted(node.value, type_) if node.operator == "=" else None
                    if value is None:
                        raise say.unsupported(node.span, f"`{node.operator}` on a property")
                    own = self.receiver(owner, member, target.span)
                    return self.stored(member.store, (own,), value, node.span)
            raise say.not_assignable(target.span, f"`{target.name}` of `{owner.type}`")
        raise say.not_assignable(target.span, "this")

    def stored(self, run: Any, before: tuple[b.Expr, ...], value: b.Expr, span: Span) -> b.Expr:
        temp = self.temp()
        held = b.Write(temp, value, value.type, span)
        read = b.Read(temp, value.type, span)
        # C# evaluates the target before the value; our targets are plain enough for the order not to show.
        call = b.Invoke(run, (*before, read), VOID, span)
        return b.Sequence((held, call, read), 2, value.type, span)

    def store_index(self, node: s.Assign, target: s.Index) -> b.Expr:
        owner = self.value(target.target)
        own = b.NotNull(owner, self.temp(), owner.type, target.span) if owner.nullable else owner
        given = self.given(target.arguments)
        if len(given) != 1 or given[0].value is None:
            raise say.not_assignable(target.span, "this")
        key = given[0].value
        if owner.type.name == "[]":
            element = owner.type.args[0]
            return self.store_into(node, own, self.convert(key, INT), element, rc.array_put, rc.array_at)
        for member, binding in self.universe.find(owner.type, "this", static=False):
            if member.store is None or member.run is None:
                continue
            found = self.conversions.implicit(key.type, substitute(member.parameters[0].type, binding), key)
            if found is not None:
                element = substitute(member.returns, binding)
                return self.store_into(node, own, found.apply(key), element, member.store, member.run)
        raise say.not_assignable(target.span, f"an element of `{owner.type}`")

    def store_into(
        self, node: s.Assign, own: b.Expr, key: b.Expr, element: Type, put: Any, get: Any
    ) -> b.Expr:
        if node.operator == "=":
            return self.stored(put, (own, key), self.converted(node.value, element), node.span)
        owner_temp, key_temp = self.temp(), self.temp()
        held_owner = b.Read(owner_temp, own.type, own.span, False)
        held_key = b.Read(key_temp, key.type, key.span)
        current = b.Invoke(get, (held_owner, held_key), element, node.span)
        result = self.compound(node.operator, current, self.value(node.value), element, node.span)
        inner = self.stored(put, (held_owner, held_key), result, node.span)
        first, second = (
            b.Write(owner_temp, own, own.type, node.span),
            b.Write(key_temp, key, key.type, node.span),
        )
        return b.Sequence((first, second, inner), 2, element, node.span)

    def step(self, node: s.Step) -> b.Expr:
        one = s.Literal("int", 1, False, node.span)
        change = self.assign(s.Assign(node.target, f"{node.operator[0]}=", one, node.span))
        if node.prefix:
            return change
        if not isinstance(change, b.Write):
            # The old value of an element or property is the new one with the step taken back.
            back = self.operators.binary(
                "-" if node.operator == "++" else "+", change, b.Const(1, INT, node.span), node.span
            )
            found = self.conversions.explicit(back.type, change.type, back)
            if found is None:
                raise say.no_operator(node.span, node.operator, str(change.type))
            return found.apply(back)
        # The old value, then the change.
        temp = self.temp()
        current = self.value(node.target)
        held = b.Write(temp, current, current.type, node.span)
        return b.Sequence((held, change, b.Read(temp, current.type, node.span)), 2, current.type, node.span)

    def out_target(self, node: s.Expr, type_: Type) -> str | None:
        """The Python name of the local that an `out` argument fills; None for a discard."""
        if isinstance(node, s.Declaration):
            if not node.name:
                return None
            declared = self.resolve_type(node.type) if node.type is not None else type_
            if declared != type_:
                raise say.no_conversion(node.span, str(type_), str(declared))
            return self.declare(node.name, type_, node.span).python
        if isinstance(node, s.Name) and node.name == "_" and self.lookup("_") is None:
            return None
        local = self.local_target(node)
        if local is None:
            raise say.not_assignable(node.span, "this")
        if local.type != type_:
            raise say.no_conversion(node.span, str(type_), str(local.type))
        return local.python

    # --- creation --------------------------------------------------------------------------------------------------

    def new(self, node: s.New) -> b.Expr:
        type_ = self.resolve_type(node.type)
        decl = self.universe.decl(type_)
        forms = decl.members.get("new", ()) if decl is not None else ()
        if not forms or decl is None:
            raise say.refused(node.span, f"`new {type_}`", "expressions cannot make one")
        binding = dict(zip(decl.type_params, type_.args, strict=True))
        typed = [(replace(m, returns=type_), binding) for m in forms]
        given = self.given(node.arguments)
        made = self.overloads.choose(typed, given, (), None, f"new {type_}", node.span)
        if node.initializer is None:
            return made
        return self.initialise(made, type_, node.initializer, node.span)

    def initialise(self, made: b.Expr, type_: Type, entries: tuple[s.ElementInit, ...], span: Span) -> b.Expr:
        temp = self.temp()
        parts: list[b.Expr] = [b.Write(temp, made, type_, span)]
        own = b.Read(temp, type_, span, False)
        for each in entries:
            if each.member:
                raise say.unsupported(each.span, "setting a property in an initialiser")
            if each.index:
                parts.append(self.put_entry(own, each))
            else:
                given = [Given("", "", self.value(v), v, v.span) for v in each.values]
                adders = [
                    (m, bd) for m, bd in self.universe.find(type_, "Add", static=False) if m.kind == "method"
                ]
                if not adders:
                    raise say.misplaced(each.span, "an initialiser of elements")
                parts.append(self.add_entry(own, adders, given, each.span))
        parts.append(own)
        return b.Sequence(tuple(parts), len(parts) - 1, type_, span, False)

    def add_entry(
        self, own: b.Expr, adders: list[tuple[Member, dict[str, Type]]], given: list[Given], span: Span
    ) -> b.Expr:
        first: say.Mistake | None = None
        for group in self.groups(adders):
            try:
                return self.overloads.choose(group, given, (), own, "Add", span)
            except say.Mistake as mistake:
                first = first or mistake
        assert first is not None
        raise first

    def put_entry(self, own: b.Expr, entry: s.ElementInit) -> b.Expr:
        key = self.value(entry.index[0])
        for member, binding in self.universe.find(own.type, "this", static=False):
            found = self.conversions.implicit(key.type, substitute(member.parameters[0].type, binding), key)
            if member.store is not None and found is not None and len(entry.index) == 1:
                value = self.converted(entry.values[0], substitute(member.returns, binding))
                return b.Invoke(member.store, (own, found.apply(key), value), VOID, entry.span)
        raise say.not_indexable(entry.span, str(own.type))

    def new_array(self, node: s.NewArray, wanted: Type | None) -> b.Expr:
        element = self.resolve_type(node.element) if node.element is not None else None
        if element is None and wanted is not None and wanted.name == "[]":
            element = wanted.args[0]
        if node.elements is None:
            if node.size is None or element is None:
                raise say.no_type(node.span, "this array")
            size = self.converted(node.size, INT)
            if element.name == "byte":
                return b.Invoke(rc.new_bytes, (size,), array(element), node.span, False)
            default = b.Const(self.conversions.info(element).default, OBJECT, node.span)
            return b.Invoke(rc.new_array, (size, default), array(element), node.span, False)
        values = [self.value(e, element) for e in node.elements]
        if element is None:
            element = self.best_common(values)
            if element is None:
                raise say.no_type(node.span, "this array")
        items = b.Items(tuple(self.convert(v, element) for v in values), array(element), node.span)
        if element.name == "byte":
            return b.Invoke(rc.bytes_of, (items,), array(element), node.span, False)
        return items

    def best_common(self, values: list[b.Expr]) -> Type | None:
        for each in values:
            if each.type != NULL and all(
                self.conversions.implicit(v.type, each.type, v) is not None for v in values
            ):
                return each.type
        return None

    def anonymous(self, node: s.NewAnonymous) -> b.Expr:
        names = tuple(n for n, _ in node.members)
        if len(set(names)) != len(names):
            raise say.declared_twice(node.span, next(n for n in names if names.count(n) > 1))
        values = [self.value(v) for _, v in node.members]
        boxed = [self.conversions.box(v) if v.type.name in ("char", "long", "float") else v for v in values]
        type_ = Type("{" + ",".join(names) + "}", tuple(OBJECT if v.type == NULL else v.type for v in values))
        held = b.Const(names, OBJECT, node.span)
        return b.Invoke(ro.make_anonymous, (held, *boxed), type_, node.span, False)

    def interpolated(self, node: s.Interpolated) -> b.Expr:
        parts: list[b.Expr] = []
        for part in node.parts:
            if isinstance(part, str):
                parts.append(b.Const(part, STRING, node.span, node.secret))
                continue
            value = self.value(part.value)
            if not part.alignment and not part.format:
                parts.append(self.text(value))
                continue
            args = (
                self.convert(value, OBJECT),
                b.Const(part.alignment, INT, node.span),
                b.Const(part.format, STRING, node.span),
            )
            parts.append(b.Invoke(rs.interpolate_part, args, STRING, value.span, False))
        return b.Concat(tuple(parts) or (b.Const("", STRING, node.span),), self.grows(), STRING, node.span)

    def default(self, node: s.Default, wanted: Type | None) -> b.Expr:
        type_ = self.resolve_type(node.type) if node.type is not None else wanted
        if type_ is None:
            raise say.no_type(node.span, "`default`")
        if can_be_null(self.universe, type_):
            return b.Const(None, type_, node.span)
        return b.Const(self.conversions.info(type_).default, type_, node.span)

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
        if len(node.parameters) != len(takes):
            raise say.no_overload(node.span, "this function", f"{len(node.parameters)} parameters", ())
        return self.bind_lambda(self, node, takes, gives)


def _ascii(name: str) -> str:
    return "".join(c if c.isascii() else "_" for c in name)
