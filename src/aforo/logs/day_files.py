"""Rows of a day as a Parquet file of their own, for a commit that names it. It commits nothing.

`deltalake` writes and commits in one; its writer asks a query engine for each batch and compresses each of a hundred
columns, most of which hold one value: for a few rows three times the work (docs/decisions/0160). Where `arro3-io` is not
installed, and for tables in object storage, it is what writes.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
from arro3.core import DataType, RecordBatch, RecordBatchReader
from arro3.core import Table as ArrowTable
from deltalake.transaction import AddAction, RemoveAction

from aforo.logs.columns import DAY, DayRows

parquet: Callable[..., None] | None
try:
    from arro3.io import read_parquet
    from arro3.io import write_parquet as parquet
except ImportError:  # the extra `export` is not there
    parquet = None

ROW_GROUP_ROWS = 128 * 1024
_COMPRESSION = "zstd(1)"
MICROSECONDS = DataType.timestamp("us", tz="UTC")
WHOLE = DataType.int64()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def can_write() -> bool:
    """Whether files can be written here."""
    return parquet is not None


def write(root: Path, parts: Sequence[DayRows], unlike: Sequence[str]) -> list[AddAction | RemoveAction]:
    """One file per day below the table's folder, and what a commit says of each. `unlike`: columns whose values differ
    from row to row.

    OSError, or what the Parquet library raises: nothing is left but files that no commit names.
    """
    days: dict[date, list[DayRows]] = defaultdict(list)
    for part in parts:
        days[part.day].append(part)
    return [_write(root, together, unlike) for together in days.values()]


def _write(root: Path, parts: Sequence[DayRows], unlike: Sequence[str]) -> AddAction:
    day = parts[0].day.isoformat()
    name = f"{DAY}={day}/part-00000-{uuid.uuid4()}-c000.zstd.parquet"
    path = root / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    assert parquet is not None
    try:
        with _panics_as_errors():
            parquet(
                ArrowTable.from_batches([part.columns for part in parts])
                if len(parts) > 1
                else parts[0].columns,
                path,
                column_compression=dict.fromkeys(chain(*(part.varied for part in parts)), _COMPRESSION),
                column_dictionary_enabled=dict.fromkeys(unlike, False),
                max_row_group_size=ROW_GROUP_ROWS,
                # Parquet's own types say all: Arrow's schema would be 9 KB of each file.
                skip_arrow_metadata=True,
            )
        size = path.stat().st_size
    except BaseException:
        with contextlib.suppress(OSError):  # a full disk needs the room
            path.unlink(missing_ok=True)
        raise
    return AddAction(
        name,
        size,
        {DAY: day},
        int(time.time() * 1_000),
        data_change=True,
        stats=statistics(
            sum(part.columns.num_rows for part in parts),
            min(part.first_us for part in parts),
            max(part.last_us for part in parts),
        ),
    )


def write_whole(rows: RecordBatchReader, path: Path, group_rows: int) -> None:
    """A large file of rows that come one batch after the other: each column compressed, with dictionaries where they
    help."""
    assert parquet is not None
    with _panics_as_errors():
        parquet(rows, path, compression=_COMPRESSION, max_row_group_size=group_rows, skip_arrow_metadata=True)


def read(path: Path, batch_rows: int) -> Iterator[RecordBatch]:
    """The rows of a file, so many at a time. FileNotFoundError."""
    yield from read_parquet(path, batch_size=batch_rows)


@contextlib.contextmanager
def _panics_as_errors() -> Iterator[None]:
    """The library panics where a disk is full, and a panic is no Exception: whoever tries again would not catch it."""
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as panic:
        raise OSError(f"a Parquet file could not be written: {panic}") from panic


def statistics(rows: int, first_us: int, last_us: int) -> str:
    """As `deltalake` writes them for the one column that tables keep them of; the protocol cuts times to milliseconds."""
    found: dict[str, Any] = {
        "numRecords": rows,
        "minValues": {"TimeGenerated": _stamp(first_us)},
        "maxValues": {"TimeGenerated": _stamp(last_us)},
        "nullCount": {"TimeGenerated": 0},
    }
    return orjson.dumps(found).decode()


def _stamp(time_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=time_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03d}Z"
