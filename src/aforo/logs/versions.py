"""Which files a table has right now: its Delta log, read incrementally, with each file's time range.

It knows no query and no engine; what it hands out are paths, columns and numbers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from arro3.core import DataType
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

TIME = "TimeGenerated"

# The Delta protocol cuts timestamps in statistics to milliseconds: what is stored as the greatest value may be
# up to one less than the true one.
_STATISTICS_STEP_US = 1_000

# Names of commits and checkpoints begin with their version, in so many digits.
_DIGITS = 20

_MICROS = DataType.timestamp("us", tz="UTC")
_INT64 = DataType.int64()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One Parquet file; the range of its `TimeGenerated` in unix microseconds, None when it is not known."""

    path: str
    rows: int
    size_bytes: int
    first_us: int | None
    last_us: int | None

    def touches(self, start_us: int | None, end_us: int | None) -> bool:
        """Whether a row of the closed range may be in it."""
        if end_us is not None and self.first_us is not None and self.first_us > end_us:
            return False
        return not (start_us is not None and self.last_us is not None and self.last_us < start_us)


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One version of a table: columns as (name, Delta type name) in their order, and its files."""

    number: int
    columns: tuple[tuple[str, str], ...]
    files: tuple[StoredFile, ...]

    def between(self, start_us: int | None, end_us: int | None) -> tuple[StoredFile, ...]:
        """The files in which rows of the closed range may be."""
        if start_us is None and end_us is None:
            return self.files
        return tuple(f for f in self.files if f.touches(start_us, end_us))


@dataclass(slots=True)
class _Open:
    inode: int
    delta: DeltaTable
    version: TableVersion


class TableVersions:
    """The tables of a data directory, each kept open: a look costs one listing of its log, 1 ms more when there is something new.

    Not for several threads at once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[tuple[str, str], _Open] = {}

    def names(self, workspace_id: str) -> tuple[str, ...]:
        """The tables that a workspace has files of."""
        folder = self.root / workspace_id
        try:
            return tuple(sorted(p.name for p in folder.iterdir() if (p / "_delta_log").is_dir()))
        except FileNotFoundError:
            return ()

    def latest(self, workspace_id: str, table: str) -> TableVersion | None:
        """The newest version; None when the table has no files yet."""
        key = (workspace_id, table)
        path = self.root / workspace_id / table
        try:
            inode = (path / "_delta_log").stat().st_ino
        except FileNotFoundError:
            self._open.pop(key, None)
            return None
        known = self._open.get(key)
        if known is None or known.inode != inode:  # new to us, or removed and made anew
            return self._opened(key, path, inode)
        try:
            if _newest(path / "_delta_log") == known.version.number:
                return known.version
            known.delta.update_incremental()
        except (DeltaError, OSError):  # its log was cleaned up further than where we stood
            return self._opened(key, path, inode)
        if known.delta.version() != known.version.number:
            known.version = _read(known.delta)
        return known.version

    def _opened(self, key: tuple[str, str], path: Path, inode: int) -> TableVersion | None:
        self._open.pop(key, None)
        try:
            delta = DeltaTable(path)
        except TableNotFoundError:  # the writer has made the folder and not yet the first commit
            return None
        self._open[key] = _Open(inode, delta, _read(delta))
        return self._open[key].version

    def forget(self) -> None:
        """Open everything anew at the next look (a file was gone: the log on disk was replaced)."""
        self._open.clear()


def _newest(log: Path) -> int:
    """The number of the newest version that a log lists (a tenth of what it takes to have the log read)."""
    with os.scandir(log) as entries:
        return max((int(e.name[:_DIGITS]) for e in entries if e.name[:_DIGITS].isdigit()), default=-1)


def _read(delta: DeltaTable) -> TableVersion:
    adds = delta.get_add_actions(flatten=True)
    root = delta.table_uri.removeprefix("file://").rstrip("/")
    names = adds.schema.names

    def column(name: str) -> list[Any]:
        return list(adds.column(name).to_pylist()) if name in names else [None] * adds.num_rows

    def micros(name: str) -> list[int | None]:
        if name not in names:
            return [None] * adds.num_rows
        return list(adds.column(name).cast(_MICROS).cast(_INT64).to_pylist())

    files = tuple(
        StoredFile(
            f"{root}/{unquote(path)}",
            rows or 0,
            size or 0,
            first,
            None if last is None else last + _STATISTICS_STEP_US - 1,
        )
        for path, rows, size, first, last in zip(
            column("path"),
            column("num_records"),
            column("size_bytes"),
            micros(f"min.{TIME}"),
            micros(f"max.{TIME}"),
            strict=True,
        )
    )
    partitions = set(delta.metadata().partition_columns)
    # A partition column stands in no file; ours repeats the day of TimeGenerated and no query asks for it.
    columns = tuple((f.name, _type_name(f)) for f in delta.schema().fields if f.name not in partitions)
    return TableVersion(delta.version(), columns, files)


def _type_name(field: Any) -> str:
    # Nested types have no plain name; nothing of ours writes them.
    return str(getattr(field.type, "type", "nested"))
