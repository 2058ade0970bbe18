"""What can be assigned to and handed over by `ref` or `out`: locals, elements, properties, the parts of tuples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.access import AccessBinder
from aforo.csharp.runtime import collections as rc
from aforo.csharp.runtime.grids import grid_at, grid_put
from aforo.csharp.runtime.value_tuples import with_item
from aforo.csharp.scope import LocalName
from aforo.csharp.types import INT, VOID, Type, can_be_null, substitute
from aforo.source import Span


class PlaceBinder(AccessBinder):
    """Finds places. `held`: it is read as well as written, so that what stands in front of it runs once."""

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

    def place(self, node: s.Expr, *, held: bool) -> b.Place:
        while isinstance(node, s.Paren):
            node = node.inner
        if isinstance(node, (s.Index, s.Member)) and node.conditional:
            raise say.not_assignable(node.span, "what stands behind `?`")
        if isinstance(node, s.Index):
            return self.element_place(node, held)
        if isinstance(node, s.Member):
            owner = self.any(node.target)
            if isinstance(owner, b.Expr):
                if owner.type.is_tuple:
                    return self.item_place(node, owner.type)
                if not held:
                    return self.property_place(owner, node.name, node.span)
                before: list[b.Expr] = []
                own = self.once(owner, before)
                return self.property_place(own, node.name, node.span, tuple(before))
            raise say.not_assignable(node.span, f"`{node.name}`")
        local = self.local_target(node)
        if local is None:
            raise say.not_assignable(node.span, "this")
        return self.local_place(local, node.span)

    def local_place(self, local: LocalName, span: Span) -> b.Place:
        read = b.Read(local.python, local.type, span, can_be_null(self.universe, local.type))

        def put(value: b.Expr) -> b.Expr:
            return b.Write(local.python, value, local.type, span)

        return b.Place(local.type, (), lambda: read, put, local.python, True)

    def once(self, value: b.Expr, before: list[b.Expr]) -> b.Expr:
        """A value that is used twice: evaluated in front, and no null."""
        checked = self.not_null(value)
        if isinstance(checked, b.Read):
            return checked
        temp = self.temp()
        before.append(b.Write(temp, checked, value.type, value.span))
        return b.Read(temp, value.type, value.span, False)

    def not_null(self, value: b.Expr) -> b.Expr:
        return b.NotNull(value, self.temp(), value.type, value.span) if value.nullable else value

    def property_place(
        self, owner: b.Expr, name: str, span: Span, before: tuple[b.Expr, ...] = ()
    ) -> b.Place:
        found = list(self.universe.find(owner.type, name, static=False))
        stores = [pair for pair in found if pair[0].store is not None]
        if not stores:
            if not found and not owner.type.name.startswith("{"):
                raise say.unknown_member(
                    span, str(owner.type), name, self.universe.names(owner.type, static=False)
                )
            raise say.not_assignable(span, f"`{name}` of `{owner.type}`")
        member, binding = stores[0]
        type_ = substitute(member.returns, binding)
        store = member.store
        assert store is not None
        self.note(member, [])

        def get() -> b.Expr:
            link = s.Member(s.Name(name, (), span), name, (), False, span, span)
            return self.property(owner, link)

        def put(value: b.Expr) -> b.Expr:
            return b.Invoke(store, (self.receiver(owner, member, span), value), VOID, span)

        return b.Place(type_, before, get, put)

    def item_place(self, node: s.Member, type_: Type) -> b.Place:
        """`t.a` where `t` can be assigned to: it gets another tuple."""
        outer = self.place(node.target, held=True)
        if not outer.variable:
            raise say.not_assignable(node.span, f"`{node.name}` of `{type_}`")
        at, span = self.tuple_place(type_, node), node.span
        item = type_.args[at]

        def put(value: b.Expr) -> b.Expr:
            temp = self.temp()
            held, place = b.Read(temp, item, span), b.Const(at, INT, span)
            changed = b.Invoke(with_item, (outer.get(), place, held), type_, span, False)
            return b.Sequence((b.Write(temp, value, item, span), outer.put(changed)), 1, VOID, span)

        return b.Place(item, outer.before, lambda: self.tuple_item(outer.get(), node), put, "", True)

    def element_place(self, node: s.Index, held: bool) -> b.Place:
        before: list[b.Expr] = []
        owner = self.value(node.target)
        given = self.given(node.arguments)
        own = self.once(owner, before) if held else self.not_null(owner)
        if owner.type.name.startswith("["):
            at = self.keys(self.subscripts(owner.type, given, node), held, before)
            get, put = (rc.array_at, rc.array_put) if len(at) == 1 else (grid_at, grid_put)
            element = owner.type.args[0]
            return self.stored(own, at, element, get, put, tuple(before), node.span, variable=True)
        if len(given) != 1 or given[0].value is None:
            raise say.not_assignable(node.span, "this")
        key = given[0].value
        for member, binding in self.universe.find(owner.type, "this", static=False):
            if member.store is None or member.run is None:
                continue
            found = self.conversions.implicit(key.type, substitute(member.parameters[0].type, binding), key)
            if found is not None:
                at = self.keys((found.apply(key),), held, before)
                element = substitute(member.returns, binding)
                return self.stored(own, at, element, member.run, member.store, tuple(before), node.span)
        raise say.not_assignable(node.span, f"an element of `{owner.type}`")

    def keys(self, values: tuple[b.Expr, ...], held: bool, before: list[b.Expr]) -> tuple[b.Expr, ...]:
        """Indexes, evaluated in front where they are needed twice."""
        if not held:
            return values
        out: list[b.Expr] = []
        for each in values:
            if isinstance(each, b.Const):
                out.append(each)
                continue
            temp = self.temp()
            before.append(b.Write(temp, each, each.type, each.span))
            out.append(b.Read(temp, each.type, each.span, each.nullable))
        return tuple(out)

    def stored(
        self,
        own: b.Expr,
        at: tuple[b.Expr, ...],
        element: Type,
        get: Callable[..., Any],
        put: Callable[..., Any],
        before: tuple[b.Expr, ...],
        span: Span,
        *,
        variable: bool = False,
    ) -> b.Place:
        maybe = can_be_null(self.universe, element)
        return b.Place(
            element,
            before,
            lambda: b.Invoke(get, (own, *at), element, span, maybe),
            lambda value: b.Invoke(put, (own, *at, value), VOID, span),
            "",
            variable,
        )

    # --- by reference -----------------------------------------------------------------------------------------------

    def variable(self, node: s.Expr) -> b.Place:
        """What `ref` can name: a variable, which a property or the entry of a dictionary is not."""
        place = self.place(node, held=True)
        if not place.variable:
            raise say.misplaced(node.span, "`ref` or `out` with what is no variable")
        return place

    def out_type(self, node: s.Expr) -> Type | None:
        """The type that an `out` argument has by itself; None for `var` and discards."""
        if isinstance(node, s.Declaration):
            return self.resolve_type(node.type) if node.type is not None else None
        if isinstance(node, (s.Index, s.Member)):
            return self.value(node).type
        local = self.lookup(node.name) if isinstance(node, s.Name) else None
        return None if local is None else local.type

    def out_place(self, node: s.Expr, type_: Type) -> b.Place | None:
        """What an `out` argument fills; None for a discard."""
        if isinstance(node, s.Declaration):
            if not node.name:
                return None
            declared = self.resolve_type(node.type) if node.type is not None else type_
            if declared != type_:
                raise say.no_conversion(node.span, str(type_), str(declared))
            return self.local_place(self.declare(node.name, type_, node.span), node.span)
        if isinstance(node, s.Name) and node.name == "_" and self.lookup("_") is None:
            return None
        place = self.variable(node)
        if place.type != type_:
            raise say.no_conversion(node.span, str(type_), str(place.type))
        return place
