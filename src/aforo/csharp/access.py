"""Access chains: `a.b[c]?.d(e)`, members of types and values, extension methods, indexers."""

from __future__ import annotations

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.local_functions import instance
from aforo.csharp.overloads import Given
from aforo.csharp.runtime import collections as rc
from aforo.csharp.runtime import numbers as rn
from aforo.csharp.runtime import objects as ro
from aforo.csharp.runtime.grids import grid_at
from aforo.csharp.scope import LocalName, Namespace, ScopeBinder, Signature, TypeName
from aforo.csharp.types import (
    BOOL,
    INT,
    MISSING,
    OBJECT,
    STRING,
    TYPE,
    VOID,
    Member,
    Parameter,
    Type,
    array,
    can_be_null,
    is_value,
    nullable,
    substitute,
)
from aforo.source import Span


class AccessBinder(ScopeBinder):
    """Walks chains from their inner end."""

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
        if local is None and start.name == "nameof":
            return self.nameof(first)
        if local is None:
            if start.name in self.names or start.name in self.universe.by_path:
                raise say.misplaced(first.span, "a call")
            raise say.unknown_name(start.span, start.name, [n for sc in self.scopes for n in sc])
        if local.function is not None:
            return self.call_local(local, local.function, start, first)
        if local.type.name == "Func":
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

    def call_local(self, local: LocalName, function: Signature, start: s.Name, call: s.Call) -> b.Expr:
        """A call of a local function: arguments by name, defaults, `params`, `out` and `ref`."""
        given = self.given(call.arguments)
        if local.generic is not None or start.args:
            local = instance(self, local, given, start, call.span)
            function = local.function or function
        target = b.Read(local.python, OBJECT, start.span)
        parameters = function.parameters
        first: say.Mistake | None = None
        for expanded in (False, True):
            if expanded and not (parameters and parameters[-1].params):
                continue
            slots = self.overloads.slots(parameters, given, expanded)
            if slots is None:
                continue
            try:
                rows = [[self.argument(p, g) for g in each] for p, each in slots]
            except say.Mistake as mistake:
                first = first or mistake
                continue
            args: list[b.Expr] = []
            for at, ((parameter, _), row) in enumerate(zip(slots, rows, strict=True)):
                if expanded and at == len(slots) - 1:
                    args.append(self.array_of(row, parameter.type, call.span))
                else:
                    args.append(row[0] if row else b.Const(parameter.default, parameter.type, call.span))
            gives = function.returns
            made = b.CallValue(target, tuple(args), gives, call.span, can_be_null(self.universe, gives))
            outs = [(p, each[0]) for p, each in slots if p.out]
            return self.overloads.with_outs(made, outs, {}, call.span) if outs else made
        if first is not None:
            raise first
        shown = ", ".join(g.shown for g in given)
        raise say.no_overload(call.span, start.name, shown, (_shown(start.name, parameters),))

    def argument(self, parameter: Parameter, given: Given) -> b.Expr:
        wanted = "ref" if parameter.ref else "out" if parameter.out else ""
        if given.mode != wanted:
            raise say.misplaced(
                given.span,
                f"an argument {f'with `{given.mode}`' if given.mode else 'without `' + wanted + '`'}",
            )
        if wanted == "out":
            return b.Const(None, parameter.type, given.span)
        if given.place is not None:
            if given.place.type != parameter.type:
                raise say.no_conversion(given.span, str(given.place.type), str(parameter.type))
            return given.place.get()
        if given.value is None:
            if parameter.type.name != "Func":
                raise say.misplaced(given.span, "a function")
            return self.function(given.syntax, list(parameter.type.args[:-1]), parameter.type.args[-1])
        return self.convert(given.value, parameter.type)

    def array_of(self, row: list[b.Expr], element: Type, span: Span) -> b.Expr:
        items: b.Expr = b.Items(tuple(row), array(element), span)
        return (
            b.Invoke(rc.bytes_of, (items,), array(element), span, False) if element.name == "byte" else items
        )

    def nameof(self, call: s.Call) -> b.Expr:
        """`nameof(a.b.C)` is "C"; what it names must exist."""
        if len(call.arguments) != 1 or call.arguments[0].name or call.arguments[0].mode:
            raise say.no_overload(call.span, "nameof", f"{len(call.arguments)} arguments", ())
        node = call.arguments[0].value
        match node:
            case s.Name(name=name):
                local = self.lookup(name)
                if local is None or local.function is None:
                    self.any(node if not node.args else s.Name(name, node.args, node.span))
            case s.Member(target=target, name=name):
                owner = self.any(target)
                if isinstance(owner, Namespace):
                    self.any(node)
                elif not any(
                    self.universe.find(owner.type, name, static=static) for static in (False, True)
                ) and not (name in self.universe.extensions and not isinstance(owner, TypeName)):
                    self.property(owner, node)
            case _:
                raise say.misplaced(node.span, "what has no name")
        return b.Const(name, STRING, call.span)

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
            if isinstance(value, TypeName) and f"{value.type.name}.{link.name}" in self.universe.by_path:
                inner = s.TypeRef(f"{value.type.name}.{link.name}", link.args, link.span)
                return TypeName(self.resolve_type(inner)), at + 1
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
            (own, self.root(link.span)) if member.root else (own,),
            returns,
            link.span,
            member.may_be_null or member.returns.name in ("V", "K", "T"),
        )

    def root(self, span: Span) -> b.Expr:
        python, type_ = next(iter(self.names.values()))
        return b.Read(python, type_, span, False)

    def anonymous_property(self, value: b.Expr, link: s.Member) -> b.Expr | None:
        if value.type.is_tuple:
            return self.tuple_item(value, link)
        if not value.type.name.startswith("{"):
            return None
        names = value.type.name[1:-1].split(",")
        if link.name not in names:
            raise say.unknown_member(link.name_span, "the anonymous type", link.name, names)
        at = names.index(link.name)
        place = b.Const(at, INT, link.span)
        return b.Invoke(ro.anonymous_member, (value, place), value.type.args[at], link.span)

    def tuple_item(self, value: b.Expr, link: s.Member) -> b.Expr:
        at = self.tuple_place(value.type, link)
        return b.Invoke(
            ro.anonymous_member, (value, b.Const(at, INT, link.span)), value.type.args[at], link.span
        )

    def tuple_place(self, type_: Type, link: s.Member) -> int:
        names = type_.name[1:-1].split(",")
        numbered = [f"Item{i + 1}" for i in range(len(names))]
        if link.name in numbered:
            return numbered.index(link.name)
        if link.name not in names:
            raise say.unknown_member(link.name_span, str(type_), link.name, [*filter(None, names), *numbered])
        return names.index(link.name)

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
            return self.static_call(found, given, type_args, f"{type_}.{link.name}", call.span)
        if type_.name == "Nullable":
            own_member = self.of_nullable(value, link, given, call.span)
            if own_member is not None:
                return own_member
        if link.name == "GetType" and not given and self.is_itself(type_):
            known = b.Const(self.conversions.net_type(type_), TYPE, call.span)
            checked = b.NotNull(value, self.temp(), type_, link.name_span) if value.nullable else value
            return b.Sequence((checked, known), 1, TYPE, call.span, False)
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

    def of_nullable(self, value: b.Expr, link: s.Member, given: list[Given], span: Span) -> b.Expr | None:
        """What is a nullable value's own: it is called on null too."""
        inner = value.type.args[0]
        if link.name == "GetValueOrDefault" and not given:
            default = b.Const(self.conversions.info(inner).default, inner, link.span)
            return b.Invoke(rn.value_or, (value, default), inner, span, False)
        if link.name == "ToString" and not given:
            return self.text(value)
        if link.name == "Equals" and len(given) == 1 and given[0].value is not None:
            other = self.conversions.box(given[0].value)
            return b.Invoke(ro.equals, (self.conversions.box(value), other), BOOL, span, False)
        if link.name == "GetHashCode" and not given:
            return b.Invoke(ro.hash_or_zero, (self.conversions.box(value),), INT, span, False)
        return None

    def is_itself(self, type_: Type) -> bool:
        """Whether a value can only be of the type that is written: and of that no value tells its arguments."""
        if type_.name == "Nullable":
            return False
        decl = self.universe.decl(type_)
        return is_value(self.universe, type_) or (
            bool(type_.args) and decl is not None and decl.kind == "class"
        )

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
        return self.overloads.infer(member.parameters[0].type, type_, {}, set(member.type_params))

    def held_function(self, value: b.Expr, link: s.Member, call: s.Call) -> b.Expr | None:
        if link.name == "Invoke" and value.type.name == "Func":
            *takes, gives = value.type.args
            if len(takes) == len(call.arguments):
                args = tuple(self.converted(a.value, t) for a, t in zip(call.arguments, takes, strict=True))
                return b.CallValue(value, args, gives, call.span)
        return None

    def static_call(
        self,
        found: list[tuple[Member, dict[str, Type]]],
        given: list[Given],
        type_args: tuple[Type, ...],
        what: str,
        span: Span,
    ) -> b.Expr:
        """`Enumerable.Count(list)` is `list.Count()`; most static methods are no extensions."""
        plain = [(m, bd) for m, bd in found if not m.extension]
        extensions = [(m, bd) for m, bd in found if m.extension]
        first = given[0].value if extensions and given and not given[0].name else None
        if first is None:
            return self.overloads.choose(plain, given, type_args, None, what, span)
        try:
            own = (
                first
                if not first.nullable or is_value(self.universe, first.type)
                else b.NotNull(first, self.temp(), first.type, span)
            )
            return self.overloads.choose(extensions, given[1:], type_args, own, what, span)
        except say.Mistake:
            if not plain:
                raise
            return self.overloads.choose(plain, given, type_args, None, what, span)

    def given(self, arguments: tuple[s.Argument, ...]) -> list[Given]:
        out: list[Given] = []
        for each in arguments:
            if each.mode == "in":
                raise say.unsupported(each.span, "an `in` argument (C# 7.2)")
            waits = isinstance(each.value, s.Lambda) or bool(each.mode) or self.is_method_group(each.value)
            value = None if waits else self.value(each.value)
            place = self.variable(each.value) if each.mode == "ref" else None
            out.append(Given(each.name, each.mode, value, each.value, each.span, place))
        return out

    def variable(self, node: s.Expr) -> b.Place:
        raise NotImplementedError  # what `ref` can name: places.py

    def is_method_group(self, node: s.Expr) -> bool:
        """`int.Parse`, `names.Contains` or a local function, handed over as a function."""
        if isinstance(node, s.Name):
            return (local := self.lookup(node.name)) is not None and local.function is not None
        if not isinstance(node, s.Member) or not isinstance(node.target, (s.Name, s.Member)):
            return False
        try:
            target = self.any(node.target)
        except say.Mistake:
            return False
        if isinstance(target, Namespace):
            return False
        static = isinstance(target, TypeName)
        if (found := self.universe.find(target.type, node.name, static=static)) or static:
            return bool(found) and all(m.kind == "method" for m, _ in found)
        many = target.type.name == "[]" or self.universe.find(target.type, "GetEnumerator", static=False)
        return bool(many) and node.name in self.universe.extensions

    def index(self, value: b.Expr, link: s.Index) -> b.Expr:
        given = self.given(link.arguments)
        if value.type.name.startswith("["):
            at = self.subscripts(value.type, given, link)
            own = b.NotNull(value, self.temp(), value.type, link.span) if value.nullable else value
            element = value.type.args[0]
            run = rc.array_at if len(at) == 1 else grid_at
            return b.Invoke(run, (own, *at), element, link.span, can_be_null(self.universe, element))
        here = self.universe.find(value.type, "this", static=False)
        found = [(m, bd) for m, bd in here if m.kind == "index"]
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

    def subscripts(self, type_: Type, given: list[Given], link: s.Index) -> tuple[b.Expr, ...]:
        """One index for each dimension of an array."""
        values = [g.value for g in given if g.value is not None]
        if len(values) != len(type_.name) - 1 or len(values) != len(given):
            raise say.not_indexable(link.span, str(type_))
        return tuple(self.convert(v, INT) for v in values)


def _shown(name: str, parameters: tuple[Parameter, ...]) -> str:
    inner = ", ".join(
        ("params " if p.params else "ref " if p.ref else "out " if p.out else "") + f"{p.type} {p.name}"
        for p in parameters
    )
    return f"{name}({inner})"
