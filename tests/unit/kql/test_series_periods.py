"""Periods that a series has, and what is decomposed by the one that counts most: Kusto's published answers first."""

from __future__ import annotations

import json
import math
import random

import pytest

from aforo.kql.natives.series_periods import likeness, periods, season
from tests.support.kql_run import answer, mistakes

# A month of traffic, two values a day, as the reference has it.
TRAFFIC = [
    80, 139, 87, 110, 68, 54, 50, 51, 53, 133, 86, 141, 97, 156, 94, 149, 95, 140, 77, 61, 50, 54, 47, 133, 72, 152,
    94, 148, 105, 162, 101, 160, 87, 63, 53, 55, 54, 151, 103, 189, 108, 183, 113, 175, 113, 178, 90, 71, 62, 62, 65,
    165, 109, 181, 115, 182, 121, 178, 114, 170,
]  # fmt: skip


def cells(expression: str) -> list[object]:
    return [json.loads(cell) for cell in answer(f"print {expression}")[1][0]]


def test_the_published_period_and_its_score() -> None:
    columns, rows = answer(f"print y = dynamic({TRAFFIC}) | project series_periods_detect(y, 0.0, 50.0, 2)")
    assert columns == ["series_periods_detect_y_periods:dynamic", "series_periods_detect_y_scores:dynamic"]
    found, scores = (json.loads(cell) for cell in rows[0])
    assert found == [14.0, 0.0]
    assert [round(s, 2) for s in scores] == [0.84, 0.0]
    asked, judged = cells(f"series_periods_validate(dynamic({TRAFFIC}), 14.0, 10.0)")
    assert asked == [14.0, 10.0]
    assert judged == [scores[0], 0.0]


@pytest.mark.parametrize(
    ("ys", "expected"),
    [
        ([2, 5, 3, 4, 3, 2, 1] + [2, 3, 4, 3, 2, 1] * 3, [1.0] + [2.0, 3.0, 4.0, 3.0, 2.0, 1.0] * 4),
        ([8, 12, 14, 12, 10] + [10, 12, 14, 12, 10] * 3, [10.0, 12.0, 14.0, 12.0, 10.0] * 4),
        ([1, 3, 5, 2, 4, 6] * 2, [0.0] * 12),
    ],
)
def test_the_published_seasons(ys: list[int], expected: list[float]) -> None:
    assert cells(f"series_seasonal(dynamic({ys}))") == [expected]
    assert cells(f"series_seasonal(dynamic({ys}), -1)") == [expected]


# As the reference makes its series: an hour per element, another level at weekends, outliers at three places.
WEEKS = """range t from 1 to 24*7*5 step 1
| extend y = 2*{noise} + iff((t/24)%7>=5, 10.0, 15.0) - (((t%24)/10)*((t%24)/10)) + t/{trend}
| extend y = iff(t==150 or t==200 or t==780, y - 8.0, y)
| summarize y = make_list(y, 10000)"""


@pytest.mark.parametrize("arguments", ["y, 2.0, -1, 'linefit'", "y, 2.5, -1, 'linefit'"])
def test_anomalies_of_weeks_with_a_trend(arguments: str) -> None:
    weeks = WEEKS.format(noise="((t * 7919) % 101) / 101.0", trend="72.0")
    found = answer(f"{weeks} | extend (flag, score, base) = series_decompose_anomalies({arguments})"
                   " | mv-expand with_itemindex=at flag to typeof(long) | where flag != 0 | project at, flag")  # fmt: skip
    assert found[1] == [[149, -1], [199, -1], [779, -1]]


