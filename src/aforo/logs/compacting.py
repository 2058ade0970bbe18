"""Files of a day become few. It reads some rows at a time: so much memory it takes, however many files there are.

Small files within the shipper; large ones by `python -m aforo.logs.compacting TABLE DAY BYTES`, a process that ends: it
would hold the interpreter for seconds while the shipper waits. It knows no setting and no spool.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from arro3.core import Array, RecordBatch, RecordBatchReader, Schema
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from aforo.logs import day_files
from aforo.logs.columns import DAY
from aforo.logs.delta import commit_files, writer_properties

# Rows are read in batches of about so much of their file, and so much of the new file is made before it is written down.
# What was compressed is five to twenty times as much in memory.
_BATCH_BYTES = 512 * 1024
_GROUP_BYTES = 16 * 1024 * 1024
_MOST_BATCH_ROWS, _LEAST_GROUP_ROWS = 1_024, 1_024


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the table: its path as the log has it, the times of its rows in unix microseconds."""

    path: str
    size_bytes: int
    rows: int
    first_us: int
    last_us: int


def compact(path: Path, day: str, target_bytes: int, table: DeltaTable | None = None) -> int:
    """Make files below that size into files of about that size, rows in the order of time; how many files went.

    CommitFailedError: somebody else has changed the same files meanwhile; nothing is changed then.
    """
    table = table or DeltaTable(path)
    files = _files(table, day, target_bytes)
    if not day_files.can_write() or files is None:
        done = table.optimize.compact(
            partition_filters=[(DAY, "=", day)],
            target_size=target_bytes,
            max_concurrent_tasks=1,
            writer_properties=writer_properties(),
        )
        return int(done["numFilesRemoved"])
    gone = 0
    try:
        for together in _bins(files, target_bytes):
            _rewrite(table, path, day, together)
            gone += len(together)
    finally:
        give_back()
    return gone


def give_back() -> None:
    """What was freed within glibc's heaps goes back (45 MB of a shipper): it looks at their ends alone by itself.
    Where the system's allocator is another one there is no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _files(table: DeltaTable, day: str, below_bytes: int) -> list[_File] | None:
    """The files of a day below a size, the oldest rows first; None where some have no statistics."""
    adds = table.get_add_actions(flatten=True)
    names = (
        "path",
        "size_bytes",
        "num_records",
        "min.TimeGenerated",
        "max.TimeGenerated",
        f"partition.{DAY}",
    )
    if not set(names) <= set(adds.schema.names):
        return None
    out = []
    for name, size, rows, first, last, of in zip(*(_column(adds, n) for n in names), strict=True):
        if str(of) != day or size >= below_bytes:
            continue
        if rows is None or first is None or last is None:
            return None
        out.append(_File(name, size, rows, first, last))
    return sorted(out, key=lambda f: (f.first_us, f.path))


def _column(adds: Any, name: str) -> list[Any]:
    column = adds.column(name)
    if name.endswith("TimeGenerated"):
        column = column.cast(day_files.MICROSECONDS).cast(day_files.WHOLE)
    return list(column.to_pylist())


def _bins(files: Sequence[_File], target_bytes: int) -> Iterator[list[_File]]:
    together: list[_File] = []
    size = 0
    for file in files:
        if together and size + file.size_bytes > target_bytes:
            if len(together) > 1:
                yield together
            together, size = [], 0
        together.append(file)
        size += file.size_bytes
    if len(together) > 1:
        yield together


def _rewrite(table: DeltaTable, root: Path, day: str, files: Sequence[_File]) -> None:
    schema = table.schema()
    arrow = Schema.from_arrow(schema.to_arrow())
    wanted = Schema([arrow.field(n) for n in arrow.names if n != DAY])
    size, rows = sum(f.size_bytes for f in files), sum(f.rows for f in files)
    row_bytes = max(1, size // max(1, rows))
    batch_rows = max(1, min(_MOST_BATCH_ROWS, _BATCH_BYTES // row_bytes))
    group_rows = min(day_files.ROW_GROUP_ROWS, max(_LEAST_GROUP_ROWS, _GROUP_BYTES // row_bytes))
    name = f"{DAY}={day}/part-00000-{uuid.uuid4()}-c000.zstd.parquet"
    written = root / name
    try:
        reader = RecordBatchReader.from_batches(wanted, _batches(root, files, wanted, batch_rows))
        try:
            day_files.write_whole(reader, written, group_rows)
        except Exception as error:  # the library raises that very class, for files that it cannot read too
            raise OSError(f"{len(files)} files could not be made one: {error}") from error
        now_ms = int(time.time() * 1_000)
        stats = day_files.statistics(rows, min(f.first_us for f in files), max(f.last_us for f in files))
        add = AddAction(name, written.stat().st_size, {DAY: day}, now_ms, data_change=False, stats=stats)
        removes = [RemoveAction(f.path, False, now_ms, f.size_bytes, {DAY: day}) for f in files]
        commit_files(table, [add, *removes], "append", schema, [DAY])
    except BaseException:
        with contextlib.suppress(OSError):
            written.unlink(missing_ok=True)
        raise
    table.update_incremental()


def _batches(root: Path, files: Sequence[_File], wanted: Schema, batch_rows: int) -> Iterator[RecordBatch]:
    """The rows of the files with the columns that the table has now; what a file has not is null."""
    fields = [wanted.field(name) for name in wanted.names]
    for file in files:
        count = 0
        for batch in day_files.read(root / unquote(file.path), batch_rows):
            have = set(batch.schema.names)
            arrays = [
                batch.column(f.name).cast(f.type)
                if f.name in have
                else Array([None] * batch.num_rows, type=day_files.WHOLE).cast(f.type)
                for f in fields
            ]
            count += batch.num_rows
            yield RecordBatch.from_arrays(arrays, schema=wanted)
        if count != file.rows:
            raise OSError(f"{file.path} has {count} rows, and its table says {file.rows}")


def main(arguments: Sequence[str]) -> int:
    """0, or what Python says of a failure."""
    path, day, target_bytes = arguments
    os.nice(10)
    compact(Path(path), day, int(target_bytes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
