"""What DuckDB offers to the writer (`sql/dialect.py` says what each method is)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from decimal import Decimal

from aforo.kql.bound import Expression
from aforo.kql.literals import json_text
from aforo.kql.sql import tree as t
from aforo.kql.sql.duckdb import aggregates, asked, percentiles, scalars
from aforo.kql.sql.duckdb.builder import json_path
from aforo.kql.sql.duckdb.convert import CONVERSIONS, TYPE_NAMES
from aforo.kql.sql.duckdb.encode import encode_rows
from aforo.kql.sql.duckdb.request import Request
from aforo.kql.sql.tree import Node
from aforo.kql.ticks import TICKS_PER_US, to_datetime
from aforo.kql.types import DATETIME, DECIMAL, STRING, KqlType

_COMPARE = {"equals": "EQ", "less": "LT", "less_equal": "LTE", "greater": "GT", "greater_equal": "GTE"}


class DuckDb:
    """The dialect; it has no state."""

    name = "duckdb"

    def type_name(self, type_: KqlType) -> str:
        return TYPE_NAMES[type_]

    def constant(self, value: object, type_: KqlType) -> Node:
        if value is None:
            return t.text("") if type_ is STRING else t.cast(t.null(), TYPE_NAMES[type_])
        match type_:
            case KqlType.BOOL:
                return t.boolean(bool(value))
            case KqlType.INT | KqlType.DATETIME | KqlType.TIMESPAN | KqlType.LONG:
                assert isinstance(value, int)
                # The least long has no positive twin to put a minus before.
                return t.number(value) if value > -(1 << 63) else t.cast(t.text(str(value)), "BIGINT")
            case KqlType.REAL:
                assert isinstance(value, float)
                if not math.isfinite(value):
                    return t.cast(t.text(str(value)), "DOUBLE")
                return t.cast(t.number(value), "DOUBLE")
            case KqlType.DECIMAL:
                assert isinstance(value, Decimal)
                return t.try_cast(t.text(format(value, "f")), "DECIMAL(38,12)")
            case KqlType.DYNAMIC:
                json = json_text(value)
                return t.cast(t.null(), "VARCHAR") if json is None else t.text(json)
            case _:
                return t.text(str(value))

    def scalar(
        self, operation: str, arguments: Sequence[Node], bound: Sequence[Expression], result: KqlType
    ) -> Node:
        return asked.outside(
            operation, arguments, bound, lambda nodes: scalars.write(operation, nodes, bound, result)
        )

    def aggregate(
        self, operation: str, arguments: Sequence[Node], bound: Sequence[Expression], result: KqlType,
        condition: Node | None, order: Node | None,
    ) -> Node:  # fmt: skip
        return aggregates.AGGREGATES[operation](Request(arguments, bound, result, condition, order))

    def together(self, items: list[Node], operations: Collection[str]) -> None:
        if any(operation.startswith("percentile") for operation in operations):
            percentiles.together(items)

    def window(
        self,
        operation: str,
        arguments: Sequence[Node],
        bound: Sequence[Expression],
        result: KqlType,
        order: Node,
        part: Node | None,
    ) -> Node:
        if operation.startswith("whole:"):
            request = Request(arguments, bound, result, None, None)
            return aggregates.whole(operation.removeprefix("whole:"), request, part)
        return aggregates.window(operation, arguments, result, order, part)

    def part(self, restart: Node, order: Node) -> Node:
        return aggregates.part(restart, order)

    # -- JSON --------------------------------------------------------------------------------------------

    def path(self, base: Node, steps: tuple[str | int, ...], *, unparsed: bool) -> Node:
        path = t.text(json_path(steps))
        if not unparsed:
            return t.call("kql_path", base, path)
        return asked.text_outside(base, lambda text: t.call("kql_text_path", text, path))

    def paths(self, text: Node, paths: Sequence[tuple[str | int, ...]]) -> Node:
        return t.call("kql_text_paths", text, t.array(*(t.text(json_path(p)) for p in paths)))

    def element(self, array: Node, index: int) -> Node:
        return t.call("kql_null_json", t.call("list_extract", array, t.number(index + 1)))

    def below_string(self, parent: Node, value: Node, steps: tuple[str | int, ...]) -> Node:
        held = t.call("kql_dynamic_text", parent.copy())
        below = self.path(held, steps, unparsed=True) if steps else t.call("kql_parse_json", held)
        return t.choice([(t.call("starts_with", parent, t.text('"')), below)], value)

    def elements(self, value: Node, *, pairs: bool) -> Node:
        return t.call("kql_pairs" if pairs else "kql_elements", value)

    def length(self, array: Node) -> Node:
        return t.call("len", array)

    def count_up(self, to: Node) -> Node:
        return t.call("unnest", t.call("generate_series", t.number(1), to))

    def nth(self, array: Node, index: Node) -> Node:
        return t.call("nullif", t.call("list_extract", array, index), t.text("null"))

    # -- text --------------------------------------------------------------------------------------------

    def stored_text(self, column: Node) -> Node:
        # Unlike COALESCE, CASE leaves a column in its dictionary, so that what follows (grouping, `lower`) is done
        # once for each distinct text: a third of the time. It names the column twice, so it has to be one.
        if t.is_plain(column):
            return t.choice([(t.is_null(t.again(column)), t.text(""))], column)
        return t.coalesce(column, t.text(""))

    # -- time --------------------------------------------------------------------------------------------

    def from_timestamp(self, column: Node) -> Node:
        return t.call("kql_ticks", column)

    def compare_timestamp(self, operation: str, column: Node, ticks: int) -> Node:
        # The stored value has microseconds: the constant is rounded so that the comparison stays exact.
        low, rest = divmod(ticks, TICKS_PER_US)
        if rest and operation == "equals":
            return t.boolean(False)
        if rest and operation in ("less", "greater_equal"):
            low += 1
        moment = to_datetime(low * TICKS_PER_US)
        # Of the type that it is stored in: were the column cast instead, no file and no row group could be skipped.
        text = f"{moment:%Y-%m-%d %H:%M:%S.%f}".rjust(26, "0")
        constant = t.cast(t.text(f"{text}+00"), "TIMESTAMPTZ")
        return t.binary(_COMPARE[operation], column, constant)

    def steps(self, start: Node, stop: Node, step: Node, type_: KqlType, name: str) -> Node:
        e = t.glot()
        whole = type_ not in (KqlType.REAL, DECIMAL)
        if whole and all(isinstance(n, e.Literal) for n in (start, stop, step)) and step.this != "0":
            # Constant ends: a table function that streams; else a list that is taken apart.
            source = e.Table(this=t.call("generate_series", start, stop, step))
            return e.Select(
                expressions=[t.alias(t.column("generate_series"), name)], from_=e.From(this=source)
            )
        rows = t.call("unnest", t.call("kql_steps" if whole else "kql_steps_real", start, stop, step))
        return e.Select(expressions=[t.alias(rows, name)])

    def read_promoted(self, stored: Node, type_: KqlType, operation: str) -> Node:
        ticks = self.from_timestamp(stored) if type_ is DATETIME else stored
        if type_ is STRING and operation != "to_dynamic":
            ticks = self.stored_text(ticks)
        return CONVERSIONS[operation](ticks, type_)

    # -- answers -----------------------------------------------------------------------------------------

    def as_json(self, sql: str, names: Sequence[str], types: Sequence[KqlType]) -> str:
        return encode_rows(sql, names, types)
