"""Bound expressions to SQL nodes, over the slots of the SELECT at hand. It knows no relation and no engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from aforo.kql.bound import Apply, Constant, Expression, InRelation, Path, Reference, Relation, ScalarQuery
from aforo.kql.sql import tree as t
from aforo.kql.sql.dialect import Dialect
from aforo.kql.sql.tree import Node
from aforo.kql.types import DATETIME, REAL, STRING, KqlType

_COMPARISONS = frozenset({"equals", "less", "less_equal", "greater", "greater_equal"})
_SWAPPED = {
    "less": "greater",
    "greater": "less",
    "less_equal": "greater_equal",
    "greater_equal": "less_equal",
}


class Form(Enum):
    """How a column's value lies in SQL."""

    PLAIN = "plain"  # the canonical value
    TIMESTAMP = "timestamp"  # a stored timestamp, turned into ticks when read
    NULLABLE_TEXT = "nullable text"  # a string that may be NULL
    PROMOTED = "promoted"  # a typed value beside the JSON text of rows that do not fit


@dataclass(frozen=True, slots=True)
class Slot:
    """A column inside a SELECT: the node to read it by, and its form. `text` belongs to PROMOTED."""

    node: Node
    form: Form = Form.PLAIN
    stored: KqlType | None = None
    text: Node | None = None


