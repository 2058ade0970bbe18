"""A subquery over parts of a table at once: its plan rewritten so that what tells the parts apart travels along.

`mv-apply`, `partition` and their kin bind a subquery over rows as if there were one part; here counting, sorting,
limiting and grouping become that of each part. It knows no syntax.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from aforo.kql.binder import Binder
from aforo.kql.bound import (
    Aggregation,
    Apply,
    Column,
    Constant,
    Expression,
    InRelation,
    Path,
    Reference,
    Relation,
    ScalarQuery,
    Windowed,
)
from aforo.kql.convert import apply, cast
from aforo.kql.plan import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Sort,
    SortKey,
    Union,
    Unnest,
    Walk,
    Window,
    expressions,
    inputs,
)
from aforo.kql.types import BOOL, LONG


class ApartError(Exception):
    """The subquery holds something that cannot be done part by part; `what` says it in words."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Parts:
    """Rewrites the plan of a subquery over `shown` to one over `given`, which has the same columns and more: `keys`
    tell the parts apart, and columns in `carried` are the same in all rows of a part.

    A part whose rows have all been filtered away is gone, so that a `count` after that has no 0 for it; with `empty_too`
    that is refused (ApartError).
    """

    def __init__(
        self,
        b: Binder,
        shown: Relation,
        given: Relation,
        keys: tuple[Column, ...],
        carried: tuple[Column, ...] = (),
        *,
        empty_too: bool = False,
    ) -> None:
        self.b = b
        self.shown = shown
        self.given = given
        self.start = (keys, carried)
        self.empty_too = empty_too

    def over(self, node: Relation) -> tuple[Relation, tuple[Column, ...], tuple[Column, ...]]:
        """(the plan, its keys, its carried columns); raises ApartError."""
        if node is self.shown:
            return self.given, *self.start
        if any(mentions(e, self.shown) for e in expressions(node)):
            raise ApartError("reading its rows once more inside an expression")
        match node:
            case Filter() | Unnest():
                inner, keys, carried = self.over(node.input)
                return replace(node, input=inner), keys, carried
            case Sort():
                inner, keys, carried = self.over(node.input)
                first = tuple(SortKey(Reference(k), True, True) for k in keys) if node.keys else ()
                return Sort(inner, (*first, *node.keys)), keys, carried
            case Project():
                inner, keys, carried = self.over(node.input)
                have = {c.id for c, _ in node.items}
                extra = tuple((c, Reference(c)) for c in dict.fromkeys((*keys, *carried)) if c.id not in have)
                return Project(inner, (*node.items, *extra)), keys, carried
            case Limit():
                return self._limit(node)
            case Window():
                inner, keys, carried = self.over(node.input)
                partition = (*node.partition, *(Reference(k) for k in keys))
                return replace(node, input=inner, partition=partition), keys, carried
            case Aggregate():
                return self._aggregate(node)
            case Walk():
                return self._walk(node)
            case Join():
                return self._join(node)
            case Union():
                return self._union(node)
            case _:
                raise ApartError("a table of its own")

    def _limit(self, node: Limit) -> tuple[Relation, tuple[Column, ...], tuple[Column, ...]]:
        inner, keys, carried = self.over(node.input)
        number, numbered = row_numbers(self.b, inner, keys)
        kept = apply("less_equal", (Reference(number), cast(node.count, LONG)), BOOL)
        return Filter(numbered, kept), keys, carried

    def _walk(self, node: Walk) -> tuple[Relation, tuple[Column, ...], tuple[Column, ...]]:
        inner, keys, carried = self.over(node.input)
        extra = tuple((self.b.column(c.name, c.type), c) for c in dict.fromkeys((*keys, *carried)))
        shown = {source.id: c for c, source in extra}
        cursor = replace(node.cursor, made=(*node.cursor.made, *(c for c, _ in extra)))
        passed = tuple((c, Reference(c)) for c, _ in extra)

        def through(body: Relation) -> Relation:
            if isinstance(body, Project):
                return Project(through(body.input), (*body.items, *passed))
            return cursor

        partition = (*node.partition, *(Reference(k) for k in keys))
        walk = replace(
            node,
            input=inner,
            cursor=cursor,
            given=(*node.given, *extra),
            body=through(node.body),
            partition=partition,
        )
        return walk, tuple(shown[k.id] for k in keys), tuple(shown[c.id] for c in carried)

    def _aggregate(self, node: Aggregate) -> tuple[Relation, tuple[Column, ...], tuple[Column, ...]]:
        if self.empty_too and not node.keys and self._may_drop(node.input):
            raise ApartError("a total after rows were filtered away")
        inner, keys, carried = self.over(node.input)
        made = tuple(self.b.column(k.name, k.type) for k in keys)
        held = tuple(self.b.column(c.name, c.type) for c in carried)
        taken = tuple(
            (h, Aggregation("take_any_row", (Reference(c),), c.type))
            for h, c in zip(held, carried, strict=True)
        )
        grouped = Aggregate(
            inner,
            (*node.keys, *((m, Reference(k)) for m, k in zip(made, keys, strict=True))),
            (*node.aggregates, *taken),
        )
        return grouped, made, held

    def _may_drop(self, node: Relation) -> bool:
        while node is not self.shown:
            if not isinstance(node, Project | Sort | Window):
                return True
            node = node.input
        return False

    def _join(self, node: Join) -> tuple[Relation, tuple[Column, ...], tuple[Column, ...]]:
        if contains(node.right, self.shown):
            raise ApartError("a join of its rows with themselves")
        if node.kind in (JoinKind.RIGHT, JoinKind.FULL):
            raise ApartError(f"a join of kind {node.kind.value}")
        inner, keys, carried = self.over(node.left)
        kind = node.kind
        if kind is JoinKind.INNER_UNIQUE:
            among = (*(Reference(k) for k in keys), *(e for e, _ in node.on))
            number, numbered = row_numbers(self.b, inner, among)
            inner = Filter(numbered, apply("equals", (Reference(number), Constant(1, LONG)), BOOL))
            kind = JoinKind.INNER
        return replace(node, left=inner, kind=kind), keys, carried

    def _union(self, node: Union) -> tuple[Relation, tuple[Column, ...], tuple[Column, ...]]:
        keys, carried = self.start
        made = tuple(self.b.column(k.name, k.type) for k in keys)
        held = tuple(self.b.column(c.name, c.type) for c in carried)
        branches = []
        for branch, items in node.branches:
            inner, own_keys, own_carried = self.over(branch)
            branches.append((inner, (*items, *(Reference(c) for c in (*own_keys, *own_carried)))))
        return Union((*node.made, *made, *held), tuple(branches)), made, held


