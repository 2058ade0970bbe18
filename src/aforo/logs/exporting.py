"""Answers as files: CSV, JSON lines, Parquet, Arrow. It knows no request and no pool.

Columns keep their types: bool, int, long, real and decimal(38, 12) are what they are, datetime is a UTC timestamp in
microseconds (the seventh digit of computed ones is cut), guid and timespan are text as Kusto writes them, dynamic is
JSON text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from aforo.errors import Unavailable

if TYPE_CHECKING:
    from arro3.core import Array, Table

# Form -> the media types by which it is asked for; the first one is answered.
MEDIA_TYPES = {
    "csv": ("text/csv",),
    "jsonl": ("application/x-ndjson", "application/jsonl"),
    "parquet": ("application/vnd.apache.parquet", "application/x-parquet"),
    "arrow": ("application/vnd.apache.arrow.file",),
    "arrows": ("application/vnd.apache.arrow.stream",),
}
EXTENSIONS = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".arrows": "arrows",
}
_FITS = re.compile(r"-?\d{1,26}(\.\d{1,12})?$")
_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}

Columns = Sequence[tuple[str, str]]  # name, Kusto type


def form_of(accept: str) -> str:
    """The form that an `Accept` header asks for; "" for JSON, which is what everything else means."""
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    for media in wanted:
        for form, names in MEDIA_TYPES.items():
            if media in names:
                return form
        if media in ("application/json", "*/*"):
            return ""
    return ""


def exported(columns: Columns, rows: Sequence[Sequence[Any]], form: str) -> bytes:
    """The rows as a file. Cells are Log Analytics' (`question.QueryAnswer`). Unavailable names the extra that lacks."""
    match form:
        case "csv":
            return _csv(columns, rows)
        case "jsonl":
            names = [name for name, _ in columns]
            return b"".join(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n" for row in rows)
        case _:
            return _columnar(columns, rows, form)


def _csv(columns: Columns, rows: Sequence[Sequence[Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([name for name, _ in columns])
    for row in rows:
        writer.writerow([_text(value) for value in row])
    return out.getvalue().encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _columnar(columns: Columns, rows: Sequence[Sequence[Any]], form: str) -> bytes:
    try:
        from arro3.io import write_ipc, write_ipc_stream, write_parquet  # 23 MB, for those who export
    except ImportError as error:
        raise Unavailable(
            "Parquet and Arrow files need the extra 'export': pip install 'aforo[export]'.",
            code="ExtraNotInstalled",
        ) from error
    table, out = _table(columns, rows), io.BytesIO()
    if form == "parquet":
        write_parquet(table, out, compression="zstd(1)")
    elif form == "arrow":
        write_ipc(table, out, compression=None)
    else:
        write_ipc_stream(table, out, compression=None)
    return out.getvalue()


def _table(columns: Columns, rows: Sequence[Sequence[Any]]) -> Table:
    from arro3.core import Field, Schema, Table

    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [_array(list(values), kind) for values, (_, kind) in zip(cells, columns, strict=True)]
    schema = Schema(
        [Field(name, a.type, nullable=True) for a, (name, _) in zip(arrays, columns, strict=True)]
    )
    return Table.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: str) -> Array:
    from arro3.core import Array, DataType

    match kind:
        case "bool":
            return Array(values, DataType.bool())
        case "int":
            return Array(values, DataType.int32())
        case "long":
            return Array(values, DataType.int64())
        case "real":
            return Array(
                [_NUMBERS.get(v, v) if isinstance(v, str) else v for v in values], DataType.float64()
            )
        case "decimal" if all(v is None or _FITS.match(v) for v in values):
            return Array(values, DataType.utf8()).cast(DataType.decimal128(38, 12))
        case "datetime":
            return Array(values, DataType.utf8()).cast(DataType.timestamp("us", tz="UTC"))
        case _:  # a decimal with more digits is text: none of them is to be lost
            return Array(values, DataType.utf8())