class ScalarWriter:
    """Writes expressions; `query` writes a relation as a subquery."""

    def __init__(self, dialect: Dialect, query: Callable[[Relation], Node]) -> None:
        self.dialect = dialect
        self.query = query

    def value(self, expression: Expression, slots: dict[int, Slot]) -> Node:
        """The canonical value."""
        match expression:
            case Constant(value=value, type=type_):
                return self.dialect.constant(value, type_)
            case Reference(column=column):
                return self.read(slots[column.id])
            case Path(base=Apply(operation="parse_json", arguments=(base,)), steps=steps) if (
                base.type is STRING
            ):
                return self.dialect.path(self.value(base, slots), steps, unparsed=True)
            case Path(base=base, steps=steps):
                return self.dialect.path(self.value(base, slots), steps, unparsed=False)
            case ScalarQuery(relation=relation, type=type_):
                found = t.glot().Subquery(this=self.query(relation).limit(1))
                return t.coalesce(found, t.text("")) if type_ is STRING else found
            case InRelation():
                return self._in_relation(expression, slots)
            case Apply():
                return self._apply(expression, slots)

    def read(self, slot: Slot) -> Node:
        match slot.form:
            case Form.PLAIN:
                return t.again(slot.node)
            case Form.TIMESTAMP:
                return self.dialect.from_timestamp(t.again(slot.node))
            case Form.NULLABLE_TEXT:
                return self.dialect.stored_text(t.again(slot.node))
            case Form.PROMOTED:
                assert slot.stored is not None
                json = self.dialect.read_promoted(t.again(slot.node), slot.stored, "to_dynamic")
                return json if slot.text is None else t.coalesce(t.again(slot.text), json)

    def _apply(self, expression: Apply, slots: dict[int, Slot]) -> Node:
        operation, arguments = expression.operation, expression.arguments
        if operation == "same":
            return self.value(arguments[0], slots)
        if operation == "read_promoted":
            return self._promoted(arguments, expression.type, slots)
        if (
            operation in _COMPARISONS
            and (plain := self._stored_time(operation, arguments, slots)) is not None
        ):
            return plain
        nodes = [self.value(a, slots) for a in arguments]
        return self.dialect.scalar(operation, nodes, arguments, expression.type)

    def _promoted(self, arguments: tuple[Expression, ...], type_: KqlType, slots: dict[int, Slot]) -> Node:
        reference, operation = arguments
        assert isinstance(reference, Reference)
        assert isinstance(operation, Constant)
        slot = slots[reference.column.id]
        name = str(operation.value)
        if slot.form is not Form.PROMOTED:
            return self.dialect.scalar(name, [self.read(slot)], [reference], type_)
        assert slot.stored is not None
        stored = self.dialect.read_promoted(t.again(slot.node), slot.stored, name)
        if slot.text is None:
            return stored
        parsed = self.dialect.scalar(name, [t.again(slot.text)], [reference], type_)
        return t.choice([(t.is_null(t.again(slot.text)), stored)], parsed)

    def stored_text(self, expression: Expression, slots: dict[int, Slot]) -> Slot | None:
        """`tostring` of a promoted text is the stored text itself, which filters and groups as stored columns do."""
        match expression:
            case Apply(
                operation="read_promoted", arguments=(Reference(column=column), Constant(value="tostring"))
            ):
                slot = slots[column.id]
                if slot.form is Form.PROMOTED and slot.stored is STRING and slot.text is None:
                    return Slot(t.again(slot.node), Form.NULLABLE_TEXT)
        return None

    def _stored_time(
        self, operation: str, arguments: tuple[Expression, ...], slots: dict[int, Slot]
    ) -> Node | None:
        """A stored timestamp against a constant stays a plain comparison, so that files can be skipped by it."""
        match arguments:
            case (Reference(column=column), Constant(value=int() as ticks, type=KqlType.DATETIME)):
                pass
            case (Constant(value=int() as ticks, type=KqlType.DATETIME), Reference(column=column)):
                operation = _SWAPPED.get(operation, operation)
            case _:
                return None
        slot = slots[column.id]
        if slot.form is not Form.TIMESTAMP or column.type is not DATETIME:
            return None
        return self.dialect.compare_timestamp(operation, t.again(slot.node), ticks)

    def _in_relation(self, expression: InRelation, slots: dict[int, Slot]) -> Node:
        e = t.glot()
        operand = self.value(expression.operand, slots)
        query = self.query(expression.relation)
        if expression.ignore_case:
            operand = t.call("lower", operand)
            name = query.expressions[0].alias
            query = e.select(t.call("lower", t.column(name))).from_(query.subquery("q"))
        return t.coalesce(e.In(this=t.grouped(operand), query=e.Subquery(this=query)), t.boolean(False))

    # -- conditions of WHERE -----------------------------------------------------------------------------

    def condition(self, expression: Expression, slots: dict[int, Slot]) -> list[Node]:
        """The conjuncts of a filter. NULL counts as false here, so equality may be SQL's own and prunes."""
        match expression:
            case Apply(operation="and", arguments=parts):
                return [node for part in parts for node in self.condition(part, slots)]
            case Apply(operation="or", arguments=parts):
                return [t.glot().Or(this=self._one(parts[0], slots), expression=self._one(parts[1], slots))]
            case Apply(operation="equals", arguments=(a, b)) if not a.type is b.type is REAL:
                if (plain := self._stored_time("equals", (a, b), slots)) is not None:
                    return [plain]
                return [t.binary("EQ", self._bare(a, b, slots), self._bare(b, a, slots))]
            case (
                Apply(operation="not_equals", arguments=(Reference(column=column), Constant(value="")))
                | Apply(operation="isnotempty", arguments=(Reference(column=column),))
            ) if slots[column.id].form is Form.NULLABLE_TEXT:
                # NULL is an empty text, and neither passes.
                return [t.binary("NEQ", t.again(slots[column.id].node), t.text(""))]
            case Apply(operation="in", arguments=(operand, *items)) if items and all(
                isinstance(i, Constant) for i in items
            ):
                node = (
                    self._bare(operand, items[0], slots) if _no_empty(items) else self.value(operand, slots)
                )
                return [t.glot().In(this=t.grouped(node), expressions=[self.value(i, slots) for i in items])]
            case _:
                return [self.value(expression, slots)]

    def _one(self, expression: Expression, slots: dict[int, Slot]) -> Node:
        nodes = self.condition(expression, slots)
        e = t.glot()
        return e.Paren(this=t.every(nodes)) if len(nodes) > 1 or isinstance(nodes[0], e.Or) else nodes[0]

    def _bare(self, expression: Expression, other: Expression, slots: dict[int, Slot]) -> Node:
        """A stored text as it is, or in one case, where the other side is a text that is not empty: NULL is not
        equal to it, as '' is not."""
        if isinstance(other, Constant) and other.value:
            match expression:
                case Reference(column=column) if slots[column.id].form is Form.NULLABLE_TEXT:
                    return t.again(slots[column.id].node)
                case Apply(operation="tolower" | "toupper", arguments=(Reference(),) as inside):
                    bare = [self._bare(inside[0], other, slots)]
                    return self.dialect.scalar(expression.operation, bare, inside, expression.type)
        return self.value(expression, slots)


def _no_empty(items: list[Expression]) -> bool:
    return all(isinstance(i, Constant) and i.value not in ("", None) for i in items)


def never_empty(predicate: Expression) -> list[int]:
    """The columns that no row has an empty or missing text in for which the predicate holds."""
    match predicate:
        case Apply(operation="and", arguments=parts):
            return [id_ for part in parts for id_ in never_empty(part)]
        case Apply(operation="isnotempty", arguments=(Reference(column=column),)) if column.type is STRING:
            return [column.id]
        case Apply(operation="not_equals", arguments=(Reference(column=column), Constant(value=""))):
            return [column.id]
        case Apply(operation="equals", arguments=(Reference(column=column), Constant() as value)) if (
            value.value
        ):
            return [column.id]
        case Apply(operation="in", arguments=(Reference(column=column), *items)) if items and _no_empty(
            items
        ):
            return [column.id]
        case _:
            return []
