"""One Delta table of one workspace, as its writer sees it: rows in, with the positions that they reach.

Rows and positions (application transactions) are one commit: after a kill at any point either both are there or
neither. It knows no spool; queries read tables through versions.py.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from arro3.core import Array, DataType, Field, RecordBatch, Schema
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from aforo.logs.rows import Row, row_columns
from aforo.tables.schema import ColumnType, Table
from aforo.tables.standard import INGESTED

log = logging.getLogger("aforo.logs")

DAY = "_day"
_TRIES = 3
_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)

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

# With several commits a second the log is what makes a commit slow (measured: 17 ms, 34 ms after 400 commits
# without checkpoints). So it is kept short: a checkpoint every 32 commits, log files for two minutes, and files
# that compaction replaced for five (logs/retention.py takes them away), which is how long a reader may take.
_CONFIGURATION = {
    "delta.dataSkippingStatsColumns": "TimeGenerated",
    "delta.checkpointInterval": "32",
    "delta.logRetentionDuration": "interval 2 minutes",
    "delta.deletedFileRetentionDuration": "interval 5 minutes",
    "delta.enableExpiredLogCleanup": "true",
}


def writer_properties() -> WriterProperties:
    """How Parquet is written, by commits and by compaction alike."""
    return WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=128 * 1024)


def arrow_schema(table: Table) -> Schema:
    """The columns of a table's files, when rows were written, and the partition."""
    fields = [Field(c.name, _ARROW[c.type], nullable=True) for c in table.columns]
    further = (Field(INGESTED, _MICROSECONDS, nullable=True), Field(DAY, DataType.date32(), nullable=True))
    return Schema([*fields, *further])


