"""Bodies of ingestion requests, read: JSON in its three forms, and text with separators. It knows no table.

What comes out are rows: JSON objects by name, or lists of texts by place.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any

import orjson

from aforo.errors import Invalid

LARGEST_BYTES = 16 << 20
SEPARATED = {"csv": ",", "tsv": "\t", "psv": "|", "scsv": ";", "sohsv": "\x01"}
JSONS = ("json", "singlejson", "multijson")
FORMATS = (*SEPARATED, *JSONS, "raw", "txt")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# A field may be as large as a body: the library's own limit is 128 KB.
csv.field_size_limit(1 << 30)


def unpacked(body: bytes, encoding: str, most_bytes: int = LARGEST_BYTES) -> bytes:
    """The body without its `Content-Encoding`. `Invalid` when it is not sound, or larger than can be taken."""
    if encoding.lower() not in ("", "identity", "gzip"):
        raise Invalid(
            f"The content encoding {encoding!r} is not supported; gzip is.", code="UnsupportedEncoding"
        )
    if encoding.lower() == "gzip":
        try:
            with gzip.open(io.BytesIO(body)) as file:
                body = file.read(most_bytes + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise Invalid(f"The body is no sound gzip: {error}.", code="InvalidContentEncoding") from error
    if len(body) > most_bytes:
        raise Invalid(f"The body is larger than {most_bytes:,} bytes.", code="ContentLengthLimitExceeded")
    return body


def json_array(body: bytes) -> list[dict[str, Any]]:
    """The objects of one JSON array."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(error.msg, error.lineno) from error
    if not isinstance(value, list):
        raise Invalid("The body is a JSON array of objects.", code="InvalidRequestFormat")
    return list(_objects(value))


def json_values(body: bytes, form: str) -> list[dict[str, Any]]:
    """Objects: one per line (`json`), one (`singlejson`), or one behind the other or in arrays (`multijson`)."""
    return list(json_rows(body, form))


def json_rows(body: bytes, form: str) -> Iterator[dict[str, Any]]:
    """The same one after the other: `Invalid` may come behind rows."""
    text = _text(body)
    if form == "json":
        return _objects(_of_lines(text))
    values = _following(text)
    if form == "singlejson":
        listed = list(values)
        if len(listed) != 1:
            raise Invalid(
                f"The format singlejson is one object, not {len(listed)}.", code="InvalidRequestFormat"
            )
        values = iter(listed)
    return _objects(v for value in values for v in (value if isinstance(value, list) else [value]))


def separated(body: bytes, form: str) -> list[list[str]]:
    """Fields of lines; fields in quotes may hold separators and line ends."""
    return list(separated_rows(body, form))


def separated_rows(body: bytes, form: str) -> Iterator[list[str]]:
    """The same one after the other: `Invalid` may come behind rows."""
    text = _text(body)
    if form == "raw":
        yield [text]
        return
    if form == "txt":
        yield from ([line] for line in _lines(text))
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=SEPARATED[form], strict=True)
    try:
        yield from (row for row in reader if row)
    except csv.Error as error:
        raise Invalid(f"Line {reader.line_num}: {error}.", code="InvalidRequestFormat") from error


def _of_lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(_lines(text), 1):
        if not line.strip():
            continue
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError as error:
            hint = "" if number > 1 else " (`json` has one object per line; several lines are `multijson`)"
            raise _not_json(f"{error.msg}{hint}", number) from error


def _lines(text: str) -> Iterator[str]:
    """Lines as files have them: a JSON text may hold the further line ends that Unicode knows."""
    return (line.group().rstrip("\n").removesuffix("\r") for line in _LINE.finditer(text))


def _following(text: str) -> Iterator[Any]:
    decoder, at = JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (JSONDecodeError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", 0)) + 1
            raise _not_json(str(getattr(error, "msg", "it is nested too deeply")), line) from error
        yield value


def _objects(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise Invalid(f"Row {number} is no JSON object.", code="InvalidRequestFormat")
        yield value


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"The body is not UTF-8: {error.reason} at byte {error.start}.", code="InvalidRequestFormat"
        ) from error


def _not_json(message: str, line: int) -> Invalid:
    return Invalid(f"The body is not JSON: {message} (line {line}).", code="InvalidRequestFormat")