def test_a_week_without_a_trend_needs_no_more_than_the_series() -> None:
    weeks = WEEKS.format(noise="0.3", trend="1e9")
    found = answer(
        f"{weeks} | project series_decompose_anomalies(y) | project series_decompose_anomalies_y_ad_flag"
    )
    flags = json.loads(found[1][0][0])
    assert [i for i, f in enumerate(flags) if f] == [149, 199, 779]
    length = answer(f"{weeks} | extend (p, s) = series_periods_detect(y, 4.0, 400.0, 2) | project p, s")[1][0]
    assert json.loads(length[0]) == [168.0, 24.0]
    assert 1 > json.loads(length[1])[0] > json.loads(length[1])[1] > 0.6


def test_a_forecast_finds_the_season_in_what_it_learns_from() -> None:
    assert cells("series_decompose_forecast(array_concat(repeat(0, 0), dynamic("
                 f"{[1, 2, 3, 9] * 5 + [0] * 4})), 4)") == [[1.0, 2.0, 3.0, 9.0] * 6]  # fmt: skip


@pytest.mark.parametrize("hours", [24, 168])
@pytest.mark.parametrize("weeks", [4, 9])
def test_days_and_weeks_are_found_in_noise(hours: int, weeks: int) -> None:
    for seed in range(10):
        chance = random.Random(seed)
        level = [50 + 40 * math.sin(2 * math.pi * h / 24) for h in range(24)]
        quiet = 1.0 if hours == 24 else 0.1
        ys = [
            level[t % 24] * (quiet if t // 24 % 7 > 4 else 1) + chance.gauss(0, 6) for t in range(168 * weeks)
        ]
        assert season(ys, 0.6) == hours
        assert sorted(p for p, _ in periods(ys, 4, 168.5, 2))[-1] == hours


def test_noise_lines_and_single_values_have_no_season() -> None:
    for seed in range(40):
        chance = random.Random(seed)
        assert season([chance.random() for _ in range(60 + 20 * seed)], 0.6) == 0
    assert season([3.25] * 100, 0.0) == season([0.1 * t for t in range(100)], 0.0) == 0
    assert cells("series_decompose_anomalies(dynamic([1,1,1,1,1,1,1,1,1,1]))")[0] == [0] * 10
    assert (
        cells("series_decompose_anomalies(dynamic([0,0,0,0,9,0,0,0,0,0,0,0]), 1.5)")[0]
        == [0] * 4 + [1] + [0] * 7
    )
    assert cells("series_periods_detect(dynamic([1, 2, 1, 2, 1]), 0, 9, 3)") == [[0.0] * 3, [0.0] * 3]


def test_a_long_series_is_compared_by_its_spectrum() -> None:
    chance = random.Random(1)
    ys = [math.sin(2 * math.pi * t / 60) + chance.gauss(0, 0.3) for t in range(1200)]
    whole = likeness(ys)
    assert len(whole) == 901
    head = likeness(ys[:999])
    assert whole[0] == pytest.approx(1.0)
    assert head[60] == pytest.approx(whole[60], abs=0.05)
    assert season(ys, 0.6) == 60


def test_bounds_and_what_is_no_series() -> None:
    ys = f"dynamic({TRAFFIC})"
    assert cells(f"series_periods_detect({ys}, 15, 30, 1)")[0] == [28.0]
    assert cells(f"series_periods_detect({ys}, 15, 20, 1)") == [[0.0], [0.0]]
    assert cells(f"series_periods_validate({ys}, 3, 31, 14)")[1][:2] == [0.0, 0.0]
    assert answer("print series_periods_detect(dynamic([1, null, 3]), 0, 9, 3)")[1] == [[None, None]]
    assert answer("print series_periods_detect(dynamic({'a': 1}), 0, 9, 3)")[1] == [[None, None]]
    assert answer(f"print series_periods_detect({ys}, 0, 9, 0)")[1] == [[None, None]]
    assert cells(f"series_periods_validate({ys}, 14)")[0] == [14]
    many = ", ".join(["4"] * 17)
    assert "1 to 16 periods" in mistakes(f"print series_periods_validate({ys}, {many})")[0]
    assert "-1 to find it" in mistakes(f"print series_decompose({ys}, -2)")[0]
