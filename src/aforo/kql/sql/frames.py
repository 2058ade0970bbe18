"""A SELECT while it grows: its slots, its hidden order, and how it becomes the subquery of the next one.

The order of rows is carried explicitly: what sorts is kept in hidden columns and sorted by once more at the end.
Which node of the plan becomes what is `writer.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from aforo.kql.bound import Column, Expression, Relation, references
from aforo.kql.sql import tree as t
from aforo.kql.sql.dialect import Dialect
from aforo.kql.sql.scalars import ScalarWriter, Slot
from aforo.kql.sql.tree import Node


@dataclass(slots=True)
class Frame:
    """A SELECT being built: its source, conditions and order, and the slots of its columns."""

    source: Node | None
    slots: dict[int, Slot]
    where: list[Node] = field(default_factory=list)
    order: list[Node] = field(default_factory=list)
    limit: Node | None = None
    joins: list[tuple[Node, str, Node]] = field(default_factory=list)
    distinct_on: list[Node] = field(default_factory=list)
    ordered: bool = False


class FrameWriter:
    """What all nodes need: SQL names, and frames put into SELECTs."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.scalars = ScalarWriter(dialect, self.query)
        self._names: dict[int, str] = {}
        self._taken: set[str] = set()
        self._subqueries = 0

    def frame(self, relation: Relation) -> Frame:
        """The relation as a SELECT that may grow further."""
        raise NotImplementedError

    # -- names -------------------------------------------------------------------------------------------

    def name(self, column: Column) -> str:
        """The column's SQL name: its own, with a number where another differs only in case or is the same."""
        if column.id not in self._names:
            self._names[column.id] = self.fresh(column.name or "column")
        return self._names[column.id]

    def fresh(self, wanted: str) -> str:
        name, n = wanted, 1
        while name.lower() in self._taken:
            n += 1
            name = f"{wanted}_{n}"
        self._taken.add(name.lower())
        return name

    # -- frames to SELECT --------------------------------------------------------------------------------

    def query(self, relation: Relation) -> Node:
        """A relation as a whole SELECT with canonical values."""
        frame = self.frame(relation)
        items = [t.alias(self.scalars.read(frame.slots[c.id]), self.name(c)) for c in relation.columns]
        return self.select(frame, items)

    def select(self, frame: Frame, items: list[Node]) -> Node:
        e = t.glot()
        query = e.Select(expressions=items)
        if frame.distinct_on:
            query.set("distinct", e.Distinct(on=e.Tuple(expressions=frame.distinct_on)))
        if frame.source is not None:
            query.set("from_", e.From(this=frame.source))
        for right, kind, condition in frame.joins:
            query.append(
                "joins", e.Join(this=right, side=kind or None, kind=None if kind else "INNER", on=condition)
            )
        if frame.where:
            query.set("where", e.Where(this=t.every(frame.where)))
        if frame.order:
            query.set("order", e.Order(expressions=frame.order))
        if frame.limit is not None:
            query.set("limit", e.Limit(expression=frame.limit))
        return query

    def wrap(
        self, frame: Frame, keep: Iterable[Column] | None = None, extra: list[Node] | None = None
    ) -> Frame:
        """The frame as the subquery of a new one; forms stay, order is carried in hidden columns."""
        items: list[Node] = []
        slots: dict[int, Slot] = {}
        names = {c.id: self.name(c) for c in keep} if keep is not None else {}
        for id_, slot in frame.slots.items():
            name = names.get(id_) or self._names.get(id_) or self.fresh("column")
            self._names[id_] = name
            items.append(t.alias(slot.node, name))
            moved = t.column(name)
            if slot.text is not None:
                text_name = self.fresh(f"{name}_text")
                items.append(t.alias(slot.text, text_name))
                slots[id_] = replace(slot, node=moved, text=t.column(text_name))
            else:
                slots[id_] = replace(slot, node=moved)
        order: list[Node] = []
        for key in frame.order:
            hidden = self.fresh("_order")
            items.append(t.alias(key.this.copy(), hidden))
            moved_key = key.copy()
            moved_key.set("this", t.column(hidden))
            order.append(moved_key)
        if frame.limit is None:
            frame.order = []
        if extra:
            items += extra
        if not items:
            items.append(t.alias(t.number(1), self.fresh("_one")))
        return Frame(self.subquery(self.select(frame, items)), slots, order=order, ordered=frame.ordered)

    def subquery(self, query: Node, label: str = "") -> Node:
        e = t.glot()
        self._subqueries += 1
        name = label or f"q{self._subqueries}"
        return e.Subquery(this=query, alias=e.TableAlias(this=e.Identifier(this=name, quoted=False)))

    def settled(self, frame: Frame, read: Iterable[Expression]) -> Frame:
        """The frame, wrapped when an expression reads a column that is computed in it."""
        for expression in read:
            for column in references(expression):
                slot = frame.slots[column.id]
                if not t.is_plain(slot.node) or (slot.text is not None and not t.is_plain(slot.text)):
                    return self.wrap(frame)
        return frame
