"""Tuples: `(a, b)`, their elements by name, deconstruction. A tuple's type is named after its elements, `(a,)`."""

from __future__ import annotations

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.changes import ChangeBinder
from aforo.csharp.runtime import objects as ro
from aforo.csharp.runtime.value_tuples import make_tuple
from aforo.csharp.scope import LocalName
from aforo.csharp.types import INT, NEVER, NULL, VOID, Type
from aforo.source import Span


class TupleBinder(ChangeBinder):
    """Makes tuples and takes them apart."""

    def tuple(self, node: s.Tuple, wanted: Type | None) -> b.Expr:
        names = tuple(name or _inferred(value) for name, value in node.elements)
        if len(names) < 2:
            raise say.misplaced(node.span, "a tuple of one")
        given = [n for n, _ in node.elements if n]
        if len(set(given)) != len(given):
            raise say.declared_twice(node.span, next(n for n in given if given.count(n) > 1))
        # A name that two elements would have is nobody's.
        names = tuple(n if names.count(n) == 1 and not n.startswith("Item") else "" for n in names)
        hints: tuple[Type | None, ...] = (None,) * len(names)
        if wanted is not None and wanted.is_tuple and len(wanted.args) == len(names):
            hints = wanted.args
        values: list[b.Expr] = []
        for (_, value), hint in zip(node.elements, hints, strict=True):
            item = self.converted(value, hint) if hint is not None else self.value(value)
            if item.type in (NULL, NEVER):
                raise say.no_type(value.span, "this element")
            values.append(item)
        type_ = Type(f"({','.join(names)})", tuple(v.type for v in values))
        return b.Invoke(make_tuple, tuple(values), type_, node.span, False)

    def deconstruct(self, node: s.Assign, target: s.Tuple) -> b.Expr:
        """`(a, var b, _) = value`: all of the value first, then what it is assigned to, from left to right."""
        if node.operator != "=":
            raise say.misplaced(node.span, f"`{node.operator}`")
        value = self.value(node.value)
        if not value.type.is_tuple:
            raise say.refused(node.value.span, f"taking a `{value.type}` apart", "it is not a tuple")
        temp = self.temp()
        parts: list[b.Expr] = [b.Write(temp, value, value.type, node.span)]
        held = b.Read(temp, value.type, node.span, False)
        self.take_apart(target, held, parts)
        parts.append(held)
        return b.Sequence(tuple(parts), len(parts) - 1, value.type, node.span, False)

    def take_apart(self, target: s.Tuple, held: b.Read, parts: list[b.Expr]) -> None:
        types = held.type.args
        if len(types) != len(target.elements):
            raise say.no_conversion(target.span, str(held.type), f"{len(target.elements)} variables")
        for at, ((_, each), type_) in enumerate(zip(target.elements, types, strict=True)):
            place = b.Const(at, INT, each.span)
            item = b.Invoke(ro.anonymous_member, (held, place), type_, each.span)
            if isinstance(each, s.Tuple):
                inner = self.temp()
                parts.append(b.Write(inner, item, type_, each.span))
                self.take_apart(each, b.Read(inner, type_, each.span, False), parts)
            elif isinstance(each, s.Declaration):
                if each.name:
                    declared = self.resolve_type(each.type) if each.type is not None else type_
                    converted = self.convert(item, declared)
                    local = self.declare(each.name, declared, each.span)
                    parts.append(b.Write(local.python, converted, declared, each.span))
            else:
                parts.append(self.assign_item(each, item, each.span))

    def assign_item(self, target: s.Expr, item: b.Expr, span: Span) -> b.Expr:
        """Assigns to whatever can be assigned to, by way of a local that no author can name."""
        temp = self.temp()
        hidden = f"\u2026{temp}"
        self.scopes[-1][hidden] = LocalName(temp, item.type, len(self.functions))
        written = self.assign(s.Assign(target, "=", s.Name(hidden, (), span), span))
        return b.Sequence((b.Write(temp, item, item.type, span), written), 1, VOID, span)


def _inferred(value: s.Expr) -> str:
    match value:
        case s.Name(name=name) | s.Member(name=name):
            return name
    return ""
