"""`make-graph` and `graph-to-table`: rows as edges between nodes, and back. A graph stands only before graph operators."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Aggregation, Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import apply
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import (
    Aggregate,
    Filter,
    Graph,
    Join,
    JoinKind,
    Project,
    Union,
)
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, LONG, STRING, KqlType
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class MakeGraph(s.Operator):
    source: s.Name
    target: s.Name
    nodes: tuple[tuple[s.Syntax, s.Name], ...]
    node_id: str
    span: Span


@dataclass(frozen=True, slots=True)
class GraphToTable(s.GraphOperator):
    """`shown` is `nodes` or `edges`; `ids` are the names of columns with the ids of nodes, by option."""

    shown: str
    ids: dict[str, str]
    span: Span


def _name(p: Parser, what: str) -> s.Name:
    span = p.peek().span
    return s.Name(p.name(what), span)


def parse_make(p: Parser, start: Span) -> MakeGraph:
    source = _name(p, "a column")
    for mark in ("-", "-", ">"):
        p.expect_mark(mark)
    target = _name(p, "a column")
    nodes: list[tuple[s.Syntax, s.Name]] = []
    node_id = ""
    if p.take_name("with"):
        while True:
            table = p.subquery()
            p.expect_name("on")
            nodes.append((table, _name(p, "a column")))
            if not p.take_mark(","):
                break
    elif p.take_name("with_node_id"):
        p.expect_mark("=")
        node_id = p.name("a column")
    if p.peek_name("partitioned"):
        p.report(say.unsupported("a graph in partitions", p.peek().span))
        p.skip_to_pipe()
    return MakeGraph(source, target, tuple(nodes), node_id, start.to(p.last))


def _column(b: Binder, relation: Relation, name: s.Name) -> Column | None:
    found = next((c for c in relation.columns if c.name == name.text), None)
    if found is None:
        b.report(say.unknown_column(name.text, name.span, [c.name for c in relation.columns]))
    elif found.type is DYNAMIC:
        b.report(say.wrong_type("the id of a node", "a plain value", "dynamic", name.span))
        return None
    return found


def bind_make(b: Binder, relation: Relation, tree: MakeGraph, scope: Scope) -> Relation:
    source, target = _column(b, relation, tree.source), _column(b, relation, tree.target)
    if source is None or target is None:
        return relation
    if source.type is not target.type:
        b.report(say.no_operator("-->", source.type.value, target.type.value, tree.span))
        return relation
    edges = _connected(relation, source, target)
    ids = _ids(b, edges, source, target)
    if not tree.nodes:
        column = ids.columns[0]
        named = b.column(tree.node_id, column.type) if tree.node_id else None
        shown = () if named is None else ((named, Reference(column)),)
        bare = Project(ids, ((column, Reference(column)), *shown))
        return Graph(edges, source, target, bare, column, () if named is None else (named,))
    tables: list[tuple[Relation, Column]] = []
    for syntax, name in tree.nodes:
        table = b.relation(syntax, scope)
        if not table.columns or (key := _column(b, table, name)) is None:
            return relation
        if key.type is not source.type:
            b.report(say.no_operator("==", source.type.value, key.type.value, name.span))
            return relation
        tables.append((table, key))
    if len({key.name for _, key in tables}) > 1:
        b.report(say.unsupported("tables of nodes whose ids have different names", tree.span))
        return relation
    nodes, id_, shown_columns = _nodes(b, ids, tables)
    return Graph(edges, source, target, nodes, id_, shown_columns)


def _connected(relation: Relation, source: Column, target: Column) -> Relation:
    """The edges between two nodes that are there."""
    for end in (source, target):
        if end.type is not STRING:
            relation = Filter(relation, apply("isnotnull", (Reference(end),), BOOL))
    return relation


def _ids(b: Binder, edges: Relation, source: Column, target: Column) -> Relation:
    """All nodes that edges have, each once."""
    made = b.column("id", source.type)
    both = Union((made,), ((edges, (Reference(source),)), _once_more(b, edges, target)))
    key = b.column("id", source.type)
    return Aggregate(both, ((key, Reference(made)),), ())


def _once_more(b: Binder, relation: Relation, column: Column) -> tuple[Relation, tuple[Expression, ...]]:
    """The relation once more, with one of its columns as a branch of a union."""
    again = b.relabelled(relation)
    return again, (Reference(again.columns[relation.columns.index(column)]),)


def _nodes(
    b: Binder, ids: Relation, tables: list[tuple[Relation, Column]]
) -> tuple[Relation, Column, tuple[Column, ...]]:
    """(nodes with an id each, the id, the columns of the tables): those of the tables, and those that only edges have."""
    outline: dict[tuple[str, KqlType], Column] = {}
    for table, _ in tables:
        for c in table.columns:
            outline.setdefault((c.name, c.type), b.column(c.name, c.type))
    made = tuple(outline.values())
    branches: list[tuple[Relation, tuple[Expression, ...]]] = []
    for table, _ in tables:
        own = {(c.name, c.type): c for c in table.columns}
        branches.append((table, tuple(_or_null(own.get(key), c) for key, c in outline.items())))
    together = Union(made, tuple(branches))
    key = next(c for c in made if c.name == tables[0][1].name and c.type is tables[0][1].type)
    id_ = b.column("id", key.type)
    properties = tuple(
        (b.column(c.name, c.type), Aggregation("take_any", (Reference(c),), c.type)) for c in made
    )
    merged = Aggregate(together, ((id_, Reference(key)),), properties)
    again = b.relabelled(merged)
    lonely = Join(ids, again, JoinKind.LEFT_ANTI, ((Reference(ids.columns[0]), Reference(again.columns[0])),))
    columns = tuple(b.column(c.name, c.type) for c, _ in properties)
    out = b.column("id", key.type)
    bare = [
        Reference(ids.columns[0]) if c.name == key.name and c.type is key.type else _or_null(None, c)
        for c in columns
    ]
    everything = Union(
        (out, *columns),
        (
            (merged, (Reference(id_), *(Reference(c) for c, _ in properties))),
            (lonely, (Reference(ids.columns[0]), *bare)),
        ),
    )
    return everything, out, columns


def _or_null(column: Column | None, wanted: Column) -> Expression:
    return (
        Constant("" if wanted.type is STRING else None, wanted.type) if column is None else Reference(column)
    )


def parse_to_table(p: Parser, start: Span) -> GraphToTable:
    shown = p.name("'nodes' or 'edges'")
    if shown not in ("nodes", "edges"):
        p.report(say.expected("'nodes' or 'edges'", f"'{shown}'", p.last))
    ids: dict[str, str] = {}
    wanted = ("with_node_id",) if shown == "nodes" else ("with_source_id", "with_target_id")
    while p.peek().text in wanted:
        option = p.next().text
        p.expect_mark("=")
        ids[option] = p.name("a column")
    if p.peek_mark(",") or p.peek_name("as"):
        p.report(say.refused("'graph-to-table' of nodes and edges", "it gives several tables", p.peek().span))
        p.skip_to_pipe()
    return GraphToTable(shown, ids, start.to(p.last))


def bind_to_table(b: Binder, relation: Relation, tree: GraphToTable, _scope: Scope) -> Relation:
    if not isinstance(relation, Graph):
        b.report(say.needs_graph("graph-to-table", tree.span))
        return relation
    items: list[tuple[Column, Expression]] = []
    rows = relation.nodes if tree.shown == "nodes" else relation.edges
    ends = {"with_node_id": relation.id, "with_source_id": relation.source, "with_target_id": relation.target}
    for option, end in ends.items():
        if (name := tree.ids.get(option)) is not None:
            call = s.Call("hash", (s.Name(end.name, tree.span),), tree.span, tree.span)
            items.append((b.column(name, LONG), b.scalar(call, Row((end,)))))
    shown = relation.shown if tree.shown == "nodes" else relation.edges.columns
    items += [(c, Reference(c)) for c in shown]
    if not items:
        what = "nodes without properties"
        b.report(say.unsupported(what, tree.span, "'make-graph ... with_node_id=name' gives them one"))
        return relation
    return Project(rows, tuple(items))


OPERATORS = (
    Declared(("make-graph",), MakeGraph, parse_make, bind_make, "Takes rows for the edges of a graph."),
    Declared(
        ("graph-to-table",), GraphToTable, parse_to_table, bind_to_table, "The nodes, or the edges, as rows."
    ),
)