def row_numbers(
    b: Binder, relation: Relation, among: tuple[Column | Expression, ...] = ()
) -> tuple[Column, Relation]:
    """The relation with the number of each row, from 1, among those that agree in some columns."""
    number = b.column("row", LONG)
    partition = tuple(Reference(a) if isinstance(a, Column) else a for a in among)
    return number, Window(relation, ((number, Windowed("row_number", (), LONG)),), partition)


def is_by_row(node: Relation, below: Relation) -> bool:
    """Whether every row of the plan comes from one row of `below`, whatever stands beside it."""
    while node is not below:
        if not isinstance(node, Filter | Project | Unnest):
            return False
        if any(mentions(e, below) for e in expressions(node)):
            return False
        node = node.input
    return True


def contains(node: Relation, wanted: Relation) -> bool:
    return (
        node is wanted
        or any(contains(i, wanted) for i in inputs(node))
        or any(mentions(e, wanted) for e in expressions(node))
    )


def mentions(expression: Expression, wanted: Relation) -> bool:
    """Whether a relation inside the expression reads `wanted`."""
    return any(contains(relation, wanted) for relation in _inside(expression))


def _inside(expression: Expression) -> Iterator[Relation]:
    match expression:
        case ScalarQuery(relation=relation):
            yield relation
        case InRelation(operand=operand, relation=relation):
            yield relation
            yield from _inside(operand)
        case Apply(arguments=arguments):
            for argument in arguments:
                yield from _inside(argument)
        case Path(base=base):
            yield from _inside(base)
        case _:
            return
