"""JSON text and bodies to trees; what strict parsing refuses is tried as Newtonsoft reads it."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    JsonReaderException,
)
from aforo.csharp.runtime.json import JArray, JObject, JToken, wrap
from aforo.csharp.runtime.limits import room, work

# `orjson` makes floats of integers beyond 64 bits, and they lose digits; Newtonsoft keeps them. Runs of digits are
# looked for in two steps in C: all digits become 0.
_DIGITS: Final = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_LONG: Final = b"0" * 19


def _exactly(data: bytes, value: Any) -> Any:
    """The value again with all digits of its integers, where there may be long ones."""
    if _LONG not in data.translate(_DIGITS):
        return value
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return value


def _charge(size: int, values: int) -> None:
    """A tree costs its text and a little for each of its values; most stay plain and never become nodes."""
    work(values >> 3)
    room(size + values * 16)


def parse_json(text: str | None) -> Any:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    _charge(len(text), text.count(",") + text.count("[") + text.count("{"))
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if len(text) < 1_000_000:
            from aforo.csharp.runtime.json_reader import read_lenient

            return read_lenient(text)
        raise JsonReaderException(
            f"Error parsing JSON. Path '', line {error.lineno}, position {error.colno}."
        ) from None
    except (UnicodeEncodeError, TypeError):
        raise JsonReaderException("Error parsing JSON: the text is not well-formed Unicode.") from None
    return _exactly(text.encode(), value)


def parse_bytes(data: bytes) -> Any:
    """A body's JSON, without the way over text."""
    _charge(len(data), data.count(b",") + data.count(b"[") + data.count(b"{"))
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return parse_json(data.decode("utf-8-sig", "replace"))
    return _exactly(data, value)


def parse_token(text: str | None) -> JToken:
    return wrap(parse_json(text))


def parse_object(text: str | None) -> JObject:
    return as_object(parse_json(text))


def parse_array(text: str | None) -> JArray:
    return as_array(parse_json(text))


def as_object(value: Any) -> JObject:
    if not isinstance(value, dict):
        raise JsonReaderException(
            f"Error reading JObject from JsonReader. Current JsonReader item is not an object: {_reader_name(value)}. Path '', line 1, position 1."
        )
    return JObject(value)


def as_array(value: Any) -> JArray:
    if not isinstance(value, list):
        raise JsonReaderException(
            f"Error reading JArray from JsonReader. Current JsonReader item is not an array: {_reader_name(value)}. Path '', line 1, position 1."
        )
    return JArray(value)


def _reader_name(value: Any) -> str:
    if isinstance(value, dict):
        return "StartObject"
    if isinstance(value, list):
        return "StartArray"
    return {str: "String", bool: "Boolean", int: "Integer", float: "Float", type(None): "Null"}[type(value)]
