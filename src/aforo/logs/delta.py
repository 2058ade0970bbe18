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
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType

from arro3.core import Table as ArrowTable
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from aforo.logs import day_files
from aforo.logs.columns import DAY, DAY_US, EPOCH, Columns, DayRows
from aforo.logs.rows import Row
from aforo.tables.schema import Table

log = logging.getLogger("aforo.logs")

_TRIES = 3
# What makes a commit of files; tests let it fail.
commit_files = DeltaTable.create_write_transaction
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
    return WriterProperties(
        compression="ZSTD", compression_level=1, max_row_group_size=day_files.ROW_GROUP_ROWS
    )


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
        self._columns = Columns(table, workspace_id)
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
            self._columns.by_day([row], 0)
        except (TypeError, ValueError, OverflowError):
            return False
        return True

    def append(self, rows: Sequence[Row], positions: Mapping[str, int]) -> None:
        """Commit rows together with the positions that they reach; with no rows, the positions alone.

        TypeError, ValueError, OverflowError: a value does not fit its column, nothing was written. Anything
        else leaves it open whether the commit was made: ask `position` again before another try.
        """
        self.commit(self.columns_of(rows, int(self._clock() * 1e6)), None, positions)

    def columns_of(self, rows: Sequence[Row], at_us: int) -> list[DayRows]:
        """The rows as files take them, written at that time (unix microseconds).

        TypeError, ValueError, OverflowError: a value does not fit its column.
        """
        return self._columns.by_day(rows, at_us)

    def files_ahead(self) -> Callable[[Sequence[DayRows]], list[AddAction | RemoveAction]] | None:
        """What writes files of rows that are to be committed later, and may be called in any thread; None where files
        and commit are one."""
        if not isinstance(self.path, Path) or not day_files.can_write():
            return None
        if self._opened() is None:
            self._create()
        return partial(day_files.write, self.path, unlike=self._columns.unlike)

    def commit(
        self,
        parts: Sequence[DayRows],
        adds: list[AddAction | RemoveAction] | None,
        positions: Mapping[str, int],
    ) -> None:
        """Commit rows, or the files that they are in already, together with the positions that they reach.

        Whatever is raised leaves it open whether the commit was made: ask `position` again before another try.
        """
        assert adds is None or not parts, "rows beside files would not be stored"
        for left in reversed(range(_TRIES)):
            delta = self._opened() or self._create()
            try:
                if adds is None and isinstance(self.path, Path) and day_files.can_write():
                    adds = day_files.write(self.path, parts, self._columns.unlike)
                self._commit(delta, parts, adds, [Transaction(a, p) for a, p in positions.items()])
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
        first, last = (EPOCH + timedelta(days=t // DAY_US) for t in (since_us, until_us))
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
        self._columns = Columns(table, self._workspace_id)
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
                fsync(name)
        for name in {str(logs), *(os.path.dirname(n) for n in wanted - self._synced)}:  # noqa: PTH120 - of strings
            with contextlib.suppress(FileNotFoundError):
                fsync(name)
        self._synced = wanted

    def _commit(
        self,
        delta: DeltaTable,
        parts: Sequence[DayRows],
        adds: list[AddAction | RemoveAction] | None,
        positions: list[Transaction],
    ) -> None:
        """Rows that lie in files already, or else the rows themselves."""
        properties = CommitProperties(app_transactions=positions)
        if adds is not None:
            schema = DeltaSchema.from_arrow(self._columns.schema)
            commit_files(delta, adds, "append", schema, [DAY], commit_properties=properties)
            delta.update_incremental()
            return
        batches = [self._columns.with_day(part) for part in parts]
        write_deltalake(
            delta,
            ArrowTable.from_batches(batches, schema=self._columns.schema),
            mode="append",
            writer_properties=self._properties,
            commit_properties=properties,
        )

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
            schema=self._columns.schema,
            partition_by=[DAY],
            name=self.table.name,
            configuration=dict(self._configuration),
            storage_options=self._options,
        )
        return self._delta

    def _grown(self, delta: DeltaTable) -> DeltaTable:
        """Columns that were declared since the table was made are added to it."""
        have = {f.name for f in delta.schema().fields}
        missing = [n for n in self._columns.schema.names if n not in have]
        if not missing:
            return delta
        log.info("table %s gets the columns %s", self.path, ", ".join(missing))
        delta.alter.add_columns(
            [f for f in DeltaSchema.from_arrow(self._columns.schema).fields if f.name in missing]
        )
        return DeltaTable(self.path, storage_options=self._options)


def _plain(text: str) -> str:
    """Text inside the quotes of a predicate: our own ids and words; anything else is a bug."""
    if not text.replace("-", "").isalnum():
        raise ValueError(f"{text!r} is no id")
    return text


def fsync(name: str | Path) -> None:
    """Bring a file, or the names in a folder, onto the disk."""
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
