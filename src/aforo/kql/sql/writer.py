"""Plan to one SELECT, node by node. Neighbours share a SELECT where that neither repeats work nor changes the answer."""

from __future__ import annotations

from dataclasses import replace

from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Relation, Windowed, references
from aforo.kql.plan import (
    Aggregate,
    Cursor,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Scan,
    Sort,
    Steps,
    Union,
    Unnest,
    Values,
    Walk,
    Window,
)  # fmt: skip
from aforo.kql.sql import tree as t
from aforo.kql.sql.dialect import Dialect
from aforo.kql.sql.frames import Frame
from aforo.kql.sql.scalars import Form, Slot, never_empty
from aforo.kql.sql.tree import Node
from aforo.kql.sql.walks import WalkWriter
from aforo.kql.symbols import PromotedPath
from aforo.kql.types import BOOL, DATETIME, REAL, STRING

# Window functions whose second argument says where they begin anew.
_RESTARTING = frozenset({"row_number", "row_cumsum", "row_cummax"})
# The order of a list matters only for these.
_ORDERED_AGGREGATES = frozenset({"make_list", "make_list_with_nulls"})


def write(relation: Relation, dialect: Dialect) -> tuple[Node, tuple[str, ...]]:
    """The query as a tree, and the SQL names of its columns in order. Values are canonical (`dialect.py`)."""
    writer = Writer(dialect)
    frame = writer.frame(relation)
    names = tuple(writer.name(c) for c in relation.columns)
    items = [
        t.alias(writer.scalars.read(frame.slots[c.id]), name)
        for c, name in zip(relation.columns, names, strict=True)
    ]
    return writer.select(frame, items), names


