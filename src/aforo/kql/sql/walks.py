"""Rows one after another, as SQL's recursion: a walk with a state, and sessions, whose start is their state."""

from __future__ import annotations

from aforo.kql.bound import Column, Windowed
from aforo.kql.plan import Walk
from aforo.kql.sql import tree as t
from aforo.kql.sql.dialect import Dialect
from aforo.kql.sql.frames import Frame, FrameWriter
from aforo.kql.sql.scalars import Slot
from aforo.kql.sql.tree import Node


class WalkWriter(FrameWriter):
    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        # The row at hand of each walk.
        self.cursors: dict[int, Frame] = {}

    def walk(self, walk: Walk) -> Frame:
        """A recursion over numbered rows: each round joins the state of the last one with the next row of each part."""
        e = t.glot()
        frame = self.frame(walk.input)
        if frame.limit is not None or frame.distinct_on:
            frame = self.wrap(frame)
        frame = self.settled(frame, walk.partition)
        rows, states = self.fresh("_rows"), self.fresh("_walk")
        number, part = self.name(walk.number), self.name(walk.part)
        among = [self.scalars.value(x, frame.slots) for x in walk.partition]
        order = e.Order(expressions=[k.copy() for k in frame.order]) if frame.order else None
        counted = e.Window(this=t.call("row_number"), partition_by=among or None, order=order)
        apart = t.number(1)
        if among:
            ranks = [e.Ordered(this=a.copy(), desc=False, nulls_first=True) for a in among]
            apart = e.Window(this=t.call("dense_rank"), order=e.Order(expressions=ranks))
        frame.order = []
        given = [
            t.alias(self.scalars.read(frame.slots[source.id]), self.name(shown))
            for shown, source in walk.given
        ]
        numbered = self.select(frame, [*given, t.alias(counted, number), t.alias(apart, part)])
        # The row at hand, and the state beside it.
        slots = {c.id: Slot(t.column(self.name(c))) for c in walk.cursor.made}
        shown = [t.alias(t.column(self.name(c), "r"), self.name(c)) for c, _ in walk.given]
        shown += [t.alias(t.column(name, "r"), name) for name in (number, part)]
        shown += [t.alias(t.column(self.name(next_), "w"), self.name(c)) for c, _, next_ in walk.state]
        following = t.binary("EQ", t.column(number, "r"), t.binary("Add", t.column(number, "w"), t.number(1)))
        own = t.binary("EQ", t.column(part, "r"), t.column(part, "w"))
        pair = e.Select(expressions=shown, from_=e.From(this=named(states, "w")))
        pair.append("joins", e.Join(this=named(rows, "r"), kind="INNER", on=t.every([following, own])))
        self.cursors[walk.cursor.key] = Frame(self.subquery(pair), slots)
        body = self.frame(walk.body)
        columns = walk.body.columns
        again = self.select(
            body, [t.alias(self.scalars.read(body.slots[c.id]), self.name(c)) for c in columns]
        )
        first = {next_.id: self.scalars.value(value, {}) for _, value, next_ in walk.state}
        begun = []
        for c in columns:
            type_name = self.dialect.type_name(c.type)
            value = (
                t.number(0)
                if c is walk.number
                else t.column(part)
                if c is walk.part
                else first.get(c.id, t.null())
            )
            begun.append(t.alias(t.cast(value, type_name), self.name(c)))
        parts = e.Select(
            expressions=[t.column(part)], distinct=e.Distinct(), from_=e.From(this=named(rows, "")),
        )  # fmt: skip
        start = e.Select(expressions=begun, from_=e.From(this=self.subquery(parts)))
        query = e.Select(
            expressions=[t.column(self.name(c)) for c in columns],
            from_=e.From(this=named(states, "")),
            where=e.Where(this=t.binary("GT", t.column(number), t.number(0))),
        )
        tables = [
            e.CTE(this=numbered, alias=table_alias(rows), materialized=True),
            e.CTE(this=e.Union(this=start, expression=again, distinct=False), alias=table_alias(states)),
        ]
        query.set("with_", e.With(expressions=tables, recursive=True))
        ordered = [e.Ordered(this=t.column(name), desc=False, nulls_first=True) for name in (part, number)]
        slots = {c.id: Slot(t.column(self.name(c))) for c in columns}
        return Frame(self.subquery(query), slots, order=ordered, ordered=True)

    def sessions(
        self, frame: Frame, column: Column, windowed: Windowed, number: str, part: Node | None
    ) -> Frame:
        """The frame with the start of each row's session: a row begins one that lies too far from the start of the last
        one or from the row before it. `number` is the column that numbers the rows.
        """
        e = t.glot()
        frame = self.settled(frame, windowed.arguments)
        value, most, gap, *restart = (self.scalars.value(a, frame.slots) for a in windowed.arguments)
        own, again, apart, place = (self.fresh(n) for n in ("_value", "_again", "_apart", "_place"))
        among = t.number(1) if part is None else part.copy()
        counted = e.Window(
            this=t.call("row_number"),
            partition_by=None if part is None else [part.copy()],
            order=e.Order(expressions=[e.Ordered(this=t.column(number), desc=False, nulls_first=False)]),
        )
        extra = [
            t.alias(value, own), t.alias(restart[0] if restart else t.boolean(False), again),
            t.alias(among, apart), t.alias(counted, place),
        ]  # fmt: skip
        frame = self.wrap(frame, extra=extra)
        rows, walk, begun = self.fresh("_rows"), self.fresh("_walk"), self.name(column)
        # What a slot is read by, the text beside a promoted value too.
        labels = [slot.node.name for slot in frame.slots.values()]
        labels += [slot.text.name for slot in frame.slots.values() if slot.text is not None]
        forms = dict(frame.slots)
        order, frame.order = frame.order, []
        hidden = [k.this.name for k in order]
        names = [*dict.fromkeys((*labels, *hidden)), own, again, apart, place]
        numbered = self.select(frame, [t.alias(t.column(n), n) for n in names])
        type_name = self.dialect.type_name(windowed.type)
        kept = [t.column(apart, "r"), t.column(place, "r"), t.column(own, "r")]
        first = e.Select(
            expressions=[*kept, t.alias(t.cast(t.column(own, "r"), type_name), begun)],
            from_=e.From(this=named(rows, "r")),
            where=e.Where(this=t.binary("EQ", t.column(place, "r"), t.number(1))),
        )
        since = t.binary("Sub", t.column(own, "r"), t.column(begun, "w"))
        since_last = t.binary("Sub", t.column(own, "r"), t.column(own, "w"))
        anew = e.Or(
            this=e.Or(this=t.column(again, "r"), expression=t.is_null(t.column(begun, "w"))),
            expression=e.Or(this=t.binary("GT", since, most), expression=t.binary("GT", since_last, gap)),
        )
        start = t.choice([(anew, t.cast(t.column(own, "r"), type_name))], t.column(begun, "w"))
        following = t.binary("EQ", t.column(place, "r"), t.binary("Add", t.column(place, "w"), t.number(1)))
        same = t.binary("EQ", t.column(apart, "r"), t.column(apart, "w"))
        then = e.Select(
            expressions=[*(k.copy() for k in kept), t.alias(start, begun)],
            from_=e.From(this=named(walk, "w")),
        )
        then.append("joins", e.Join(this=named(rows, "r"), kind="INNER", on=t.every([same, following])))
        joined = e.Select(
            expressions=[*(t.column(n, "r") for n in names[:-4]), t.column(begun, "w")],
            from_=e.From(this=named(rows, "r")),
        )
        here = t.binary("EQ", t.column(place, "r"), t.column(place, "w"))
        joined.append("joins", e.Join(this=named(walk, "w"), kind="INNER", on=t.every([same.copy(), here])))
        tables = [
            e.CTE(this=numbered, alias=table_alias(rows), materialized=True),
            e.CTE(this=e.Union(this=first, expression=then, distinct=False), alias=table_alias(walk)),
        ]
        joined.set("with_", e.With(expressions=tables, recursive=True))
        return Frame(
            self.subquery(joined),
            {**forms, column.id: Slot(t.column(begun))},
            order=order,
            ordered=frame.ordered,
        )


def table_alias(name: str) -> Node:
    e = t.glot()
    return e.TableAlias(this=e.Identifier(this=name, quoted=True))


def named(table: str, label: str) -> Node:
    e = t.glot()
    node = e.Table(this=e.Identifier(this=table, quoted=True))
    if label:
        node.set("alias", table_alias(label))
    return node
