"""Bodies of ingestion requests, read: JSON in its three forms, and text with separators. It knows no table.

What comes out are rows: JSON objects by name, or lists of texts by place.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from json import JSONDecodeError, JSONDecoder
from typing import Any

import orjson

from aforo.errors import Invalid

LARGEST_BYTES = 16 << 20
SEPARATED = {"csv": ",", "tsv": "\t", "psv": "|", "scsv": ";", "sohsv": "\x01"}
JSONS = ("json", "singlejson", "multijson")
FORMATS = (*SEPARATED, *JSONS, "raw", "txt")


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its `Content-Encoding`. `Invalid` when it is not sound, or larger than can be taken."""
    if encoding.lower() not in ("", "identity", "gzip"):
        raise Invalid(
            f"The content encoding {encoding!r} is not supported; gzip is.", code="UnsupportedEncoding"
        )
    if encoding.lower() == "gzip":
        try:
            with gzip.open(io.BytesIO(body)) as file:
                body = file.read(LARGEST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise Invalid(f"The body is no sound gzip: {error}.", code="InvalidContentEncoding") from error
    if len(body) > LARGEST_BYTES:
        raise Invalid(f"The body is larger than {LARGEST_BYTES:,} bytes.", code="ContentLengthLimitExceeded")
    return body


def json_array(body: bytes) -> list[dict[str, Any]]:
    """The objects of one JSON array."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(error.msg, error.lineno) from error
    if not isinstance(value, list):
        raise Invalid("The body is a JSON array of objects.", code="InvalidRequestFormat")
    return _objects(value)


def json_values(body: bytes, form: str) -> list[dict[str, Any]]:
    """Objects: one per line (`json`), one (`singlejson`), or one behind the other or in arrays (`multijson`)."""
    text = _text(body)
    if form == "json":
        out = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    out.append(orjson.loads(line))
                except orjson.JSONDecodeError as error:
                    hint = (
                        ""
                        if number > 1
                        else " (`json` has one object per line; several lines are `multijson`)"
                    )
                    raise _not_json(f"{error.msg}{hint}", number) from error
        return _objects(out)
    values = list(_following(text))
    if form == "singlejson" and len(values) != 1:
        raise Invalid(f"The format singlejson is one object, not {len(values)}.", code="InvalidRequestFormat")
    return _objects([v for value in values for v in (value if isinstance(value, list) else [value])])


def separated(body: bytes, form: str, *, skip_first: bool = False) -> list[list[str]]:
    """Fields of lines; fields in quotes may hold separators and line ends."""
    text = _text(body)
    if form in ("raw", "txt"):
        rows = [[text]] if form == "raw" else [[line] for line in text.splitlines()]
    else:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=SEPARATED[form], strict=True)
        try:
            rows = [row for row in reader if row]
        except csv.Error as error:
            raise Invalid(f"Line {reader.line_num}: {error}.", code="InvalidRequestFormat") from error
    return rows[1:] if skip_first else rows


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


def _objects(values: Sequence[Any]) -> list[dict[str, Any]]:
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise Invalid(f"Row {number} is no JSON object.", code="InvalidRequestFormat")
    return list(values)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"The body is not UTF-8: {error.reason} at byte {error.start}.", code="InvalidRequestFormat"
        ) from error


def _not_json(message: str, line: int) -> Invalid:
    return Invalid(f"The body is not JSON: {message} (line {line}).", code="InvalidRequestFormat")
