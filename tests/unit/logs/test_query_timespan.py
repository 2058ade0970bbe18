"""Time ranges as clients write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aforo.errors import Invalid
from aforo.logs.question import TimeRange
from aforo.logs.timespan import parse_timespan

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
S = 1_000_000


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * S  # type: ignore[misc,arg-type]


NOW_US = us(2026, 11, 22, 12)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("PT3600.0S", us(2026, 11, 22, 11), NOW_US),
        ("PT1H", us(2026, 11, 22, 11), NOW_US),
        ("P1DT12H", us(2026, 11, 21, 0), NOW_US),
        ("P2W", us(2026, 11, 8, 12), NOW_US),
        ("pt0.5s", NOW_US - S // 2, NOW_US),
        (
            "2026-11-20T00:00:00Z/2026-11-21T06:30:00.1234567Z",
            us(2026, 11, 20),
            us(2026, 11, 21, 6, 30) + 123_456,
        ),
        ("2026-11-20/2026-11-21", us(2026, 11, 20), us(2026, 11, 21)),
        ("2026-11-20T02:00:00+02:00/PT1H", us(2026, 11, 20), us(2026, 11, 20, 1)),
        ("PT1H/2026-11-20T00:00:00Z", us(2026, 11, 19, 23), us(2026, 11, 20)),
        ("2026-11-20T00:00:00+00:00/P1D", us(2026, 11, 20), us(2026, 11, 21)),
    ],
)
def test_a_timespan_means_a_range(text: str, start: int, end: int) -> None:
    assert parse_timespan(text, NOW_US) == TimeRange(start, end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "1h",
        "yesterday",
        "P1D/P1D",
        "2026-13-01/P1D",
        "2026-11-21/2026-11-20",
        "-PT1H",
        "2026-11-20/",
        "/P1D",
    ],
)
def test_what_is_no_timespan_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_timespan(text, NOW_US)
    assert caught.value.code == "InvalidTimespan"
    assert caught.value.target == "timespan"


def test_a_monstrous_duration_is_refused_and_not_an_overflow() -> None:
    with pytest.raises(Invalid):
        parse_timespan("P99999999999Y", NOW_US)


def test_two_ranges_meet_in_what_both_allow() -> None:
    assert TimeRange(1, 10).meet(TimeRange(5, None)) == TimeRange(5, 10)
    assert TimeRange(None, None).meet(TimeRange(None, 3)) == TimeRange(None, 3)
