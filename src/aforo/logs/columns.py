"""Rows of a table as the columns of its files. It knows Arrow's arrays, and neither a file nor a commit.

Most columns of a batch hold one value throughout (where the gateway stands, what nobody set): their arrays are kept
from batch to batch, for making them again is most of what a batch would cost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from arro3.core import Array, DataType, Field, RecordBatch, Schema

from aforo.logs.rows import Row, row_columns
from aforo.tables.schema import ColumnType, Table
from aforo.tables.standard import CONSTANT, INGESTED

DAY = "_day"
DAY_US = 86_400_000_000
EPOCH = date(1970, 1, 1)

_MICROSECONDS = DataType.timestamp("us", tz="UTC")
_ARROW = {
    ColumnType.BOOL: DataType.bool(),
    ColumnType.INT: DataType.int32(),
    ColumnType.LONG: DataType.int64(),
    ColumnType.REAL: DataType.float64(),
    ColumnType.DECIMAL: DataType.decimal128(38, 12),
    ColumnType.STRING: DataType.utf8(),
    ColumnType.DATETIME: _MICROSECONDS,
    ColumnType.TIMESPAN: DataType.int64(),
    ColumnType.GUID: DataType.utf8(),
    ColumnType.DYNAMIC: DataType.utf8(),
}
_TEXTS = frozenset((ColumnType.STRING, ColumnType.GUID, ColumnType.DYNAMIC))
# Longer texts are not kept as arrays: a table keeps at most so many bytes for a row and column.
_LONGEST_KEPT = 256
_TIME = "TimeGenerated"


def arrow_schema(table: Table) -> Schema:
    """The columns of a table's files, when rows were written, and the partition."""
    return Schema([*_fields(table), Field(DAY, DataType.date32(), nullable=True)])


def _fields(table: Table) -> list[Field]:
    fields = [Field(c.name, _ARROW[c.type], nullable=True) for c in table.columns]
    return [*fields, Field(INGESTED, _MICROSECONDS, nullable=True)]


@dataclass(frozen=True, slots=True)
class DayRows:
    """Rows of one UTC day as columns, without that of the day. `varied` names the columns whose bytes differ from row to
    row and are worth compressing; times are unix microseconds."""

    day: date
    columns: RecordBatch
    varied: tuple[str, ...]
    first_us: int
    last_us: int


@dataclass(slots=True)
class _Kept:
    value: Any
    array: Array


class Columns:
    """Makes columns of rows. TypeError, ValueError, OverflowError: a value does not fit its column."""

    def __init__(self, table: Table, workspace_id: str) -> None:
        self.schema = arrow_schema(table)
        self._without_day = Schema(_fields(table))
        # Where no two rows are alike a dictionary is work for nothing.
        self.unlike = tuple(
            c.name
            for c in table.columns
            if c.content or c.type is ColumnType.DATETIME or c.name == "CorrelationId"
        )
        given = {c.name: at for at, c in enumerate(row_columns(table))}
        constants = {"SourceSystem": "Azure", "TenantId": workspace_id, "Type": table.name}
        self._width = len(given)
        self._time = given[_TIME]
        self._places = [
            (c.name, c.type, given.get(c.name), constants.get(c.name) if c.name in CONSTANT else None)
            for c in table.columns
        ]
        self._kept: list[_Kept | None] = [None] * len(table.columns)

    def by_day(self, rows: Sequence[Row], at_us: int) -> list[DayRows]:
        """The rows, written at that time (unix microseconds), apart by the UTC day of TimeGenerated."""
        time = self._time
        if not rows:
            return []
        first = rows[0][time] // DAY_US
        if all(row[time] // DAY_US == first for row in rows):
            return [self._day(first, rows, at_us)]
        days: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            days[row[time] // DAY_US].append(row)
        return [self._day(day, its, at_us) for day, its in days.items()]

    def with_day(self, part: DayRows) -> RecordBatch:
        """The columns and the partition."""
        count = part.columns.num_rows
        days = Array([(part.day - EPOCH).days] * count, type=DataType.int32()).cast(DataType.date32())
        return RecordBatch.from_arrays([*part.columns.columns, days], schema=self.schema)

    def _day(self, day: int, rows: Sequence[Row], at_us: int) -> DayRows:
        cells = list(zip(*rows, strict=True))
        if len(cells) != self._width:
            raise ValueError(f"a row has {len(cells)} values for {self._width} columns")
        count = len(rows)
        arrays: list[Array] = []
        varied: list[str] = []
        made: list[tuple[ColumnType, tuple[Any, ...], Array]] = []
        for at, (name, kind, place, constant) in enumerate(self._places):
            values = (constant,) * count if place is None else cells[place]
            array = self._kept_array(at, kind, values)
            if array is None:
                # The body that went on is most often the one that came: what is there already is not copied again.
                array = next((a for k, v, a in made if k is kind and v == values), None)
                if array is None:
                    array = _array(values, kind)
                if kind in _TEXTS or kind is ColumnType.DATETIME:
                    varied.append(name)
                    made.append((kind, values, array))
            arrays.append(array)
        arrays.append(_array((at_us,) * count, ColumnType.DATETIME))
        times = cells[self._time]
        columns = RecordBatch.from_arrays(arrays, schema=self._without_day)
        return DayRows(EPOCH + timedelta(days=day), columns, tuple(varied), min(times), max(times))

    def _kept_array(self, at: int, kind: ColumnType, values: tuple[Any, ...]) -> Array | None:
        """An array of one value throughout; None where there are several, or a long one."""
        value, count = values[0], len(values)
        if values[-1] != value or (isinstance(value, str) and len(value) > _LONGEST_KEPT):
            return None
        if values.count(value) != count:
            return None
        kept = self._kept[at]
        if kept is None or kept.value != value or len(kept.array) < count:
            # Batches differ in size by a few rows: one that is a little longer serves the next ones too.
            kept = self._kept[at] = _Kept(value, _repeated(value, 1 << (count - 1).bit_length(), kind))
        return kept.array.slice(0, count)


def _repeated(value: Any, count: int, kind: ColumnType) -> Array:
    if value == "":
        # Texts that have no byte between them are written one by one (300 ns each, a third of a file): with a byte
        # before them, which is none of theirs, together.
        return _array(("-", *("",) * count), kind).slice(1, count)
    return _array((value,) * count, kind)


def _array(cells: Sequence[Any], kind: ColumnType) -> Array:
    if kind is ColumnType.DATETIME:
        return Array(cells, type=DataType.int64()).cast(_MICROSECONDS)
    if kind is ColumnType.DECIMAL:
        return Array(cells, type=DataType.float64()).cast(_ARROW[kind])
    return Array(cells, type=_ARROW[kind])
