"""Plugins that look rows up in a second table by nearness: ipv4_lookup, ipv6_lookup, geo_polygon_lookup,
geo_line_lookup; and rows_near, which looks around in its own.
"""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder, is_ordered
from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Relation, Windowed
from aforo.kql.convert import apply, cast
from aforo.kql.naming import Names
from aforo.kql.operators.plugins.library import column_of, constant_of
from aforo.kql.operators.plugins.spec import Plugin, PluginCall
from aforo.kql.plan import Filter, Join, JoinKind, Project, Window
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, LONG, REAL, STRING, KqlType


def _address_lookup(operation: str) -> Callable[[Binder, Relation, PluginCall, Scope], Relation]:
    def bind(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
        table = b.relation(call.arguments[0], scope)
        source = column_of(b, relation, call.arguments[1])
        key = column_of(b, table, call.arguments[2])
        unmatched = _flag(b, call, scope, "return_unmatched", call.arguments[3:])
        if source is None or key is None or unmatched is None:
            return relation
        extra: list[tuple[Column, Column]] = []
        for tree in call.arguments[3:]:
            if isinstance(tree, s.Literal):
                continue
            mine, other = column_of(b, relation, tree), column_of(b, table, tree)
            if mine is None or other is None:
                return relation
            if mine.type is not other.type:
                b.report(say.no_operator("==", mine.type.value, other.type.value, tree.span))
                return relation
            extra.append((mine, other))
        if source.type is not STRING or key.type is not STRING:
            b.report(say.wrong_type("an address that is looked up", "string", source.type.value, call.span))
            return relation
        near = apply(operation, (Reference(source), Reference(key)), BOOL)
        on = tuple((Reference(mine), Reference(other)) for mine, other in extra)
        return _joined(b, relation, table, near, unmatched, on, {other.id for _, other in extra})

    return bind


def _shape_lookup(inside: str, distance: str) -> Callable[..., Relation]:
    """`inside` tells whether a point lies in a shape (empty: shapes have no inside), `distance` how far it is."""

    def bind(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
        table = b.relation(call.arguments[0], scope)
        key = column_of(b, table, call.arguments[1])
        longitude, latitude = (column_of(b, relation, t) for t in call.arguments[2:4])
        rest = [t for t in call.arguments[4:] if not _is_flag(t)]
        flags = [t for t in call.arguments[4:] if _is_flag(t)]
        unmatched = _flag(b, call, scope, "return_unmatched", tuple(flags[:1]))
        keeps = _flag(b, call, scope, "return_lookup_key", tuple(flags[1:2]))
        radius = None
        if (tree := call.options.get("radius") or (rest[0] if rest else None)) is not None:
            radius = constant_of(b, tree, scope, REAL)
            if radius is None:
                return relation
        if key is None or longitude is None or latitude is None or unmatched is None or keeps is None:
            return relation
        if key.type is not DYNAMIC:
            b.report(say.wrong_type("a shape", "dynamic", key.type.value, call.span))
            return relation
        point = (cast(Reference(longitude), REAL), cast(Reference(latitude), REAL))
        near: Expression
        if radius is None and not inside:
            b.report(say.bad_argument(f"{call.name} needs a radius", call.span))
            return relation
        if radius is None:
            near = Apply(inside, (*point, Reference(key)), BOOL)
        else:
            far = Apply(distance, (*point, Reference(key)), REAL)
            near = apply("less_equal", (far, radius), BOOL)
        return _joined(b, relation, table, near, unmatched, (), set() if keeps else {key.id})

    return bind


def _is_flag(tree: s.Syntax) -> bool:
    return isinstance(tree, s.Literal) and tree.type is KqlType.BOOL


def _flag(
    b: Binder, call: PluginCall, scope: Scope, name: str, positional: tuple[s.Syntax, ...]
) -> bool | None:
    """A truth value by its name or its place, False when it is not given; None (reported) for what is none."""
    tree = call.options.get(name) or next((t for t in positional if _is_flag(t)), None)
    if tree is None:
        return False
    found = constant_of(b, tree, scope, BOOL)
    return None if found is None else bool(found.value)


def _joined(
    b: Binder,
    relation: Relation,
    table: Relation,
    near: Expression,
    unmatched: bool,
    on: tuple[tuple[Expression, Expression], ...],
    dropped: set[int],
) -> Relation:
    kind = JoinKind.LEFT if unmatched else JoinKind.INNER
    joined = Join(relation, table, kind, on, near)
    names = Names(tuple(c.name for c in relation.columns))
    items: list[tuple[Column, Expression]] = [(c, Reference(c)) for c in relation.columns]
    for column in table.columns:
        if column.id not in dropped:
            name = names.free(column.name)
            items.append((column if name == column.name else b.column(name, column.type), Reference(column)))
    return Project(joined, tuple(items))


def rows_near(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """The rows that are so many rows before or after one for which the condition holds."""
    row = Row(relation.columns, scope)
    condition = b.condition(call.arguments[0], row, "the condition of rows_near")
    counts = [constant_of(b, tree, scope, LONG) for tree in call.arguments[1:]]
    if condition is BROKEN or any(c is None for c in counts):
        return relation
    if not is_ordered(relation):
        b.report(say.needs_order("rows_near", call.name_span))
        return relation
    before = counts[0]
    after = counts[-1]
    assert isinstance(before, Constant)
    assert isinstance(after, Constant)
    if (
        not isinstance(before.value, int)
        or not isinstance(after.value, int)
        or before.value < 0
        or after.value < 0
    ):
        b.report(say.bad_row_count(before.value, call.span))
        return relation
    near = b.column("near", BOOL)
    told = Window(relation, ((near, Windowed("any_near", (condition, before, after), BOOL)),))
    kept = Filter(told, Reference(near))
    return Project(kept, tuple((c, Reference(c)) for c in relation.columns))


_UNMATCHED = frozenset(("return_unmatched",))
_SHAPES = _UNMATCHED | {"return_lookup_key", "radius"}

PLUGINS = (
    Plugin("ipv4_lookup", (3, 64), _address_lookup("ipv4_is_in_range"), "Looks IPv4 addresses up in networks.",
           _UNMATCHED),
    Plugin("ipv6_lookup", (3, 64), _address_lookup("ipv6_is_in_range"), "Looks IPv6 addresses up in networks.",
           _UNMATCHED),
    Plugin("geo_polygon_lookup", (4, 8), _shape_lookup("geo_point_in_polygon", "geo_distance_point_to_polygon"),
           "Looks points up in polygons.", _SHAPES),
    Plugin("geo_line_lookup", (4, 8), _shape_lookup("", "geo_distance_point_to_line"), "Looks points up near lines.",
           _SHAPES),
    Plugin("rows_near", (2, 3), rows_near, "The rows around those for which a condition holds."),
)  # fmt: skip
