"""The plan: relational algebra over bound expressions. It knows neither Kusto's operators nor SQL.

Rows keep the order of their input through Filter, Project, Limit, Window, Unnest. A node that breaks the identity of
rows (Aggregate, Union) makes new columns; all others pass the ids of their input on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aforo.kql.bound import Aggregation, Column, Expression, Relation, Windowed
from aforo.kql.symbols import PromotedPath, TableSymbol


@dataclass(frozen=True, slots=True)
class Extract(Relation):
    """A value that a scan takes out of one of its text columns: all steps below `parse_json(source)`.

    `hops` holds the lengths at which `parse_json` was applied again on the way: a string met there is parsed.
    """

    column: Column
    source: Column
    steps: tuple[str | int, ...]
    hops: tuple[int, ...] = ()
    promoted: PromotedPath | None = None


@dataclass(frozen=True, slots=True)
class Scan(Relation):
    """Rows of a stored table. `extracts` are further columns, computed once per row."""

    table: TableSymbol
    read: tuple[Column, ...]
    extracts: tuple[Extract, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.read


@dataclass(frozen=True, slots=True)
class Values(Relation):
    """Rows written in the query (`datatable`, `print`); expressions without references."""

    made: tuple[Column, ...]
    rows: tuple[tuple[Expression, ...], ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.made


@dataclass(frozen=True, slots=True)
class Steps(Relation):
    """`range column from start to stop step step`"""

    column: Column
    start: Expression
    stop: Expression
    step: Expression

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Filter(Relation):
    input: Relation
    predicate: Expression

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Project(Relation):
    """`items` are all output columns; one whose expression is a reference to itself is passed on."""

    input: Relation
    items: tuple[tuple[Column, Expression], ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in self.items)


@dataclass(frozen=True, slots=True)
class Aggregate(Relation):
    """One row per distinct combination of keys; one row in all when there are no keys."""

    input: Relation
    keys: tuple[tuple[Column, Expression], ...]
    aggregates: tuple[tuple[Column, Aggregation], ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in self.keys) + tuple(column for column, _ in self.aggregates)


@dataclass(frozen=True, slots=True)
class Window(Relation):
    """The input's columns and one more per item, computed over the rows in their order.

    With `partition` the rows that agree in these columns are on their own, wherever they stand.
    """

    input: Relation
    items: tuple[tuple[Column, Windowed], ...]
    partition: tuple[Expression, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns + tuple(column for column, _ in self.items)


@dataclass(frozen=True, slots=True)
class SortKey:
    expression: Expression
    ascending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Sort(Relation):
    input: Relation
    keys: tuple[SortKey, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Limit(Relation):
    input: Relation
    count: Expression

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


class JoinKind(Enum):
    INNER = "inner"
    INNER_UNIQUE = "innerunique"  # the left side is made unique by the keys first
    LEFT = "leftouter"
    RIGHT = "rightouter"
    FULL = "fullouter"
    LEFT_SEMI = "leftsemi"
    LEFT_ANTI = "leftanti"


@dataclass(frozen=True, slots=True)
class Join(Relation):
    """Rows that agree in all pairs of `on`, and for which `near` holds; semi and anti joins have the left columns only."""

    left: Relation
    right: Relation
    kind: JoinKind
    on: tuple[tuple[Expression, Expression], ...]
    near: Expression | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        if self.kind in (JoinKind.LEFT_SEMI, JoinKind.LEFT_ANTI):
            return self.left.columns
        return self.left.columns + self.right.columns


@dataclass(frozen=True, slots=True)
class Union(Relation):
    """All rows of all inputs; `branches` give each input's expression per output column."""

    made: tuple[Column, ...]
    branches: tuple[tuple[Relation, tuple[Expression, ...]], ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.made


@dataclass(frozen=True, slots=True)
class Unnest(Relation):
    """`mv-expand`: one row per element of the arrays (side by side); other columns are repeated.

    `items` are (new column, dynamic expression); `index` numbers the elements from 0; `pairs` gives bags as
    `[name, value]` arrays instead of one-property bags. Null counts as one element, an empty array as none: a row
    gives as many rows as its longest array has elements.
    """

    input: Relation
    items: tuple[tuple[Column, Expression], ...]
    index: Column | None
    pairs: bool
    limit: int | None

    @property
    def columns(self) -> tuple[Column, ...]:
        extra = () if self.index is None else (self.index,)
        return self.input.columns + tuple(column for column, _ in self.items) + extra


@dataclass(frozen=True, slots=True)
class Cursor(Relation):
    """The row at hand of a Walk, beside the state that the row before it has left."""

    made: tuple[Column, ...]
    key: int

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.made


@dataclass(frozen=True, slots=True)
class Walk(Relation):
    """Rows one after another in their order, each making a state for the next.

    `given` are the cursor's columns with those of the input that they show; `state` the cursor's columns with their
    first values and the columns of the body that are passed on. The body is made of Projects over the cursor and passes
    `number` (the row's, from 1) and `part` on. With `partition` each part has a state of its own.
    """

    input: Relation
    cursor: Cursor
    given: tuple[tuple[Column, Column], ...]
    state: tuple[tuple[Column, Expression, Column], ...]
    number: Column
    part: Column
    body: Relation
    partition: tuple[Expression, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.body.columns


@dataclass(frozen=True, slots=True)
class Graph(Relation):
    """What graph operators pass on; no node of a plan. `nodes` have an `id` each, and the properties `shown`."""

    edges: Relation
    source: Column
    target: Column
    nodes: Relation
    id: Column
    shown: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.edges.columns


Node = (
    Scan | Values | Steps | Filter | Project | Aggregate | Window | Sort | Limit | Join | Union | Unnest | Cursor | Walk
)  # fmt: skip


def inputs(node: Relation) -> tuple[Relation, ...]:
    """The relations right below a node."""
    match node:
        case Filter() | Project() | Aggregate() | Window() | Sort() | Limit() | Unnest():
            return (node.input,)
        case Join():
            return (node.left, node.right)
        case Union():
            return tuple(branch for branch, _ in node.branches)
        case Walk():
            return (node.input, node.body)
        case _:
            return ()


def expressions(node: Relation) -> list[Expression]:
    """The expressions of a node itself."""
    match node:
        case Filter(predicate=predicate):
            return [predicate]
        case Project(items=items) | Unnest(items=items):
            return [e for _, e in items]
        case Aggregate():
            conditions = [a.condition for _, a in node.aggregates if a.condition is not None]
            return (
                [e for _, e in node.keys] + [e for _, a in node.aggregates for e in a.arguments] + conditions
            )
        case Window():
            return [*(e for _, w in node.items for e in w.arguments), *node.partition]
        case Sort():
            return [k.expression for k in node.keys]
        case Limit():
            return [node.count]
        case Walk():
            return [*(e for _, e, _ in node.state), *node.partition]
        case Join():
            return [*(e for pair in node.on for e in pair), *([] if node.near is None else [node.near])]
        case Union():
            return [e for _, es in node.branches for e in es]
        case Values():
            return [e for row in node.rows for e in row]
        case Steps():
            return [node.start, node.stop, node.step]
        case _:
            return []
