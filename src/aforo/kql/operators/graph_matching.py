"""`graph-match`: paths of a pattern in a graph, as joins of its edges. An edge of several lengths is one plan per length."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Expression, Reference, Relation, Windowed
from aforo.kql.convert import apply
from aforo.kql.naming import Names, own_name
from aforo.kql.operators.graph_patterns import Edge, Match, parse
from aforo.kql.operators.spec import Declared
from aforo.kql.plan import Filter, Graph, Join, JoinKind, Project, Sort, SortKey, Union, Window
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, LONG, KqlType

# Combinations of lengths, and edges in one path: more would be more joins than a query may have.
MOST_PLANS, MOST_EDGES = 24, 12


def bind(b: Binder, relation: Relation, tree: Match, scope: Scope) -> Relation:
    if not isinstance(relation, Graph):
        b.report(say.needs_graph("graph-match", tree.span))
        return relation
    ranges = [range(edge.least, edge.most + 1) for edge in tree.edges]
    plans = 1
    for counts in ranges:
        plans *= len(counts)
    if plans > MOST_PLANS or sum(edge.most for edge in tree.edges) > MOST_EDGES:
        what = f"a pattern of more than {MOST_EDGES} edges or {MOST_PLANS} combinations of lengths"
        b.report(say.unsupported(what, tree.span))
        return relation.edges
    edges = relation.edges
    if tree.cycles == "unique_edges" and sum(edge.most for edge in tree.edges) > 1:
        edges = _numbered(b, edges)
    told = len(b.mistakes)
    branches: list[Relation] = []
    for lengths in product(*ranges):
        branches.append(_Path(b, relation, edges, tree, lengths, scope).found())
        if len(b.mistakes) > told:
            return branches[0]
    if len(branches) == 1:
        return branches[0]
    made = tuple(b.column(c.name, c.type) for c in branches[0].columns)
    return Union(made, tuple((leg, tuple(Reference(c) for c in leg.columns)) for leg in branches))


def _numbered(b: Binder, edges: Relation) -> Relation:
    """The edges with a number each. In the order of all their values, so that they are numbered alike wherever the table
    is read: only rows that agree in everything could change places."""
    ordered = Sort(edges, tuple(SortKey(Reference(c), True, True) for c in edges.columns))
    counted = Windowed("row_number", (Constant(0, LONG), Constant(False, BOOL)), LONG)
    return Window(ordered, ((b.column("number", LONG), counted),))


@dataclass(slots=True)
class _Path:
    """The pattern with a length for each of its edges. `ends` are the ids of the nodes along it, `columns` what can be
    said of its nodes and edges, by kind, place and name; `numbered` the edges, with a number each if they need one."""

    b: Binder
    graph: Graph
    numbered: Relation
    tree: Match
    lengths: Sequence[int]
    scope: Scope
    relation: Relation = field(init=False)
    ends: list[Column] = field(default_factory=list)
    numbers: list[Column] = field(default_factory=list)
    columns: dict[tuple[str, int, str], Column] = field(default_factory=dict)
    node_at: dict[str, int] = field(default_factory=dict)
    edges_of: dict[str, range] = field(default_factory=dict)

    def found(self) -> Relation:
        self._walk()
        self._distinct()
        for place in sorted(self._looked_at()):
            self._join_node(place)
        shown = {key: self.b.column(f"{key[0]} {key[1]} {key[2]}", c.type) for key, c in self.columns.items()}
        items = tuple((shown[key], Reference(c)) for key, c in self.columns.items())
        rows: Relation = Project(self.relation, items) if items else self.relation
        row = Row(rows.columns, self.scope)
        if self.tree.where is not None:
            condition = self.b.condition(self._plain(self.tree.where), row, "the condition of graph-match")
            rows = rows if condition is BROKEN else Filter(rows, condition)
        names = Names()
        for item in self.tree.items:
            if isinstance(item, s.Named):
                names.taken.update(item.names)
        made: list[tuple[Column, Expression]] = []
        for item in self.tree.items:
            inner = item.expression if isinstance(item, s.Named) else item
            name = item.names[0] if isinstance(item, s.Named) else names.free(own_name(inner))
            value = self.b.scalar(self._plain(inner), row)
            made.append((self.b.column(name, value.type), value))
        return Project(rows, tuple(made))

    # -- the path ----------------------------------------------------------------------------------------

    def _walk(self) -> None:
        for name, place in zip(self.tree.nodes, self._places(), strict=True):
            if name and name in self.node_at:
                continue
            if name:
                self.node_at[name] = place
        if not self.tree.edges:
            nodes = self.b.relabelled(self.graph.nodes)
            self.relation = nodes
            self.ends.append(nodes.columns[self.graph.nodes.columns.index(self.graph.id)])
        step = 0
        for edge, length in zip(self.tree.edges, self.lengths, strict=True):
            self.edges_of[edge.name or f"edge {step}"] = range(step, step + length)
            for _ in range(length):
                self._step(edge, step)
                step += 1
        for name, place in zip(self.tree.nodes, self._places(), strict=True):
            if name and self.node_at[name] != place:
                self._keep("equals", self.ends[self.node_at[name]], self.ends[place])

    def _places(self) -> list[int]:
        out = [0]
        for length in self.lengths:
            out.append(out[-1] + length)
        return out

    def _step(self, edge: Edge, step: int) -> None:
        leg, near, far = self._leg(edge)
        if step == 0:
            self.relation = leg
            self.ends.append(near)
        else:
            self.relation = Join(
                self.relation, leg, JoinKind.INNER, ((Reference(self.ends[-1]), Reference(near)),)
            )
        self.ends.append(far)
        for made, c in zip(leg.columns, self.graph.edges.columns, strict=False):
            self.columns["edge", step, c.name] = made
        if self.numbered is not self.graph.edges:
            self.numbers.append(leg.columns[len(self.graph.edges.columns)])

    def _leg(self, edge: Edge) -> tuple[Relation, Column, Column]:
        """The edges once more, with the ends at which a path comes in and goes out."""
        one, source, target = self._ends(forward=edge.direction != "back")
        if edge.direction != "any":
            return one, source, target
        # An edge from a node to itself is the same in both directions.
        other, at, to = self._ends(forward=False)
        other = Filter(other, apply("not_equals", (Reference(at), Reference(to)), BOOL))
        made = tuple(self.b.column(c.name, c.type) for c in one.columns)
        both = Union(made, tuple((leg, tuple(Reference(c) for c in leg.columns)) for leg in (one, other)))
        return both, made[-2], made[-1]

    def _ends(self, *, forward: bool) -> tuple[Relation, Column, Column]:
        g = self.graph
        again = self.b.relabelled(self.numbered)
        place = dict(zip(self.numbered.columns, again.columns, strict=True))
        ends = (place[g.source], place[g.target]) if forward else (place[g.target], place[g.source])
        near, far = (self.b.column("end", c.type) for c in ends)
        kept = [(c, Reference(c)) for c in again.columns]
        leg = Project(again, (*kept, (near, Reference(ends[0])), (far, Reference(ends[1]))))
        return leg, near, far

    def _distinct(self) -> None:
        if self.tree.cycles == "unique_edges":
            for one, other in combinations(self.numbers, 2):
                self._keep("not_equals", one, other)
        elif self.tree.cycles == "none":
            for one, other in combinations(self.ends, 2):
                self._keep("not_equals", one, other)

    def _keep(self, operation: str, one: Column, other: Column) -> None:
        self.relation = Filter(self.relation, apply(operation, (Reference(one), Reference(other)), BOOL))

    def _join_node(self, place: int) -> None:
        nodes = self.b.relabelled(self.graph.nodes)
        made = dict(zip(self.graph.nodes.columns, nodes.columns, strict=True))
        on = ((Reference(self.ends[place]), Reference(made[self.graph.id])),)
        self.relation = Join(self.relation, nodes, JoinKind.INNER, on)
        self.columns["id", place, ""] = made[self.graph.id]
        for c in self.graph.shown:
            self.columns["node", place, c.name] = made[c]

    def _looked_at(self) -> set[int]:
        """The places of nodes that condition or answer mention."""
        out: set[int] = set()
        for tree in (self.tree.where, *self.tree.items):
            for part in _parts(tree):
                if isinstance(part, s.Name) and part.text in self.node_at:
                    out.add(self.node_at[part.text])
                inner = _inner_nodes(part)
                if inner in self.edges_of:
                    steps = self.edges_of[inner]
                    out.update(range(steps.start + 1, steps.stop))
        return out

    # -- expressions -------------------------------------------------------------------------------------

    def _plain(self, tree: Any, inside: tuple[str, int] | None = None) -> Any:
        """The expression with columns in place of what it says of the pattern. `inside` is the edge or node whose
        properties bare names are (in `all`, `any` and `map`)."""
        match tree:
            case s.Member(target=s.Name(text=text), name=name) if text in self.node_at:
                return self._property("node", self.node_at[text], name, tree.span)
            case s.Member(target=s.Name(text=text), name=name) if text in self.edges_of:
                steps = self.edges_of[text]
                each = tuple(self._property("edge", step, name, tree.span) for step in steps)
                if self._is_single(text):
                    return each[0]
                return s.Call("pack_array", each, tree.span, tree.span)
            case s.Call(function="all" | "any" | "map" as function, arguments=(subject, inner)) if (
                parts := self._subject(subject)
            ) is not None:
                each = tuple(self._plain(inner, part) for part in parts)
                return _folded(function, each, tree.span)
            case s.Call(function="node_id", arguments=(s.Name(text=text),)) if text in self.node_at:
                return self._name(("id", self.node_at[text], ""), tree.span)
            case s.Call(function="node_id", arguments=()) if inside is not None and inside[0] == "node":
                return self._name(("id", inside[1], ""), tree.span)
            case s.Name(text=text) if inside is not None and (*inside, text) in self.columns:
                return self._name((*inside, text), tree.span)
            case s.Syntax():
                changed = {
                    f.name: self._plain(getattr(tree, f.name), inside)
                    for f in dataclasses.fields(tree)  # type: ignore[arg-type]
                }
                return dataclasses.replace(tree, **changed)  # type: ignore[type-var]
            case tuple():
                return tuple(self._plain(part, inside) for part in tree)
            case _:
                return tree

    def _is_single(self, name: str) -> bool:
        return any(e.name == name and not e.varies for e in self.tree.edges)

    def _subject(self, tree: s.Syntax) -> list[tuple[str, int]] | None:
        """The edges, or the nodes between them, that `all(edges, ...)` and its kin go through."""
        if isinstance(tree, s.Name) and tree.text in self.edges_of:
            return [("edge", step) for step in self.edges_of[tree.text]]
        inner = _inner_nodes(tree)
        if inner in self.edges_of:
            steps = self.edges_of[inner]
            return [("node", place) for place in range(steps.start + 1, steps.stop)]
        return None

    def _property(self, kind: str, place: int, name: str, span: Any) -> s.Syntax:
        if (kind, place, name) in self.columns:
            return self._name((kind, place, name), span)
        columns = self.graph.shown if kind == "node" else self.graph.edges.columns
        self.b.report(say.unknown_column(name, span, [c.name for c in columns]))
        return s.Literal(None, KqlType.LONG, span)

    def _name(self, key: tuple[str, int, str], span: Any) -> s.Name:
        return s.Name(f"{key[0]} {key[1]} {key[2]}", span)


def _inner_nodes(tree: Any) -> str:
    match tree:
        case s.Call(function="inner_nodes", arguments=(s.Name(text=text),)):
            return text
        case _:
            return ""


def _folded(function: str, each: tuple[Any, ...], span: Any) -> s.Syntax:
    if function == "map":
        return s.Call("pack_array", each, span, span) if each else s.Literal([], DYNAMIC, span)
    out: s.Syntax = s.Literal(function == "all", BOOL, span)
    for i, part in enumerate(each):
        out = part if i == 0 else s.Binary("and" if function == "all" else "or", out, part, span, span)
    return out


def _parts(tree: Any) -> Iterator[Any]:
    """All nodes of a syntax."""
    if isinstance(tree, tuple):
        for part in tree:
            yield from _parts(part)
    elif isinstance(tree, s.Syntax):
        yield tree
        for f in dataclasses.fields(tree):  # type: ignore[arg-type]
            yield from _parts(getattr(tree, f.name))


OPERATORS = (Declared(("graph-match",), Match, parse, bind, "Finds the paths of a pattern in a graph."),)