class Writer(WalkWriter):
    """One method for each node of the plan."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        # Ids of helper columns, far from those of the plan.
        self._parts = -1_000_000

    def frame(self, relation: Relation) -> Frame:
        match relation:
            case Scan():
                return self._scan(relation)
            case Values():
                return self._values(relation)
            case Steps():
                return self._steps(relation)
            case Filter(input=inner, predicate=predicate):
                frame = self.frame(inner)
                if frame.limit is not None or frame.distinct_on:
                    frame = self.wrap(frame)
                frame = self.settled(frame, [predicate])
                frame.where += [
                    t.glot().Paren(this=n) if isinstance(n, t.glot().Or) else n
                    for n in self.scalars.condition(predicate, frame.slots)
                ]
                for id_ in never_empty(predicate):
                    # What passed is not NULL, and need not be asked again.
                    if frame.slots[id_].form is Form.NULLABLE_TEXT:
                        frame.slots[id_] = replace(frame.slots[id_], form=Form.PLAIN)
                return frame
            case Project():
                return self._project(relation)
            case Aggregate():
                return self._aggregate(relation)
            case Window():
                return self._window(relation)
            case Sort():
                return self._sort(relation)
            case Limit(input=inner, count=count):
                frame = self.frame(inner)
                if frame.limit is not None:
                    frame = self.wrap(frame)
                frame.limit = self.scalars.value(count, {})
                return frame
            case Join():
                return self._join(relation)
            case Union():
                return self._union(relation)
            case Unnest():
                return self._unnest(relation)
            case Cursor():
                return self.cursors[relation.key]
            case Walk():
                return self.walk(relation)
            case _:
                raise AssertionError(f"no such node: {type(relation).__name__}")

    def _scan(self, scan: Scan) -> Frame:
        e = t.glot()
        table = e.Table(this=e.Identifier(this=scan.table.key, quoted=True))
        slots: dict[int, Slot] = {}
        for column in scan.read:
            form = {DATETIME: Form.TIMESTAMP, STRING: Form.NULLABLE_TEXT}.get(column.type, Form.PLAIN)
            slots[column.id] = Slot(t.column(column.name), form)
            self.name(column)
        frame = Frame(table, slots)
        parsed: dict[str, list[tuple[str | int, ...]]] = {}
        for extract in scan.extracts:
            if extract.promoted is not None:
                frame.slots[extract.column.id] = self._promoted(extract.promoted, extract.steps, extract.hops)
                self.name(extract.column)
            else:
                wanted = parsed.setdefault(extract.source.name, [])
                wanted += [
                    p for p in (extract.steps, *(extract.steps[:h] for h in extract.hops)) if p not in wanted
                ]
        if parsed:
            arrays = {source: self.fresh("_json") for source in parsed}
            extra = [t.alias(self.dialect.paths(t.column(s), parsed[s]), arrays[s]) for s in parsed]
            frame = self.wrap(frame, scan.read, extra)
            for extract in scan.extracts:
                if extract.promoted is None:
                    array, paths = arrays[extract.source.name], parsed[extract.source.name]
                    node = self._hopped(array, paths, extract.steps, extract.hops)
                    frame.slots[extract.column.id] = Slot(node)
                    self.name(extract.column)
        return frame

    def _hopped(
        self,
        array: str,
        paths: list[tuple[str | int, ...]],
        steps: tuple[str | int, ...],
        hops: tuple[int, ...],
    ) -> Node:
        node = self.dialect.element(t.column(array), paths.index(steps))
        for hop in hops:
            parent = self.dialect.element(t.column(array), paths.index(steps[:hop]))
            node = self.dialect.below_string(parent, node, steps[hop:])
        return node

    def _promoted(self, promoted: PromotedPath, steps: tuple[str | int, ...], hops: tuple[int, ...]) -> Slot:
        text: Node | None = None
        if promoted.flag is not None:
            source = t.column(promoted.column)
            value = self.dialect.path(source, steps, unparsed=True)
            for hop in hops:
                parent = self.dialect.path(source.copy(), steps[:hop], unparsed=True)
                value = self.dialect.below_string(parent, value, steps[hop:])
            text = t.choice([(t.column(promoted.flag), value)], None)
        return Slot(t.column(promoted.stored), Form.PROMOTED, promoted.type, text)

    def _values(self, values: Values) -> Frame:
        e = t.glot()
        if not values.made:
            return Frame(None, {}, ordered=True)
        names = [self.name(c) for c in values.made]
        types = [self.dialect.type_name(c.type) for c in values.made]
        if not values.rows:
            items = [t.alias(t.cast(t.null(), type_), name) for name, type_ in zip(names, types, strict=True)]
            source = self.subquery(e.Select(expressions=items, where=e.Where(this=t.boolean(False))))
        else:
            rows = [
                e.Tuple(expressions=[self.scalars.value(cell, {}) for cell in row]) for row in values.rows
            ]
            self._subqueries += 1
            columns = [e.Identifier(this=name, quoted=True) for name in names]
            source = e.Values(
                expressions=rows,
                alias=e.TableAlias(this=e.Identifier(this=f"v{self._subqueries}"), columns=columns),
            )
            items = [t.alias(t.cast(t.column(n), type_), n) for n, type_ in zip(names, types, strict=True)]
            source = self.subquery(e.Select(expressions=items, from_=e.From(this=source)))
        return Frame(
            source, {c.id: Slot(t.column(n)) for c, n in zip(values.made, names, strict=True)}, ordered=True
        )

    def _steps(self, steps: Steps) -> Frame:
        name = self.name(steps.column)
        ends = [self.scalars.value(x, {}) for x in (steps.start, steps.stop, steps.step)]
        rows = self.dialect.steps(ends[0], ends[1], ends[2], steps.column.type, name)
        source = self.subquery(rows)
        return Frame(source, {steps.column.id: Slot(t.column(name))}, ordered=True)

    def _project(self, project: Project) -> Frame:
        frame = self.frame(project.input)
        if frame.distinct_on:
            frame = self.wrap(frame)
        computed = [e for _, e in project.items if not isinstance(e, Reference)]
        if any(_may_repeat(frame.slots[c.id]) for e in computed for c in references(e)):
            frame = self.wrap(frame)
        slots: dict[int, Slot] = {}
        for column, expression in project.items:
            if isinstance(expression, Reference):
                slots[column.id] = frame.slots[expression.column.id]
            elif (stored := self.scalars.stored_text(expression, frame.slots)) is not None:
                slots[column.id] = stored
            else:
                slots[column.id] = Slot(self.scalars.value(expression, frame.slots))
            self.name(column)
        frame.slots = slots
        return frame

    def _sort(self, sort: Sort) -> Frame:
        e = t.glot()
        frame = self.frame(sort.input)
        if frame.limit is not None:
            frame = self.wrap(frame)
        frame = self.settled(frame, [k.expression for k in sort.keys])
        frame.ordered = True
        if sort.keys:
            frame.order = []
        for k in sort.keys:
            key = self._told_apart(k.expression, frame.slots)
            if k.expression.type is REAL:
                # NaN stands with the nulls: behind them when they are first, before them when they are last.
                nan = self.dialect.scalar("isnan", [key.copy()], [k.expression], BOOL)
                frame.order.append(e.Ordered(this=nan, desc=k.nulls_first, nulls_first=k.nulls_first))
            frame.order.append(e.Ordered(this=key, desc=not k.ascending, nulls_first=k.nulls_first))
        return frame

    def _window(self, window: Window) -> Frame:
        """Rows are numbered in their order first; every function then runs over that number."""
        e = t.glot()
        frame = self.frame(window.input)
        if frame.limit is not None or frame.distinct_on:
            frame = self.wrap(frame)
        number = self.fresh("_row")
        over = e.Window(
            this=t.call("row_number"),
            order=e.Order(expressions=[k.copy() for k in frame.order]) if frame.order else None,
        )
        frame.order = []
        frame = self.wrap(frame, extra=[t.alias(over, number)])
        frame.order = [e.Ordered(this=t.column(number), desc=False, nulls_first=False)]
        frame, apart = self._apart(frame, window.partition)
        for column, windowed in window.items:
            if any(not t.is_plain(frame.slots[c.id].node) for a in windowed.arguments for c in references(a)):
                # A window function over the result of another one.
                frame = self.wrap(frame)
            # The number of the row has a new name in each SELECT.
            number = frame.order[0].this.name
            if windowed.operation == "row_window_session":
                at = frame.order[0].this.name
                frame = self.sessions(
                    frame, column, windowed, at, None if apart is None else frame.slots[apart].node
                )
                continue
            frame, windowed, part = self._restarts(frame, windowed, number)
            if apart is not None:
                among = frame.slots[apart].node
                part = among.copy() if part is None else t.call("row", among.copy(), part)
            arguments = [self.scalars.value(a, frame.slots) for a in windowed.arguments]
            at = t.column(frame.order[0].this.name)
            node = self.dialect.window(
                windowed.operation, arguments, windowed.arguments, windowed.type, at, part
            )
            frame.slots[column.id] = Slot(node)
            self.name(column)
        return frame

    def _apart(self, frame: Frame, partition: tuple[Expression, ...]) -> tuple[Frame, int | None]:
        """What tells partitions apart, as one hidden column."""
        if not partition:
            return frame, None
        name = self.fresh("_partition")
        frame = self.settled(frame, partition)
        values = [self.scalars.value(x, frame.slots) for x in partition]
        value = values[0] if len(values) == 1 else t.call("row", *values)
        frame = self.wrap(frame, extra=[t.alias(value, name)])
        self._parts -= 1
        frame.slots[self._parts] = Slot(t.column(name))
        self._names[self._parts] = name
        return frame, self._parts

    def _restarts(self, frame: Frame, windowed: Windowed, number: str) -> tuple[Frame, Windowed, Node | None]:
        """`row_cumsum(x, restart)`: the rows between two restarts are a part of their own, numbered first."""
        if windowed.operation not in _RESTARTING or len(windowed.arguments) < 2:
            return frame, windowed, None
        part = self.fresh("_part")
        restart = self.scalars.value(windowed.arguments[1], frame.slots)
        frame = self.wrap(frame, extra=[t.alias(self.dialect.part(restart, t.column(number)), part)])
        self._parts -= 1
        frame.slots[self._parts] = Slot(t.column(part))
        self._names[self._parts] = part
        return frame, replace(windowed, arguments=windowed.arguments[:1]), t.column(part)

    def _aggregate(self, aggregate: Aggregate) -> Frame:
        e = t.glot()
        frame = self.frame(aggregate.input)
        expressions = [x for _, x in aggregate.keys] + [
            x for _, a in aggregate.aggregates for x in a.arguments
        ]
        expressions += [a.condition for _, a in aggregate.aggregates if a.condition is not None]
        used = [c.id for x in expressions for c in references(x)]
        twice = any(not t.is_plain(frame.slots[i].node) and used.count(i) > 1 for i in set(used))
        # What is computed over rows in their order cannot be grouped where it is computed.
        twice = twice or any(frame.slots[i].node.find(e.Window) is not None for i in set(used))
        order: Node | None = None
        if frame.ordered and any(a.operation in _ORDERED_AGGREGATES for _, a in aggregate.aggregates):
            number = self.fresh("_row")
            frame = self.wrap(frame) if frame.limit is not None else frame
            keys = e.Order(expressions=[k.copy() for k in frame.order]) if frame.order else None
            frame.order = []
            frame = self.wrap(frame, extra=[t.alias(e.Window(this=t.call("row_number"), order=keys), number)])
            order = t.column(number)
        elif twice or frame.limit is not None or frame.distinct_on:
            frame = self.wrap(frame)
        frame.order = []
        items: list[Node] = []
        slots: dict[int, Slot] = {}
        groups: list[Node] = []
        for column, expression in aggregate.keys:
            node = self._grouped_by(expression, frame.slots)
            groups.append(node)
            name = self.name(column)
            items.append(t.alias(node.copy(), name))
            slots[column.id] = replace(self._passed(expression, frame.slots), node=t.column(name))
        for column, a in aggregate.aggregates:
            arguments = [self.scalars.value(x, frame.slots) for x in a.arguments]
            condition = None if a.condition is None else self.scalars.value(a.condition, frame.slots)
            node = self.dialect.aggregate(a.operation, arguments, a.arguments, a.type, condition, order)
            name = self.name(column)
            items.append(t.alias(node, name))
            slots[column.id] = Slot(t.column(name))
        self.dialect.together(items, [a.operation for _, a in aggregate.aggregates])
        if not items:
            # Nobody reads what is added up, but it is still one row, whatever rows there are below.
            items = [t.alias(e.Count(this=e.Star()), self.fresh("_one"))]
        query = self.select(frame, items)
        if groups:
            query.set("group", e.Group(expressions=[g.copy() for g in groups]))
        return Frame(self.subquery(query), slots)

    def _grouped_by(self, expression: Expression, slots: dict[int, Slot]) -> Node:
        if isinstance(expression, Reference) and slots[expression.column.id].form is Form.TIMESTAMP:
            return slots[expression.column.id].node.copy()
        return self._told_apart(expression, slots)

    def _told_apart(self, expression: Expression, slots: dict[int, Slot]) -> Node:
        """A value to group or sort by; a bare number there would mean a position in the select list."""
        node = self.scalars.value(expression, slots)
        return t.cast(node, self.dialect.type_name(expression.type)) if _constant(node) else node

    def _passed(self, expression: Expression, slots: dict[int, Slot]) -> Slot:
        """The form that a group's key keeps: a bare timestamp stays one."""
        if isinstance(expression, Reference) and slots[expression.column.id].form is Form.TIMESTAMP:
            return Slot(None, Form.TIMESTAMP)
        return Slot(None)

    def _join(self, join: Join) -> Frame:
        e = t.glot()
        left, right = self.frame(join.left), self.frame(join.right)
        if join.kind is JoinKind.INNER_UNIQUE:
            if left.limit is not None or left.distinct_on:
                left = self.wrap(left)
            left = self.settled(left, [a for a, _ in join.on])
            left.order = []
            left.distinct_on = [self._told_apart(a, left.slots) for a, _ in join.on]
        left_side, left_slots = self._side(left)
        right_side, right_slots = self._side(right)
        conditions = [
            t.binary("EQ", self.scalars.value(a, left_slots), self.scalars.value(b, right_slots))
            for a, b in join.on
        ]
        if join.near is not None:
            conditions.append(self.scalars.value(join.near, left_slots | right_slots))
        condition = t.every(conditions or [t.boolean(True)])
        if join.kind in (JoinKind.LEFT_SEMI, JoinKind.LEFT_ANTI):
            found = e.Exists(
                this=e.Select(
                    expressions=[t.number(1)], from_=e.From(this=right_side), where=e.Where(this=condition)
                )
            )
            kept = found if join.kind is JoinKind.LEFT_SEMI else t.negation(found)
            return Frame(left_side, left_slots, where=[kept])
        side = {JoinKind.LEFT: "LEFT", JoinKind.RIGHT: "RIGHT", JoinKind.FULL: "FULL"}.get(join.kind, "")
        if side in ("LEFT", "FULL"):
            right_slots = self._outer(right_slots, join.right.columns)
        if side in ("RIGHT", "FULL"):
            left_slots = self._outer(left_slots, join.left.columns)
        return Frame(left_side, left_slots | right_slots, joins=[(right_side, side, condition)])

    def _side(self, frame: Frame) -> tuple[Node, dict[int, Slot]]:
        """One side of a join as a subquery, its columns qualified by its alias."""
        wrapped = self.wrap(frame)
        assert wrapped.source is not None
        label = wrapped.source.alias
        slots = {
            id_: replace(
                slot,
                node=t.column(slot.node.name, label),
                text=None if slot.text is None else t.column(slot.text.name, label),
            )
            for id_, slot in wrapped.slots.items()
        }
        return wrapped.source, slots

    def _outer(self, slots: dict[int, Slot], columns: tuple[Column, ...]) -> dict[int, Slot]:
        """The side of an outer join that may be missing: its texts may be NULL now."""
        texts = {c.id for c in columns if c.type is STRING}
        return {
            id_: replace(slot, form=Form.NULLABLE_TEXT) if id_ in texts and slot.form is Form.PLAIN else slot
            for id_, slot in slots.items()
        }

    def _union(self, union: Union) -> Frame:
        e = t.glot()
        names = [self.name(c) for c in union.made]
        selects: list[Node] = []
        for branch, expressions in union.branches:
            frame = self.frame(branch)
            if frame.limit is None:
                frame.order = []
            items = []
            for name, column, expression in zip(names, union.made, expressions, strict=True):
                value = self.scalars.value(expression, frame.slots)
                if isinstance(expression, Constant | Apply):
                    value = t.cast(value, self.dialect.type_name(column.type))
                items.append(t.alias(value, name))
            query = self.select(frame, items or [t.alias(t.number(1), "_one")])
            selects.append(e.Paren(this=query) if frame.limit is not None else query)
        query = selects[0]
        for other in selects[1:]:
            query = e.Union(this=query, expression=other, distinct=False)
        source = self.subquery(query)
        return Frame(source, {c.id: Slot(t.column(n)) for c, n in zip(union.made, names, strict=True)})

    def _unnest(self, unnest: Unnest) -> Frame:
        e = t.glot()
        frame = self.settled(self.frame(unnest.input), [x for _, x in unnest.items])
        if frame.limit is not None or frame.distinct_on:
            frame = self.wrap(frame)
        arrays = [self.fresh("_elements") for _ in unnest.items]
        extra = [
            t.alias(self.dialect.elements(self.scalars.value(x, frame.slots), pairs=unnest.pairs), name)
            for name, (_, x) in zip(arrays, unnest.items, strict=True)
        ]
        frame = self.wrap(frame, extra=extra)
        number = self.fresh("_index")
        lengths = [self.dialect.length(t.column(name)) for name in arrays]
        longest = t.call("greatest", *lengths)
        if unnest.limit is not None:
            longest = t.call("least", longest, t.number(unnest.limit))
        numbers = self.dialect.count_up(longest)
        frame = self.wrap(frame, extra=[t.alias(numbers, number), *(t.column(name) for name in arrays)])
        for name, (column, _) in zip(arrays, unnest.items, strict=True):
            frame.slots[column.id] = Slot(self.dialect.nth(t.column(name), t.column(number)))
            self.name(column)
        if unnest.index is not None:
            frame.slots[unnest.index.id] = Slot(e.Sub(this=t.column(number), expression=t.number(1)))
            self.name(unnest.index)
        return frame


def _constant(node: Node) -> bool:
    e = t.glot()
    inner = node.this if isinstance(node, e.Neg | e.Paren) else node
    return isinstance(inner, e.Literal | e.Null | e.Boolean)


def _may_repeat(slot: Slot) -> bool:
    """Whether reading the slot once more would repeat work."""
    return not t.is_plain(slot.node) or (slot.text is not None and not t.is_plain(slot.text))
