"""Datetimes and timespans from text and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.kql import ticks
from aforo.stamps import timespan_text


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-01-02", "2024-01-02T00:00:00Z"),
        ("2024-01-02 03:04", "2024-01-02T03:04:00Z"),
        ("2024-01-02T03:04:05.1234567Z", "2024-01-02T03:04:05.1234567Z"),
        ("2024-01-02T03:04:05.10", "2024-01-02T03:04:05.1Z"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
        ("12/31/2024", "2024-12-31T00:00:00Z"),
        ("12-02-2022", "2022-12-02T00:00:00Z"),
        ("0001-01-01", "0001-01-01T00:00:00Z"),
        ("9999-12-31 23:59:59.9999999", "9999-12-31T23:59:59.9999999Z"),
    ],
)
def test_datetimes(text: str, iso: str) -> None:
    value = ticks.parse_datetime(text)
    assert value is not None
    assert ticks.format_datetime(value) == iso


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-02-30", "24:00:00"])
def test_no_datetime(text: str) -> None:
    assert ticks.parse_datetime(text) is None


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1.02:03:04.5", "1.02:03:04.5000000"),
        ("-00:30", "-00:30:00"),
        ("1h", "01:00:00"),
        ("1.5d", "1.12:00:00"),
        ("7", "7.00:00:00"),
    ],
)
def test_timespans(text: str, printed: str) -> None:
    value = ticks.parse_timespan(text)
    assert value is not None
    assert timespan_text(value) == printed


def test_the_unix_epoch() -> None:
    assert ticks.from_datetime(datetime(1970, 1, 1, tzinfo=UTC)) == ticks.UNIX_EPOCH


@given(st.integers(0, ticks.MAX_DATETIME))
def test_datetimes_survive_text(value: int) -> None:
    assert ticks.parse_datetime(ticks.format_datetime(value)) == value


@given(st.integers(-(10**17), 10**17))
def test_timespans_survive_text(value: int) -> None:
    assert ticks.parse_timespan(timespan_text(value)) == value
