"""Bodies as they are kept: fields by path, and what detectors find. What cannot be read is not kept.

A small body stays as it was written but for what was replaced; one with rules for fields, or a large one, is written
anew from what it says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import orjson

from aforo.gateway.masking.fields import Rule, mask_fields, mask_texts
from aforo.gateway.masking.marks import Marks
from aforo.gateway.masking.streams import STREAM_STARTS, mask_stream
from aforo.gateway.masking.written import PIECE, Finder

# Up to here a JSON text is looked at as it is written; beyond, text by text.
_SMALL: Final = PIECE
# The end of a body that was cut: what is found with blanks in it is at most so long.
_SPACED: Final = 64
_ENDS: Final = ' \t\r\n"<>,;'


class BodyRules:
    """What happens to the bodies of one direction."""

    def __init__(self, fields: Sequence[Rule], finder: Finder, marks: Marks) -> None:
        self._fields = fields
        self._finder = finder
        self._marks = marks

    def __bool__(self) -> bool:
        return bool(self._fields) or bool(self._finder)

    def mask(self, body: bytes, *, cut: bool, told: list[str]) -> tuple[bytes, bool]:
        """The body as it may be kept, and whether it is less than the whole. `told` gets texts of masked fields."""
        try:
            return self._mask(body, cut, told)
        except RecursionError:  # nested deeper than anything that means something
            return b"", True

    def _mask(self, body: bytes, cut: bool, told: list[str]) -> tuple[bytes, bool]:
        encoding, text = _read(body)
        if text is None:
            return b"", True
        begin = text.lstrip("\ufeff \t\r\n")
        if begin.startswith(STREAM_STARTS):
            return mask_stream(text, self._fields, self._finder, self._marks, told).encode(), cut
        if begin[:1] in ("{", "["):
            if self._fields or len(text) > _SMALL:
                anew = self._written_anew(begin, told)
                if anew is not None:
                    return anew, cut
                if self._fields:
                    # A field that cannot be found could be anywhere.
                    return b"", True
            else:
                return self._as_written(body, begin if cut else text, encoding, cut)
        if cut:
            text = without_tail(text)
        return self._finder.mask(text).encode(encoding), cut

    def _as_written(self, body: bytes, text: str, encoding: str, cut: bool) -> tuple[bytes, bool]:
        if cut:
            text = without_tail(text)
        masked = self._finder.mask(text)
        if masked == text:
            return (text.encode(encoding) if cut else body), cut
        data = masked.encode(encoding, "replace")
        if not cut and encoding == "utf-8":
            try:
                orjson.loads(data)
            except ValueError:
                # A number that is no text: what stands instead has to be one.
                anew = self._written_anew(text, [])
                if anew is not None:
                    return anew, cut
        return data, cut

    def _written_anew(self, text: str, told: list[str]) -> bytes | None:
        """None for what is no JSON."""
        try:
            value = orjson.loads(text)
        except ValueError:
            try:
                value = json.loads(text)  # what orjson is too strict for
            except ValueError:
                return None
        skip = mask_fields(value, self._fields, self._marks, told)
        if self._finder:
            value = mask_texts(value, self._finder, skip)
        try:
            return orjson.dumps(value)
        except TypeError:
            return json.dumps(value).encode()


def _read(body: bytes) -> tuple[str, str | None]:
    """The encoding and the text; None where it is no text."""
    encoding = json.detect_encoding(body[:4]) if body else "utf-8"
    if encoding == "utf-8-sig":
        encoding = "utf-8"
    try:
        return encoding, body.decode(encoding)
    except UnicodeDecodeError as error:
        # The last character of what was cut.
        if encoding == "utf-8" and error.start >= len(body) - 3:
            return encoding, body[: error.start].decode()
        return encoding, None


def without_tail(text: str) -> str:
    """A text that was cut, without the end that may be a part of something."""
    at = max(len(text) - _SPACED, 0)
    while at and text[at - 1] not in _ENDS:
        at -= 1
    return text[:at]
