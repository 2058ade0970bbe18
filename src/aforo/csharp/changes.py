"""What makes and changes things: assignment, steps, `new` and its initialisers, arrays."""

from __future__ import annotations

from dataclasses import replace

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.overloads import Given
from aforo.csharp.places import PlaceBinder
from aforo.csharp.runtime import collections as rc
from aforo.csharp.runtime import objects as ro
from aforo.csharp.runtime import strings as rs
from aforo.csharp.runtime.grids import grid_of, new_grid
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


class ChangeBinder(PlaceBinder):
    """Assignments and creations."""

    def assign(self, node: s.Assign) -> b.Expr:
        """The value of an assignment is what was assigned."""
        target, span = node.target, node.span
        if isinstance(target, s.Tuple):
            return self.deconstruct(node, target)
        if isinstance(target, s.Name) and target.name == "_" and self.lookup("_") is None:
            return self.value(node.value)
        place = self.place(target, held=node.operator != "=")
        if node.operator == "=":
            value = self.kept(self.converted(node.value, place.type))
        else:
            value = self.compound(node.operator, place.get(), self.value(node.value), place.type, span)
        if place.local:
            return place.put(value)
        temp = self.temp()
        put = place.put(b.Write(temp, value, place.type, span))
        parts = (*place.before, put, b.Read(temp, place.type, span, value.nullable))
        return b.Sequence(parts, len(parts) - 1, place.type, span, value.nullable)

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

    def step(self, node: s.Step) -> b.Expr:
        """`++` and `--`: behind the target, the value is what it was before."""
        one = s.Literal("int", 1, False, node.span)
        if node.prefix:
            return self.assign(s.Assign(node.target, f"{node.operator[0]}=", one, node.span))
        place = self.place(node.target, held=True)
        current, temp = place.get(), self.temp()
        before = b.Read(temp, place.type, node.span, current.nullable)
        changed = self.compound(f"{node.operator[0]}=", before, self.value(one), place.type, node.span)
        parts = (*place.before, b.Write(temp, current, place.type, node.span), place.put(changed), before)
        return b.Sequence(parts, len(parts) - 1, place.type, node.span, current.nullable)

    # --- creation --------------------------------------------------------------------------------------------------

    def new(self, node: s.New) -> b.Expr:
        type_ = self.resolve_type(node.type)
        if type_.name == "Func" and len(node.arguments) == 1 and node.initializer is None:
            return self.converted(node.arguments[0].value, type_)
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
        own = b.Read(temp, type_, span, False)
        parts: list[b.Expr] = [b.Write(temp, made, type_, span)]
        self.fill(own, entries, parts)
        parts.append(own)
        return b.Sequence(tuple(parts), len(parts) - 1, type_, span, False)

    def fill(self, own: b.Expr, entries: tuple[s.ElementInit, ...], parts: list[b.Expr]) -> None:
        """Properties, entries and elements of an initialiser, in their order."""
        for each in entries:
            if each.member:
                self.set_member(own, each, parts)
            elif each.index:
                parts.append(self.put_entry(own, each))
            else:
                given = self.given(tuple(s.Argument(v, "", "", v.span) for v in each.values))
                adders = [
                    (m, bd)
                    for m, bd in self.universe.find(own.type, "Add", static=False)
                    if m.kind == "method"
                ]
                if not adders:
                    raise say.misplaced(each.span, "an initialiser of elements")
                parts.append(self.add_entry(own, adders, given, each.span))

    def set_member(self, own: b.Expr, entry: s.ElementInit, parts: list[b.Expr]) -> None:
        """`Name = value`, or `Name = { ... }`, which fills what is there."""
        if entry.nested is None:
            place = self.property_place(own, entry.member, entry.span)
            parts.append(place.put(self.converted(entry.values[0], place.type)))
            return
        name = s.Name(entry.member, (), entry.span)
        inner = self.property(own, s.Member(name, entry.member, (), False, entry.span, entry.span))
        temp = self.temp()
        inner = b.NotNull(inner, self.temp(), inner.type, entry.span) if inner.nullable else inner
        parts.append(b.Write(temp, inner, inner.type, entry.span))
        self.fill(b.Read(temp, inner.type, entry.span, False), entry.nested, parts)

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
        rank = node.rank
        if element is None and wanted is not None and wanted.name.startswith("["):
            element = wanted.args[0]
            rank = len(wanted.name) - 1
        if node.elements is None:
            if not node.sizes or element is None:
                raise say.no_type(node.span, "this array")
            sizes = tuple(self.converted(size, INT) for size in node.sizes)
            if rank == 1 and element.name == "byte":
                return b.Invoke(rc.new_bytes, sizes, array(element), node.span, False)
            default = b.Const(self.conversions.info(element).default, OBJECT, node.span)
            if rank > 1:
                return b.Invoke(new_grid, (default, *sizes), array(element, rank), node.span, False)
            return b.Invoke(rc.new_array, (*sizes, default), array(element), node.span, False)
        lengths, elements = _flat(node, rank)
        for size, found in zip(node.sizes, lengths, strict=False):
            if not (isinstance(size, s.Literal) and size.value == found):
                raise say.misplaced(size.span, f"a size beside {found} elements")
        values = [self.value(e, element) for e in elements]
        if element is None:
            element = self.best_common(values)
            if element is None:
                raise say.no_type(node.span, "this array")
        items = b.Items(tuple(self.convert(v, element) for v in values), array(element), node.span)
        if rank > 1:
            held = b.Const(lengths, OBJECT, node.span)
            return b.Invoke(grid_of, (items, held), array(element, rank), node.span, False)
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


def _flat(node: s.NewArray, rank: int) -> tuple[tuple[int, ...], tuple[s.Expr, ...]]:
    """The lengths of an initialiser's dimensions, and its elements in their order."""
    elements = node.elements or ()
    if rank == 1:
        return (len(elements),), elements
    lengths: tuple[int, ...] | None = None
    flat: list[s.Expr] = []
    for each in elements:
        if not isinstance(each, s.NewArray) or each.element is not None or each.elements is None:
            raise say.misplaced(each.span, "an element without its row")
        found, inner = _flat(each, rank - 1)
        if lengths not in (None, found):
            raise say.misplaced(each.span, "a row of another length")
        lengths = found
        flat += inner
    return (len(elements), *(lengths or (0,) * (rank - 1))), tuple(flat)
