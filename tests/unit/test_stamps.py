"""Moments and durations as text."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.stamps import duration_s, http_date, iso_stamp, timespan_text


@given(st.integers(0, 253_402_300_799))
def test_dates_of_http_are_those_of_the_mail_library(unix_s: int) -> None:
    assert http_date(unix_s) == formatdate(unix_s, usegmt=True)


def test_stamps() -> None:
    assert iso_stamp(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.1234567Z"
    assert iso_stamp(1_700_000_000_000_000_000, 3) == "2023-11-14T22:13:20.000Z"
    assert [timespan_text(t) for t in (0, -18_000_000_000, 937_845_000_000)] == [
        "00:00:00",
        "-00:30:00",
        "1.02:03:04.5000000",
    ]


def test_durations() -> None:
    assert [duration_s(t) for t in ("PT1M30S", "P1DT0.5S", "P2W")] == [90, 86_400.5, 1_209_600]
    for text in ("", "P", "PT", "P1M", "PT1H\n", "1H"):
        with pytest.raises(ValueError, match="no ISO 8601 duration"):
            duration_s(text)