class TableWriter:
    """Appends to one table. One writer per table at a time; compaction beside it is no harm.

    The table is made when the first rows come. `clock` gives unix seconds. `path` may be the URL of storage, with the
    `options` that sign in there; `configuration` is what a new table gets.
    """

    def __init__(
        self,
        path: Path | str,
        table: Table,
        workspace_id: str,
        *,
        clock: Callable[[], float] = time.time,
        options: Mapping[str, str] | None = None,
        configuration: Mapping[str, str] = MappingProxyType(_CONFIGURATION),
    ) -> None:
        self._options = None if options is None else dict(options)
        self._configuration = configuration
        self._clock = clock
        self.path = path
        self.table = table
        self._workspace_id = workspace_id
        self._schema = arrow_schema(table)
        self._columns = row_columns(table)
        self._properties = writer_properties()
        self._delta: DeltaTable | None = None
        self._positions: dict[str, int] = {}
        self._synced: set[str] = set()

    def position(self, application: str) -> int:
        """How far an application's frames are stored here; 0 when none are."""
        found = self._positions.get(application)
        if found is None:
            delta = self._opened()
            found = (delta.transaction_version(application) if delta is not None else None) or 0
            self._positions[application] = found
        return found

    def fits(self, row: Row) -> bool:
        """Whether the columns can hold the values of a row."""
        try:
            self._batch([row])
        except (TypeError, ValueError, OverflowError):
            return False
        return True

    def append(self, rows: Sequence[Row], positions: Mapping[str, int]) -> None:
        """Commit rows together with the positions that they reach; with no rows, the positions alone.

        TypeError, ValueError, OverflowError: a value does not fit its column, nothing was written. Anything
        else leaves it open whether the commit was made: ask `position` again before another try.
        """
        batch = self._batch(rows)
        for left in reversed(range(_TRIES)):
            delta = self._opened() or self._create()
            try:
                write_deltalake(
                    delta,
                    batch,
                    mode="append",
                    writer_properties=self._properties,
                    commit_properties=CommitProperties(
                        app_transactions=[Transaction(a, p) for a, p in positions.items()]
                    ),
                )
            except CommitFailedError:
                # Somebody else's commit came first. That may have been a day that was deleted, and we try again;
                # if it was another writer of the same frames, they must not be there twice.
                self.forget()
                if not left or any(self.position(a) >= p for a, p in positions.items()):
                    raise
            except BaseException:
                self.forget()
                raise
            else:
                break
        self._positions.update(positions)

    def amend(
        self, values: Mapping[str, str], correlation_ids: Sequence[str], *, since_us: int, until_us: int
    ) -> None:
        """Set string columns of rows that are stored already and began within that time (unix microseconds).

        Doing it twice changes nothing more. Only files of those days are looked at; those with such rows are
        written anew.
        """
        delta = self._opened()
        if delta is None:
            return
        ids = ", ".join(f"'{_plain(i)}'" for i in correlation_ids)
        first, last = (_EPOCH + timedelta(days=t // _DAY_US) for t in (since_us, until_us))
        try:
            delta.update(
                updates={name: f"'{_plain(value)}'" for name, value in values.items()},
                predicate=f"{DAY} BETWEEN '{first}' AND '{last}' AND \"CorrelationId\" IN ({ids})",
                writer_properties=self._properties,
            )
        finally:
            self.forget()

    def grow(self, table: Table) -> None:
        """The table has further columns from now on, all of them behind those that it had."""
        self.table = table
        self._schema = arrow_schema(table)
        self._columns = row_columns(table)
        self._delta = None

    def forget(self) -> None:
        """Open the table anew at the next use."""
        self._delta = None
        self._positions.clear()

    def sync(self) -> None:
        """Bring the table's current version onto the disk: after this no power cut takes it away."""
        delta = self._opened()
        if delta is None:
            return
        logs = Path(self.path) / "_delta_log"
        wanted = {f"{self.path}/{p}" for p in delta.get_add_actions().column("path").to_pylist()}
        wanted |= {e.path for e in os.scandir(logs) if e.name != "_last_checkpoint"}
        for name in sorted(wanted - self._synced):
            with contextlib.suppress(FileNotFoundError):  # compacted or cleaned meanwhile
                _fsync(name)
        for name in {str(logs), *(os.path.dirname(n) for n in wanted - self._synced)}:  # noqa: PTH120 - of strings
            with contextlib.suppress(FileNotFoundError):
                _fsync(name)
        self._synced = wanted

    # -- the table -------------------------------------------------------------------------------------

    def _opened(self) -> DeltaTable | None:
        if self._delta is None:
            try:
                delta = DeltaTable(self.path, storage_options=self._options)
            except TableNotFoundError:
                return None
            self._delta = self._grown(delta)
        return self._delta

    def _create(self) -> DeltaTable:
        if self._options is None:
            Path(self.path).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._delta = DeltaTable.create(
            self.path,
            schema=self._schema,
            partition_by=[DAY],
            name=self.table.name,
            configuration=dict(self._configuration),
            storage_options=self._options,
        )
        return self._delta

    def _grown(self, delta: DeltaTable) -> DeltaTable:
        """Columns that were declared since the table was made are added to it."""
        have = {f.name for f in delta.schema().fields}
        missing = [n for n in self._schema.names if n not in have]
        if not missing:
            return delta
        log.info("table %s gets the columns %s", self.path, ", ".join(missing))
        delta.alter.add_columns([f for f in DeltaSchema.from_arrow(self._schema).fields if f.name in missing])
        return DeltaTable(self.path, storage_options=self._options)

    def _batch(self, rows: Sequence[Row]) -> RecordBatch:
        constants = {
            "SourceSystem": "Azure",
            "TenantId": self._workspace_id,
            "Type": self.table.name,
        }
        cells_by_column = zip(*rows, strict=True) if rows else [()] * len(self._columns)
        values = dict(zip((c.name for c in self._columns), cells_by_column, strict=True))
        arrays = []
        for column in self.table.columns:
            given = values.get(column.name)
            cells = list(given) if given is not None else [constants[column.name]] * len(rows)
            arrays.append(_array(cells, column.type))
        arrays.append(_array([int(self._clock() * 1e6)] * len(rows), ColumnType.DATETIME))
        days = [t // _DAY_US for t in values["TimeGenerated"]]
        arrays.append(Array(days, type=DataType.int32()).cast(DataType.date32()))
        return RecordBatch.from_arrays(arrays, schema=self._schema)


def _array(cells: list[Any], kind: ColumnType) -> Array:
    if kind is ColumnType.DATETIME:
        return Array(cells, type=DataType.int64()).cast(_MICROSECONDS)
    if kind is ColumnType.DECIMAL:
        return Array(cells, type=DataType.float64()).cast(_ARROW[kind])
    return Array(cells, type=_ARROW[kind])


def _plain(text: str) -> str:
    """Text inside the quotes of a predicate: our own ids and words; anything else is a bug."""
    if not text.replace("-", "").isalnum():
        raise ValueError(f"{text!r} is no id")
    return text


def _fsync(name: str) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
