"""Plugins over bags: bag_unpack. Its columns are the names that the bags have: the data tells them, or the author."""

from __future__ import annotations

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Apply, Column, Constant, Expression, Path, Reference, Relation
from aforo.kql.convert import cast
from aforo.kql.literals import json_value
from aforo.kql.operators.plugins.spec import Plugin, PluginCall
from aforo.kql.plan import Aggregate, Project, Unnest
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, LONG, REAL, STRING, KqlType

_CONFLICTS = ("error", "replace_source", "keep_source")
# What `gettype` says of a value, as the type of a column.
_TYPES = {"long": LONG, "int": LONG, "double": REAL, "real": REAL, "string": STRING, "bool": BOOL}


def bag_unpack(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    row = Row(relation.columns, scope)
    bag = b.scalar(call.arguments[0], row)
    if bag is BROKEN:
        return relation
    if bag.type is not DYNAMIC:
        b.report(
            say.wrong_type("what bag_unpack takes apart", "dynamic", bag.type.value, call.arguments[0].span)
        )
        return relation
    named = {
        **dict(
            zip(
                ("outputcolumnprefix", "columnsconflict", "ignoredproperties"),
                call.arguments[1:],
                strict=False,
            )
        ),
        **call.options,
    }
    prefix = _text(b, named.get("outputcolumnprefix"), "")
    conflict = _text(b, named.get("columnsconflict"), "error")
    ignored = _names(b, named.get("ignoredproperties"))
    if conflict not in _CONFLICTS:
        b.report(say.bad_argument(f"columnsConflict is one of {', '.join(_CONFLICTS)}", call.span))
        return relation
    source = bag.column if isinstance(bag, Reference) else None
    kept = [c for c in relation.columns if c is not source]
    if call.schema is not None:
        return _declared(b, relation, bag, call, kept, prefix)
    outputs: dict[str, tuple[Column, Expression]] = {c.name: (c, Reference(c)) for c in kept}
    for name, type_ in _discovered(b, relation, bag).items():
        if name in ignored:
            continue
        column = b.column(prefix + name, type_)
        if column.name in outputs:
            if conflict == "keep_source":
                continue
            if conflict == "error":
                b.report(say.bad_argument(f"the bag has a '{name}', and '{column.name}' is a column already", call.span,
                                          "columnsConflict='keep_source' or 'replace_source' says which one stays"))  # fmt: skip
                continue
        outputs[column.name] = (column, cast(Path(bag, (name,)), type_))
    return Project(relation, tuple(outputs.values()))


def _declared(
    b: Binder, relation: Relation, bag: Expression, call: PluginCall, kept: list[Column], prefix: str
) -> Relation:
    """The columns that the author declared. Without `*` those of the input count only where they are named."""
    assert call.schema is not None
    by_name = {c.name: c for c in kept}
    items: list[tuple[Column, Expression]] = [(c, Reference(c)) for c in kept] if call.keeps else []
    for declared in call.schema:
        known = by_name.get(declared.name)
        if known is not None and not call.keeps:
            items.append((known, Reference(known)))
            continue
        name = declared.name.removeprefix(prefix)
        items.append((b.column(declared.name, declared.type), cast(Path(bag, (name,)), declared.type)))
    return Project(relation, tuple(items))


def _discovered(b: Binder, relation: Relation, bag: Expression) -> dict[str, KqlType]:
    """The names that the bags have, in the order of the alphabet, each with the type that all its values have."""
    held = b.column("bag", DYNAMIC)
    element = b.column("name", DYNAMIC)
    names = Apply("bag_keys", (Reference(held),), DYNAMIC)
    rows = Unnest(Project(relation, ((held, bag),)), ((element, names),), None, False, None)
    name = cast(Reference(element), STRING)
    value = Apply("property_at", (Reference(held), name), DYNAMIC)
    kind = Apply("gettype", (value,), STRING)
    found = b.discovered(
        Aggregate(rows, ((b.column("name", STRING), name), (b.column("type", STRING), kind)), ())
    )
    out: dict[str, set[KqlType]] = {}
    for told, type_ in found:
        if told and type_ != "null":
            out.setdefault(str(told), set()).add(_TYPES.get(str(type_), DYNAMIC))
        elif told:
            out.setdefault(str(told), set())
    return {n: _common(out[n]) for n in sorted(out)}


def _common(types: set[KqlType]) -> KqlType:
    if types == {LONG, REAL}:
        return REAL
    return types.pop() if len(types) == 1 else DYNAMIC


def _text(b: Binder, tree: s.Syntax | None, default: str) -> str:
    if tree is None:
        return default
    found = b.scalar(tree, Row())
    if isinstance(found, Constant) and found.type is STRING:
        return str(found.value)
    b.report(say.must_be_constant("this argument of bag_unpack", tree.span))
    return default


def _names(b: Binder, tree: s.Syntax | None) -> frozenset[str]:
    if tree is None:
        return frozenset()
    found = b.scalar(tree, Row())
    names = json_value(found.value) if isinstance(found, Constant) else None
    if isinstance(names, list):
        return frozenset(str(n) for n in names)
    b.report(say.must_be_constant("ignoredProperties", tree.span))
    return frozenset()


PLUGINS = (
    Plugin(
        "bag_unpack",
        (1, 4),
        bag_unpack,
        "Makes columns of what bags hold, one for each name.",
        frozenset(("outputcolumnprefix", "columnsconflict", "ignoredproperties")),
    ),
)
