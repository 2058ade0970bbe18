"""Plan to plan: JSON paths become values that the scan extracts once per row (or reads from promoted columns), columns
that nobody reads are dropped, and the range of `TimeGenerated` is read off the filters. It knows no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from aforo.kql import time_ranges
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
    references,
)  # fmt: skip
from aforo.kql.first_rows import bounded
from aforo.kql.ingested import OPERATION as INGESTION_TIME
from aforo.kql.ingested import IngestionTimes
from aforo.kql.plan import (
    Aggregate,
    Cursor,
    Extract,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Scan,
    Sort,
    SortKey,
    Steps,
    Union,
    Unnest,
    Values,
    Walk,
    Window,
    expressions,
    inputs,
)  # fmt: skip
from aforo.kql.symbols import PromotedPath
from aforo.kql.time_ranges import ALWAYS, TimeRange, TimeRanges
from aforo.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, INT, LONG, REAL, STRING

TIME_COLUMN = "TimeGenerated"
_LEFT_IS_FILTERED = frozenset({JoinKind.INNER, JoinKind.LEFT, JoinKind.LEFT_SEMI, JoinKind.LEFT_ANTI})
_RIGHT_IS_FILTERED = frozenset({JoinKind.INNER, JoinKind.INNER_UNIQUE, JoinKind.RIGHT})


@dataclass(frozen=True, slots=True)
class Lowered:
    """`time_ranges`: per table the (least, greatest) ticks of `TimeGenerated` that can be in the answer."""

    relation: Relation
    time_ranges: Mapping[str, TimeRange | None]


def lower(relation: Relation) -> Lowered:
    lowering = _Lowering()
    lowering.survey(relation)
    rewritten = lowering.rewrite(relation)
    pruned = lowering.prune(rewritten, {c.id for c in rewritten.columns})
    return Lowered(bounded(pruned, lowering.prune), lowering.ranges)


@dataclass(slots=True)
class _Lowering:
    # What a computed column is, and which scan a stored one comes from.
    definitions: dict[int, Expression] = field(default_factory=dict)
    stored: dict[int, Scan] = field(default_factory=dict)
    extracts: dict[tuple[int, tuple[str | int, ...], tuple[int, ...]], Extract] = field(default_factory=dict)
    ranges: dict[str, TimeRange | None] = field(default_factory=dict)
    # Per stored time the range that follows from all conditions, and what of it the engine is told by them.
    implied: dict[int, TimeRange] = field(default_factory=dict)
    told: dict[int, TimeRange] = field(default_factory=dict)
    next_id: int = -1
    ingested: IngestionTimes = field(init=False)

    def __post_init__(self) -> None:
        self.ingested = IngestionTimes(self.stored, self.definitions)

    # -- survey: what every column is, and which times are asked for --------------------------------------

    def survey(
        self,
        relation: Relation,
        ranges: TimeRanges = MappingProxyType({}),
        told: TimeRanges = MappingProxyType({}),
    ) -> None:
        """`ranges` are the moments that matter of some columns, by all that stands above; `told` is what filters say
        right above the scan, in a form by which the engine itself skips what it need not read."""
        for expression in expressions(relation):
            for inside in _relations_in(expression):
                self.survey(inside)
        match relation:
            case Scan():
                self.stored.update((column.id, relation) for column in relation.columns)
                self._range(relation, ranges, told)
            case Filter(input=inner, predicate=predicate):
                found = time_ranges.where(predicate)
                self.survey(
                    inner, time_ranges.both(ranges, found), time_ranges.both(told, _plainly(predicate))
                )
            case Project(input=inner, items=items):
                self._define(relation)
                renamed = ((c, e) for c, e in items if isinstance(e, Reference))
                self.survey(
                    inner,
                    time_ranges.through(items, ranges),
                    time_ranges.through(renamed, told),
                )
            case Sort(input=inner) | Unnest(input=inner):
                self.survey(inner, ranges, told)
            case Aggregate(input=inner, keys=keys):
                # What drops groups by a key drops their rows. What is added up without keys is a row in any case.
                self.survey(inner, time_ranges.through(keys, ranges))
            case Join(left=left, right=right, kind=kind):
                # A side of which rows are kept without a partner, or are chosen before, has to be whole.
                self.survey(left, ranges if kind in _LEFT_IS_FILTERED else {})
                self.survey(right, ranges if kind in _RIGHT_IS_FILTERED else {})
            case Union(made=made, branches=branches):
                self.ingested.united(relation)
                for branch, values in branches:
                    self.survey(branch, time_ranges.through(zip(made, values, strict=True), ranges))
            case _:
                # A limit and a window depend on rows that a later filter drops.
                for part in inputs(relation):
                    self.survey(part)

    def _define(self, project: Project) -> None:
        for column, expression in project.items:
            if not (isinstance(expression, Reference) and expression.column.id == column.id):
                self.definitions[column.id] = expression

    def _range(self, scan: Scan, ranges: TimeRanges, told: TimeRanges) -> None:
        time = next((c for c in scan.columns if c.name == TIME_COLUMN and c.type is DATETIME), None)
        span = ALWAYS if time is None else ranges.get(time.id, ALWAYS)
        if time is not None:
            # What is used twice (`materialize`) is one scan: it gives all that either use asks for.
            self.implied[time.id] = time_ranges.wider(self.implied.get(time.id, span), span)
            if time.id not in self.told or self.told[time.id] != told.get(time.id, ALWAYS):
                self.told[time.id] = ALWAYS if time.id in self.told else told.get(time.id, ALWAYS)
        name = scan.table.name
        widest = time_ranges.wider(self.ranges.get(name) or ALWAYS, span) if name in self.ranges else span
        self.ranges[name] = None if widest == ALWAYS else widest

    # -- rewrite: paths to extracts ----------------------------------------------------------------------

    def rewrite(self, relation: Relation) -> Relation:
        match relation:
            case Scan():
                within: Relation = relation
                for column in relation.columns:
                    implied = self.implied.get(column.id, ALWAYS)
                    if implied != self.told.get(column.id, ALWAYS):
                        for bound in time_ranges.as_conditions(column, implied):
                            within = Filter(within, bound)
                return within
            case Filter():
                return Filter(self.rewrite(relation.input), self.expression(relation.predicate))
            case Project():
                below = self.rewrite(relation.input)
                items = [
                    item if type(item[1]) is Reference else (item[0], self.expression(item[1]))
                    for item in relation.items
                ]
                return Project(below, tuple(items))
            case Aggregate():
                return Aggregate(
                    self.rewrite(relation.input),
                    tuple((c, self.expression(e)) for c, e in relation.keys),
                    tuple((c, self._aggregation(a)) for c, a in relation.aggregates),
                )
            case Window():
                windows = tuple(
                    (c, Windowed(w.operation, tuple(map(self.expression, w.arguments)), w.type))
                    for c, w in relation.items
                )
                partition = tuple(map(self.expression, relation.partition))
                return Window(self.rewrite(relation.input), windows, partition)
            case Sort():
                keys = tuple(
                    SortKey(self.expression(k.expression), k.ascending, k.nulls_first) for k in relation.keys
                )
                return Sort(self.rewrite(relation.input), keys)
            case Limit():
                return Limit(self.rewrite(relation.input), self.expression(relation.count))
            case Join():
                on = tuple((self.expression(a), self.expression(b)) for a, b in relation.on)
                near = None if relation.near is None else self.expression(relation.near)
                return Join(
                    self.rewrite(relation.left), self.rewrite(relation.right), relation.kind, on, near
                )
            case Union():
                branches = tuple(
                    (self.rewrite(r), tuple(map(self.expression, es))) for r, es in relation.branches
                )
                return Union(relation.made, branches)
            case Unnest():
                items_ = tuple((c, self.expression(e)) for c, e in relation.items)
                return replace(relation, input=self.rewrite(relation.input), items=items_)
            case Walk():
                partition = tuple(map(self.expression, relation.partition))
                return replace(
                    relation,
                    input=self.rewrite(relation.input),
                    body=self.rewrite(relation.body),
                    partition=partition,
                )
            case Values():
                return replace(
                    relation, rows=tuple(tuple(map(self.expression, row)) for row in relation.rows)
                )
            case Steps():
                return Steps(
                    relation.column, self.expression(relation.start), self.expression(relation.stop),
                    self.expression(relation.step),
                )  # fmt: skip
            case _:
                return relation

    def _aggregation(self, a: Aggregation) -> Aggregation:
        condition = None if a.condition is None else self.expression(a.condition)
        return Aggregation(a.operation, tuple(map(self.expression, a.arguments)), a.type, condition)

    def expression(self, expression: Expression) -> Expression:
        match expression:
            case Reference():  # first, for it is what most columns of most projections are
                return expression
            case Path():
                found = self._stored_path(expression)
                if found is not None:
                    source, steps, hops = found
                    return Reference(self._extract(source, steps, hops).column)
                return Path(self.expression(expression.base), expression.steps)
            case Apply(operation=operation, arguments=arguments):
                if operation == INGESTION_TIME:
                    return self.ingested.time(expression)
                if (direct := self._direct(expression)) is not None:
                    return direct
                return replace(expression, arguments=tuple(map(self.expression, arguments)))
            case ScalarQuery():
                return replace(expression, relation=self._inner(expression.relation))
            case InRelation():
                return replace(
                    expression,
                    operand=self.expression(expression.operand),
                    relation=self._inner(expression.relation),
                )
            case _:
                return expression

    def _inner(self, relation: Relation) -> Relation:
        rewritten = self.rewrite(relation)
        first = rewritten.columns[0]
        return self.prune(Project(rewritten, ((first, Reference(first)),)), {first.id})

    def _direct(self, apply: Apply) -> Expression | None:
        """`tostring(path)` of a promoted path whose column has that very type needs no detour through JSON."""
        if len(apply.arguments) != 1 or apply.operation not in _READS:
            return None
        found = self._stored_path(apply.arguments[0])
        if found is None:
            return None
        source, steps, hops = found
        promoted = self._promoted(source, steps)
        if promoted is None or promoted.type not in _READS[apply.operation]:
            return None
        extract = self._extract(source, steps, hops)
        return Apply(
            "read_promoted", (Reference(extract.column), Constant(apply.operation, STRING)), apply.type
        )

    def _stored_path(
        self, expression: Expression
    ) -> tuple[Column, tuple[str | int, ...], tuple[int, ...]] | None:
        """(text column of a scan, steps below it, hops) when that is what the expression reads."""
        match expression:
            case Path(base=base, steps=steps):
                below = self._stored_path(base)
                if below is None:
                    return None
                source, first, hops = below
                return source, first + steps, hops
            case Reference(column=column):
                definition = self.definitions.get(column.id)
                return None if definition is None else self._stored_path(definition)
            case Apply(operation="parse_json", arguments=(argument,)):
                if argument.type is STRING:
                    column_ = self._stored_text(argument)
                    return None if column_ is None else (column_, (), ())
                inner = self._stored_path(argument)
                if inner is None:
                    return None
                source, steps_, hops_ = inner
                return source, steps_, (hops_ if len(steps_) in (0, *hops_) else (*hops_, len(steps_)))
            case _:
                return None

    def _stored_text(self, expression: Expression) -> Column | None:
        while isinstance(expression, Reference):
            if expression.column.id in self.stored:
                return expression.column
            definition = self.definitions.get(expression.column.id)
            if definition is None:
                return None
            expression = definition
        return None

    def _promoted(self, source: Column, steps: tuple[str | int, ...]) -> PromotedPath | None:
        table = self.stored[source.id].table
        return next((p for p in table.promoted if p.column == source.name and p.path == steps), None)

    def _extract(self, source: Column, steps: tuple[str | int, ...], hops: tuple[int, ...]) -> Extract:
        # A hop at the very end (`parse_json(path)` itself) matters only when something is read below it.
        key = (source.id, steps, hops)
        if key not in self.extracts:
            name = "_".join([source.name, *(str(step) for step in steps)])
            column = Column(self.next_id, name, DYNAMIC)
            self.next_id -= 1
            self.extracts[key] = Extract(column, source, steps, hops, self._promoted(source, steps))
        return self.extracts[key]

    # -- prune: only what is read -------------------------------------------------------------------------

    def prune(self, relation: Relation, needed: set[int]) -> Relation:
        match relation:
            case Scan():
                read = tuple(c for c in relation.columns if c.id in needed)
                own = {c.id for c in relation.columns}
                extracts = tuple(
                    e for e in self.extracts.values() if e.column.id in needed and e.source.id in own
                )  # fmt: skip
                hidden = self.ingested.of_scan(relation)
                if hidden is not None and hidden.id in needed:
                    read = (*read, hidden)
                return Scan(relation.table, read, extracts)
            case Filter():
                return Filter(
                    self.prune(relation.input, needed | _read(relation.predicate)), relation.predicate
                )
            case Project():
                made = {c.id for c, _ in relation.items}
                items = [(c, e) for c, e in relation.items if c.id in needed]
                # Extracts travel up from their scan through every projection on the way.
                hidden_ones = (*(e.column for e in self.extracts.values()), *self.ingested.columns)
                carried = [c for c in hidden_ones if c.id in needed and c.id not in made]
                below = set().union(*(_read(e) for _, e in items)) if items else set()
                inner = self.prune(relation.input, below | {c.id for c in carried})
                available = _available(inner)
                items += [(c, Reference(c)) for c in carried if c.id in available]
                return Project(inner, tuple(items))
            case Aggregate():
                aggregates = tuple((c, a) for c, a in relation.aggregates if c.id in needed)
                below = set()
                for _, key in relation.keys:
                    below |= _read(key)
                for _, a in aggregates:
                    below |= set().union(
                        *map(_read, a.arguments), _read(a.condition) if a.condition else set()
                    )
                return Aggregate(self.prune(relation.input, below), relation.keys, aggregates)
            case Window():
                arguments = (_read(e) for _, w in relation.items for e in w.arguments)
                below = needed.union(*arguments, *map(_read, relation.partition))
                return replace(relation, input=self.prune(relation.input, below))
            case Sort():
                return Sort(self.prune(relation.input, needed | set().union(*(_read(k.expression) for k in relation.keys))),
                            relation.keys)  # fmt: skip
            case Limit():
                return Limit(self.prune(relation.input, needed), relation.count)
            case Join():
                left = needed | set().union(*(_read(a) for a, _ in relation.on))
                right = needed | set().union(*(_read(b) for _, b in relation.on))
                if relation.kind in (JoinKind.LEFT_SEMI, JoinKind.LEFT_ANTI):
                    right = set().union(*(_read(b) for _, b in relation.on))
                if relation.near is not None:
                    left, right = left | _read(relation.near), right | _read(relation.near)
                return replace(
                    relation, left=self.prune(relation.left, left), right=self.prune(relation.right, right)
                )
            case Union():
                if (further := self.ingested.of_union(relation)) is not None and further[0].id in needed:
                    values = zip(relation.branches, further[1], strict=True)
                    widened = tuple((branch, (*own, time)) for (branch, own), time in values)
                    relation = Union((*relation.made, further[0]), widened)
                keep = [i for i, c in enumerate(relation.made) if c.id in needed]
                branches = []
                for branch, expressions in relation.branches:
                    chosen = tuple(expressions[i] for i in keep)
                    below = set().union(*map(_read, chosen))
                    branches.append((self.prune(branch, below), chosen))
                return Union(tuple(relation.made[i] for i in keep), tuple(branches))
            case Walk():
                relation = _narrowed(relation, needed)
                below = {c.id for _, c in relation.given}.union(*map(_read, relation.partition))
                return replace(relation, input=self.prune(relation.input, below))
            case Unnest():
                below = needed | set().union(*(_read(e) for _, e in relation.items))
                return replace(relation, input=self.prune(relation.input, below))
            case _:
                return relation


# Which stored types an explicit conversion reads without loss.
_READS = {
    "tostring": (STRING,),
    "tolong": (LONG, INT),
    "toint": (INT,),
    "toreal": (REAL, LONG, INT),
    "todecimal": (DECIMAL, LONG, INT),
    "tobool": (BOOL,),
}


def _available(relation: Relation) -> set[int]:
    """The ids that a pruned relation gives, extracts included."""
    match relation:
        case Scan():
            return {c.id for c in relation.columns} | {e.column.id for e in relation.extracts}
        case Project() | Aggregate() | Union() | Values() | Steps() | Walk() | Cursor():
            return {c.id for c in relation.columns}
        case Join():
            left = _available(relation.left)
            return (
                left
                if relation.kind in (JoinKind.LEFT_SEMI, JoinKind.LEFT_ANTI)
                else left | _available(relation.right)
            )
        case Window() | Unnest():
            return _available(relation.input) | {c.id for c in relation.columns}
        case Filter() | Sort() | Limit():
            return _available(relation.input)
        case _:
            return set()


def _read(expression: Expression) -> set[int]:
    return {c.id for c in references(expression)}


def _narrowed(walk: Walk, needed: set[int]) -> Walk:
    """The walk without the columns of its input that neither a state nor the answer reads."""
    layers: list[Project] = []
    body = walk.body
    while isinstance(body, Project):
        layers.append(body)
        body = body.input
    read = set(needed)
    for layer in layers:
        for column, expression in layer.items:
            if not (isinstance(expression, Reference) and expression.column.id == column.id):
                read |= _read(expression)
    gone = {c.id for c, _ in walk.given if c.id not in read}
    cursor = replace(walk.cursor, made=tuple(c for c in walk.cursor.made if c.id not in gone))
    below: Relation = cursor
    for layer in reversed(layers):
        below = Project(below, tuple((c, e) for c, e in layer.items if c.id not in gone))
    given = tuple((c, source) for c, source in walk.given if c.id not in gone)
    return replace(walk, cursor=cursor, given=given, body=below)


def _relations_in(expression: Expression) -> list[Relation]:
    if type(expression) is Reference:
        return []
    match expression:
        case ScalarQuery(relation=relation):
            return [relation]
        case InRelation(operand=operand, relation=relation):
            return [relation, *_relations_in(operand)]
        case Apply(arguments=arguments):
            return [r for a in arguments for r in _relations_in(a)]
        case Path(base=base):
            return _relations_in(base)
        case _:
            return []


def _plainly(predicate: Expression) -> dict[int, TimeRange]:
    """What a condition says by comparing columns themselves with constants."""
    match predicate:
        case Apply(operation="and", arguments=parts):
            out: dict[int, TimeRange] = {}
            for part in parts:
                out = time_ranges.both(out, _plainly(part))
            return out
        case Apply(arguments=(Reference(), Constant()) | (Constant(), Reference())):
            return time_ranges.where(predicate)
        case _:
            return {}
