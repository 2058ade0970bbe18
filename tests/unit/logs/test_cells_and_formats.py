"""Values and bodies that others send: what they become, and what is refused."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from aforo.errors import Invalid
from aforo.logs.cells import UnfitError, cell, cell_of_text
from aforo.logs.formats import LARGEST_BYTES, json_array, json_values, separated, unpacked


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        ("5", "int", 5),
        (5.0, "long", 5),
        (-(1 << 63), "long", -(1 << 63)),
        ("1e3", "real", 1000.0),
        (7, "real", 7.0),
        ("TRUE", "bool", True),
        (0, "bool", False),
        (5, "string", "5"),
        ({"a": 1}, "string", '{"a":1}'),
        ("2026-11-22T10:00:00+02:00", "datetime", 1795334400000000),
        ("2026-11-22", "datetime", 1795305600000000),
        ("-1.02:03:04.5", "timespan", -(((26 * 60 + 3) * 60 + 4) * 10_000_000 + 5_000_000)),
        ("74BE27DE-1E4E-49D9-B579-FE0B331D3642", "guid", "74be27de-1e4e-49d9-b579-fe0b331d3642"),
        ([1, "x"], "dynamic", [1, "x"]),
        ("text", "dynamic", "text"),
        (None, "long", None),
    ],
)
def test_a_value_becomes_what_its_column_holds(value: Any, kind: str, wanted: Any) -> None:
    assert cell(value, kind) == wanted


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", "int"), (1 << 31, "int"), (1.5, "long"), (True, "long"), ("1" * 30, "long"), ("inf", "real"), (True, "real"),
        ("yes", "bool"), (2, "bool"), ("tomorrow", "datetime"), (5, "datetime"), ("2026-13-01", "datetime"),
        ("1 hour", "timespan"), (5, "timespan"), ("x", "guid"), (5, "guid"), ("", "long"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_a_type_is_not_guessed(value: Any, kind: str) -> None:
    with pytest.raises(UnfitError):
        cell(value, kind)


def test_fields_of_text_are_null_when_they_are_empty() -> None:
    assert cell_of_text("", "long") is None
    assert cell_of_text(" ", "datetime") is None
    assert cell_of_text("", "string") == ""
    assert cell_of_text('{"a":[1]}', "dynamic") == {"a": [1]}
    assert cell_of_text("just text", "dynamic") == "just text"


def test_json_in_its_forms() -> None:
    assert json_array(b'[{"a":1}]') == [{"a": 1}]
    assert json_values(b'{"a":1}\n\n{"a":2}\n', "json") == [{"a": 1}, {"a": 2}]
    assert json_values(b'{"a":1}\n{\n"a":2}[{"a":3}]', "multijson") == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert json_values(b'{\n"a":1}', "singlejson") == [{"a": 1}]
    assert json_values(b"", "json") == []


@pytest.mark.parametrize(
    ("body", "form", "words"),
    [
        (b"{", "json", "line 1"),
        (b'{"a":1}\n{"a":', "json", "line 2"),
        (b"[1]", "multijson", "Row 1 is no JSON object"),
        (b'{"a":1}{"a":2}', "singlejson", "not 2"),
        (b'{"a":1}\n\n{"a"', "multijson", "line 3"),
        (b"\xff", "json", "UTF-8"),
        (b"[" * 100_000, "multijson", "JSON"),
    ],
)
def test_json_that_is_none_says_where(body: bytes, form: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        json_values(body, form)


def test_separated_fields_may_hold_separators_and_line_ends() -> None:
    assert separated(b'a,"b,\n""c"""\r\n,\n', "csv") == [["a", 'b,\n"c"'], ["", ""]]
    assert separated(b"a\tb\n", "tsv") == [["a", "b"]]
    assert separated("ä|b\n".encode(), "psv") == [["ä", "b"]]
    assert separated(b"x,y\nz", "txt") == [["x,y"], ["z"]]
    assert separated(b"x\ny", "raw") == [["x\ny"]]
    with pytest.raises(Invalid):
        separated(b'a,"b', "csv")


def test_packed_bodies_are_bounded() -> None:
    assert unpacked(gzip.compress(b"x"), "gzip") == b"x"
    with pytest.raises(Invalid, match="no sound gzip"):
        unpacked(b"x", "gzip")
    with pytest.raises(Invalid, match="no sound gzip"):
        unpacked(gzip.compress(b"x" * 100)[:-9], "gzip")
    with pytest.raises(Invalid, match="larger"):
        unpacked(gzip.compress(bytes(LARGEST_BYTES + 1)), "gzip")
    with pytest.raises(Invalid, match="brotli"):
        unpacked(b"x", "brotli")
