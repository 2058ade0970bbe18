"""Files outside as tables of texts in the database of one query: unpacked, taken apart and laid down in its memory.

It runs where the query runs, for whoever wrote the files is a stranger. It fetches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import duckdb
import orjson

from aforo.errors import Invalid
from aforo.kql.external import PACKED, ExternalData, ExternalFile
from aforo.kql.masking import shown
from aforo.logs.formats import JSONS, json_rows, separated_rows, unpacked
from aforo.logs.mappings import at_path, mapping_columns
from aforo.logs.question import FileOutside
from aforo.logs.sandbox import name

# Of all files of a query, as they come and unpacked.
LARGEST_BYTES = 64_000_000
_ROWS_AT_ONCE = 5_000

# What a column of a row holds: a text, or nothing.
Cells = list[str | None]
Make = Callable[[Any], Cells]


class UnreadableError(Exception):
    """A file is not what the query says of it; the text says what is wrong, without secrets."""


def missing(wanted: Sequence[ExternalData], files: Sequence[FileOutside]) -> tuple[str, ...]:
    """The addresses of the files that are not there."""
    there = {f.url for f in files}
    return tuple(dict.fromkeys(f.url for data in wanted for f in data.files if f.url not in there))


def lay_down(
    connection: duckdb.DuckDBPyConnection,
    wanted: Sequence[ExternalData],
    files: Sequence[FileOutside],
    go_on: Callable[[], None],
) -> None:
    """Make the tables that a compiled query wants. `go_on` raises when the query is to end; UnreadableError."""
    there = {f.url: f for f in files}
    left = LARGEST_BYTES
    for data in wanted:
        columns = ", ".join(f"{name(column)} VARCHAR" for column, _ in data.columns)
        connection.execute(f"CREATE TABLE {name(data.key)} ({columns})")
        cells = ", ".join(f"_r[{i}]" for i in range(1, len(data.columns) + 1))
        insert = (
            f"INSERT INTO {name(data.key)} SELECT {cells} "  # noqa: S608 - names are quoted
            "FROM (SELECT unnest(from_json(?, '[[\"VARCHAR\"]]')) AS _r)"
        )
        for file in data.files:
            try:
                body = _unpacked(there[file.url], left)
                left -= len(body)
                rows = _rows(body, file, data)
                while batch := list(islice(rows, _ROWS_AT_ONCE)):
                    go_on()
                    connection.execute(insert, (orjson.dumps(batch).decode(),))
            except Invalid as error:
                raise UnreadableError(
                    f"{shown(file.url)} (externaldata): {error.message.rstrip('.')}"
                ) from error


def _unpacked(file: FileOutside, most_bytes: int) -> bytes:
    body = unpacked(file.body, file.encoding, most_bytes)
    path = file.url.partition("?")[0].lower()
    # A server that says what is packed has had its word undone: the file itself may still be a packed one.
    packed = path.endswith(PACKED) and body.startswith(b"\x1f\x8b")
    return unpacked(body, "gzip", most_bytes) if packed else body


def _rows(body: bytes, file: ExternalFile, data: ExternalData) -> Iterator[Cells]:
    in_json = file.form in JSONS
    records: Iterable[Any] = json_rows(body, file.form) if in_json else separated_rows(body, file.form)
    make = _maker(data, in_json=in_json)
    return (make(record) for record in islice(records, int(data.skip_first), None))


def _maker(data: ExternalData, *, in_json: bool) -> Make:
    """How a record becomes a row: by name, by place, or as the mapping says."""
    if data.mapping:
        return _mapped(data, mapping_columns(data.mapping, "json" if in_json else "csv"), in_json=in_json)
    if in_json:
        return lambda record: [_text(record.get(n), as_json=as_json) for n, as_json in data.columns]
    width = len(data.columns)
    return lambda fields: fields[:width]


def _mapped(data: ExternalData, mapping: Sequence[Mapping[str, Any]], *, in_json: bool) -> Make:
    entries = {m["column"]: m for m in mapping}
    names = [n for n, _ in data.columns]
    if unknown := next((n for n in entries if n not in names), None):
        raise Invalid(f"The mapping names the column {unknown!r}, which is not declared.")
    for entry in entries.values():
        at_path({}, entry.get("path", "$"))  # a path that is none is told of also where there are no rows

    def cell(record: Any, column: str, *, as_json: bool) -> str | None:
        entry = entries.get(column)
        if entry is None:
            return None
        if "constant" in entry:
            return str(entry["constant"])
        if in_json:
            return _text(at_path(record, entry["path"]), as_json=as_json)
        place = entry["ordinal"]
        return record[place] if place < len(record) else None

    return lambda record: [cell(record, n, as_json=as_json) for n, as_json in data.columns]


def _text(value: Any, *, as_json: bool) -> str | None:
    """A value of JSON as the text that Kusto's conversions take; for a dynamic column as JSON."""
    if value is None or (isinstance(value, str) and not as_json):
        return value
    return orjson.dumps(value).decode()
