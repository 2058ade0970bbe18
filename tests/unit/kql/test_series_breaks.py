"""Two lines through a series: the columns, and the place where it is split."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.kql.natives.series_breaks import split
from aforo.kql.natives.series_fitting import fitted_line
from tests.support.kql_run import answer, mistakes

RISE_AND_FALL = "dynamic([1, 2.2, 2.5, 4.7, 5.0, 12, 10.3, 10.3, 9, 8.3, 6.2])"
SIDE = ["rsquare", "slope", "interception", "variance", "rvariance"]


def bag(series: str) -> Any:
    ((text,),) = answer(f"print series_fit_2lines_dynamic({series})")[1]
    return None if text is None else json.loads(text)


def test_columns() -> None:
    columns, _ = answer(f"print y={RISE_AND_FALL} | project series_fit_2lines(y)")
    both = ["rsquare:real", "split_idx:long", "variance:real", "rvariance:real", "line_fit:dynamic"]
    sides = [f"{side}_{name}:real" for side in ("right", "left") for name in SIDE]
    assert columns == [f"series_fit_2lines_y_{name}" for name in both + sides]
    assert answer(f"print y={RISE_AND_FALL} | extend (r, at)=series_fit_2lines(y) | project-away y")[0] == [
        "r:real",
        "at:long",
    ]
    assert "inside an expression" in mistakes("print 1 + series_fit_2lines(dynamic([1]))")[0]


def test_each_side_is_the_line_that_fits_it() -> None:
    found = bag(RISE_AND_FALL)
    assert found["split_idx"] == 5
    for side, part in ("left", "[1, 2.2, 2.5, 4.7, 5.0]"), ("right", "[12, 10.3, 10.3, 9, 8.3, 6.2]"):
        ((text,),) = answer(f"print series_fit_line_dynamic(dynamic({part}))")[1]
        line = json.loads(text)
        assert found[side] == {name: line[name] for name in SIDE}
        fit = found["line_fit"][:5] if side == "left" else found["line_fit"][5:]
        assert fit == line["line_fit"]
    assert found["rsquare"] == pytest.approx(1 - found["rvariance"] / found["variance"])


def test_columns_and_bag_tell_the_same() -> None:
    columns, (row,) = answer(f"print y={RISE_AND_FALL} | project series_fit_2lines(y)")
    told = dict(
        zip([c.split(":")[0].removeprefix("series_fit_2lines_y_") for c in columns], row, strict=True)
    )
    found = bag(RISE_AND_FALL)
    assert json.loads(told.pop("line_fit")) == found.pop("line_fit")
    nested: dict[str, object] = {}
    for side in ("right", "left"):
        nested |= {f"{side}_{name}": value for name, value in found.pop(side).items()}
    assert told == found | nested


@pytest.mark.parametrize(
    ("series", "at"),
    [
        ("[1, 2, 3, 9, 9, 9]", 3),
        ("[1, 2, 3, 4, 3, 2, 1]", 3),  # 4 fits as well: the first one counts
        ("[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]", 2),
        ("[5, 5, 5, 5, 5]", 2),
        ("[1, 2, 8, 9]", 2),
    ],
)
def test_where_it_is_split(series: str, at: int) -> None:
    assert bag(f"dynamic({series})")["split_idx"] == at


@pytest.mark.parametrize(
    "series", ["dynamic([1, 2, 3])", "dynamic([1, 2, null, 4])", "dynamic({})", "dynamic(null)"]
)
def test_what_has_no_two_lines(series: str) -> None:
    assert bag(series) is None
    assert answer(f"print series_fit_2lines({series})")[1] == [[None] * 15]


def test_numbers_at_the_edge_of_doubles_end_nothing() -> None:
    assert bag("dynamic([1e308, -1e308, 1e308, 1e-300, 5])")["split_idx"] == 2


@settings(max_examples=60)
@given(st.lists(st.integers(-50, 50), min_size=4, max_size=12))
def test_no_other_split_fits_better(whole: list[int]) -> None:
    values = [float(v) for v in whole]

    def rest(at: int) -> float:
        return sum(
            (y - f) ** 2
            for part in (values[:at], values[at:])
            for y, f in zip(part, fitted(part), strict=True)
        )

    def fitted(part: list[float]) -> list[float]:
        fit = fitted_line(part)["line_fit"]
        assert isinstance(fit, list)
        return fit

    assert rest(split(values)) <= min(rest(i) for i in range(2, len(values) - 1)) + 1e-6
