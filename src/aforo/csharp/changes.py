"""What makes and changes things: assignment, steps, `out` arguments, `new` and its initialisers, arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.access import AccessBinder
from aforo.csharp.overloads import Given
from aforo.csharp.runtime import collections as rc
from aforo.csharp.runtime import objects as ro
from aforo.csharp.runtime import strings as rs
from aforo.csharp.runtime.value_tuples import with_item
from aforo.csharp.scope import LocalName
from aforo.csharp.types import (
    INT,
    NULL,
    OBJECT,
    STRING,
    VOID,
    Member,
    Type,
    array,
    can_be_null,
    substitute,
)
from aforo.source import Span


class ChangeBinder(AccessBinder):
    """Assignments and creations."""

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
        if local.fixed:
            raise say.not_assignable(node.span, f"{local.fixed} `{node.name}`")
        self.captured(local)
        return local

    def captured(self, local: LocalName) -> None:
        """A local of an outer function is assigned: every function between needs to know."""
        for function in self.functions[local.depth :]:
            function.nonlocals.add(local.python)

    def assign(self, node: s.Assign) -> b.Expr:
        target = node.target
        if isinstance(target, s.Tuple):
            return self.deconstruct(node, target)
        if isinstance(target, s.Name) and target.name == "_" and self.lookup("_") is None:
            return self.value(node.value)
        local = self.local_target(target)
        if local is None:
            return self.store(node)
        if node.operator == "=":
            return b.Write(local.python, self.converted(node.value, local.type), local.type, node.span)
        current = b.Read(local.python, local.type, node.target.span, can_be_null(self.universe, local.type))
        result = self.compound(node.operator, current, self.value(node.value), local.type, node.span)
        return b.Write(local.python, result, local.type, node.span)

    def deconstruct(self, node: s.Assign, target: s.Tuple) -> b.Expr:
        """`(a, b) = value`: tuples.py."""
        raise NotImplementedError

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
            if owner.type.is_tuple:
                return self.store_tuple_item(node, target, owner)
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

    def store_tuple_item(self, node: s.Assign, target: s.Member, owner: b.Expr) -> b.Expr:
        """`t.a = v` where `t` is a local: the local gets another tuple."""
        local = self.local_target(target.target)
        if local is None:
            raise say.not_assignable(target.span, f"`{target.name}` of `{owner.type}`")
        at = self.tuple_place(owner.type, target)
        type_ = owner.type.args[at]
        if node.operator == "=":
            value = self.converted(node.value, type_)
        else:
            current = self.tuple_item(owner, target)
            value = self.compound(node.operator, current, self.value(node.value), type_, node.span)
        temp = self.temp()
        held, place = b.Read(temp, type_, node.span), b.Const(at, INT, node.span)
        changed = b.Invoke(with_item, (owner, place, held), owner.type, node.span, False)
        parts = (
            b.Write(temp, value, type_, node.span),
            b.Write(local.python, changed, owner.type, node.span),
            held,
        )
        return b.Sequence(parts, 2, type_, node.span)

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

    def out_type(self, node: s.Expr) -> Type | None:
        """The type that an `out` argument has by itself; None for `var` and discards."""
        if isinstance(node, s.Declaration):
            return self.resolve_type(node.type) if node.type is not None else None
        local = self.lookup(node.name) if isinstance(node, s.Name) else None
        return None if local is None else local.type

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
