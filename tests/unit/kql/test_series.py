"""Functions over arrays of numbers: what is no number is null, missing is filled, several columns get their names."""

from __future__ import annotations

import json
import math

import duckdb
import pytest

from tests.support.kql_run import answer, mistakes


def value(expression: str) -> object:
    cell = answer(f"print {expression}")[1][0][0]
    return json.loads(cell) if isinstance(cell, str) and cell.startswith(("[", "{")) else cell


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("series_add(dynamic([1,2,3]), dynamic([1,2.5]))", [2, 4.5, None]),
        ("series_subtract(10, dynamic([1,'a',null,true]))", [9, None, None, None]),
        ("series_multiply(dynamic([9223372036854775807, 2]), 2)", [None, 4]),
        ("series_divide(dynamic([1,0,null,-1]), 0)", ["Infinity", "NaN", None, "-Infinity"]),
        ("series_divide(dynamic([6]), dynamic([3]))", [2.0]),
        ("series_pow(dynamic([-8, 0, 10]), dynamic([0.5, -1, 400]))", ["NaN", "Infinity", "Infinity"]),
        ("series_add(series_divide(dynamic([1, 0]), 0), 1)", ["Infinity", "NaN"]),
        ("series_add(dynamic({'a': 1}), 1)", None),
        ("series_abs(dynamic([-6.5, 0, -3]))", [6.5, 0, 3]),
        ("series_sign(dynamic([-6, 0, 2.5]))", [-1, 0, 1.0]),
        ("series_floor(dynamic([-1.5, 1, 2.5]))", [-2.0, 1.0, 2.0]),
        ("series_log(dynamic([0, -1, 1]))", ["-Infinity", "NaN", 0.0]),
        ("series_acos(dynamic([2, 1]))", ["NaN", 0.0]),
        ("series_exp(dynamic([1000, 0]))", ["Infinity", 1.0]),
        ("series_less_equals(dynamic([1, 2, 3]), dynamic([2, 2]))", [True, True, None]),
        ("series_greater(dynamic([1, 2.5]), 2)", [False, True]),
        ("series_greater_equals(dynamic([1, 2]), 2)", [False, True]),
        ("series_equals(dynamic([1, 'x']), dynamic([1.0, 'x']))", [True, None]),
    ],
)
def test_elements(expression: str, expected: object) -> None:
    assert value(expression) == expected


def test_whole_numbers_stay_whole() -> None:
    assert answer("print series_add(dynamic([1,2]), 1), series_divide(dynamic([4]), 2)")[1] == [
        ["[2,3]", "[2.0]"]
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("series_sum(dynamic([1, 2.5, 'a', null]))", 3.5),
        ("series_sum(dynamic([]))", None),
        ("series_product(dynamic([2, 3, 4]))", 24.0),
        ("series_magnitude(dynamic([3, 4]))", 5.0),
        ("series_dot_product(dynamic([1, 2, 3]), dynamic([4, 5]))", 14.0),
        ("series_dot_product(dynamic([]), 3)", None),
        ("series_cosine_similarity(dynamic([1, 0]), dynamic([0, 1]))", 0.0),
        ("series_cosine_similarity(dynamic([0]), dynamic([1]))", "NaN"),
        ("series_pearson_correlation(dynamic([1, 2, 3]), dynamic([3, 2, 1]))", -1.0),
        ("series_pearson_correlation(dynamic([1, 2, 3]), dynamic([3, 2]))", None),
        ("series_pearson_correlation(dynamic([1, null]), dynamic([3, 2]))", None),
        ("series_pearson_correlation(dynamic([1, 1]), dynamic([3, 2]))", "NaN"),
    ],
)
def test_measures(expression: str, expected: object) -> None:
    assert value(expression) == expected


def test_statistics_count_nulls_only_where_they_may() -> None:
    with_nulls = "dynamic([null, 3, 1, 3])"
    assert answer(f"print series_stats({with_nulls})")[1] == [[None] * 7]
    found = answer(f"print series_stats({with_nulls}, true)")
    assert found[0][:2] == ["series_stats__min:real", "series_stats__min_idx:long"]
    assert found[1][0][:5] == [1.0, 2, 3.0, 1, 7 / 3]
    assert math.isclose(found[1][0][6], 4 / 3)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("series_fill_const(dynamic([1, null, 2.5]), 0.0)", [1, 0.0, 2.5]),
        ("series_fill_const(dynamic([1, -1, null]), 7, -1)", [1, 7, None]),
        ("series_fill_forward(dynamic([null, 1, null, 2, null]))", [None, 1, 1, 2, 2]),
        ("series_fill_forward(dynamic([0, 1, 0]), 0)", [0, 1, 1]),
        ("series_fill_backward(dynamic([null, 1, null, 2, null]))", [1, 1, 2, 2, None]),
        ("series_fill_forward('text')", None),
        ("series_fill_linear(dynamic([null, 41, null, null, 16, null]))", [41, 41, 32, 24, 16, 16]),
        ("series_fill_linear(dynamic([-16, null, null, -41]))", [-16, -24, -32, -41]),
        ("series_fill_linear(dynamic([1.0, null, 2]))", [1.0, 1.5, 2]),
        ("series_fill_linear(dynamic([null, 1, null, 3, null]), real(null), false)", [None, 1, 2, 3, None]),
        ("series_fill_linear(dynamic([0, 1, 0, 3]), 0)", [1, 1, 2, 3]),
        ("series_fill_linear(dynamic([null, null]))", [0.0, 0.0]),
        ("series_fill_linear(dynamic([null]), real(null), true, 2.5)", [2.5]),
        ("series_fill_linear(dynamic([null]), real(null), true, real(null))", [None]),
        ("series_fill_linear(dynamic([]))", []),
    ],
)
def test_filling(expression: str, expected: object) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("series_fir(dynamic([3, 6, 9]), dynamic([1, 1, 1]))", [1.0, 3.0, 6.0]),
        ("series_fir(dynamic([3, 6, 9]), dynamic([1, 1, 1]), true, true)", [3.0, 6.0, 5.0]),
        ("series_fir(dynamic([3, 6, 9]), dynamic([1, 1]), false)", [3.0, 9.0, 15.0]),
        ("series_fir(dynamic([0, 2, 2, 3]), dynamic([1, -1]))", [0.0, 2.0, 0.0, 1.0]),
        ("series_fir(dynamic([0, 2, 2, 3]), dynamic([1, -1]), true)", None),
        ("series_fir(dynamic([1, null]), dynamic([1]))", None),
        ("series_iir(dynamic([1, 2, 3, 4]), dynamic([1]), dynamic([1, -1]))", [1.0, 3.0, 6.0, 10.0]),
        ("series_iir(dynamic([4, 8]), dynamic([1, 1]), dynamic([2]))", [2.0, 6.0]),
        ("series_iir(dynamic([4, 8]), dynamic([1]), dynamic([0, 1]))", None),
    ],
)
def test_filters(expression: str, expected: object) -> None:
    assert value(expression) == expected


def test_a_line_counts_from_one() -> None:
    columns, rows = answer("print y=dynamic([5, 7, 9]) | project series_fit_line(y)")
    assert columns[0] == "series_fit_line_y_rsquare:real"
    assert rows == [[1.0, 2.0, 4.0, 0.0, 3.0, "[5.0,7.0,9.0]"]]
    assert answer("print series_fit_line(dynamic([5, null]))")[1] == [[None] * 6]


def test_a_polynomial_of_degree_one_is_the_line() -> None:
    ys = "dynamic([2, 5, 6, 8])"
    ((rsquare, slope, spread, rest, start, fit),) = answer(f"print series_fit_line({ys})")[1]
    ((poly_rsquare, coefficients, poly_spread, poly_rest, poly_fit),) = answer(
        f"print series_fit_poly({ys})"
    )[1]
    assert [rsquare, spread, rest] == pytest.approx([poly_rsquare, poly_spread, poly_rest])
    assert json.loads(coefficients) == pytest.approx([slope, start])
    assert json.loads(poly_fit) == pytest.approx(json.loads(fit))


def test_a_parabola_over_places_of_its_own() -> None:
    columns, rows = answer("print series_fit_poly(dynamic([1, 9, 25, 0]), dynamic([1, 3, 5, 0]), 2)")
    assert columns[1] == "series_fit_poly__coefficients:dynamic"
    assert rows[0][:2] == [1.0, "[1.0,0.0,0.0]"]
    assert answer("print series_fit_poly(dynamic([1, 2]), dynamic([1, 1]), 1)")[1] == [[None] * 5]


def test_names_of_several_columns() -> None:
    over = "print y=dynamic([1,2]) | "
    assert answer(over + "extend (low, at)=series_stats(y)")[0] == ["y:dynamic", "low:real", "at:long"]
    assert answer(over + "extend y=series_stats(y)")[0] == ["y:real"]
    assert answer(over + "project (low, at)=series_stats(y)")[0][1:3] == [
        "at:long",
        "series_stats_y_max:real",
    ]
    assert answer("print s=series_stats(dynamic([1]))")[0] == ["s:real"]
    twice = answer(over + "extend series_stats(y), series_stats(y)")[0]
    assert twice[1] == "series_stats_y_min:real"
    assert twice[8] == "series_stats_y_min1:real"
    assert mistakes(over + "extend (a,b,c,d,e,f,g,h)=series_stats(y)") == ["there are 8 names for 7 columns"]
    assert "inside an expression" in mistakes(over + "extend z=1 + series_stats(y)")[0]


def test_several_columns_beside_windows() -> None:
    found = answer("range i from 1 to 2 step 1 | extend y=pack_array(i, 3) | serialize"
                   " | extend n=row_number(), (low)=series_stats(y)")  # fmt: skip
    assert found[1] == [[1, "[1,3]", 1, 1.0], [2, "[2,3]", 2, 2.0]]


def test_seasons_of_a_length_that_is_told() -> None:
    ys = "dynamic([1, 3, 5, 2, 4, 6])"
    assert value(f"series_seasonal({ys}, 3)") == [1.5, 3.5, 5.5, 1.5, 3.5, 5.5]
    assert value(f"series_seasonal({ys}, 0)") == [0.0] * 6
    columns, rows = answer(f"print series_decompose({ys}, 3, 'none')")
    assert columns[0] == "series_decompose__baseline:dynamic"
    assert json.loads(rows[0][3]) == [-0.5, -0.5, -0.5, 0.5, 0.5, 0.5]
    assert value("series_decompose_forecast(dynamic([1, 2, 3, 0, 0]), 2, 0, 'linefit')") == [
        1.0,
        2.0,
        3.0,
        4.0,
        5.0,
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "series_outliers(dynamic([1]), 'ctukey', 0, 20, 80)",
        "series_decompose_anomalies(dynamic([1]), 1.5, 0, 'avg', 5)",
        "series_fft(dynamic([1]))",
    ],
)
def test_what_is_not_pinned_is_refused(expression: str) -> None:
    assert "not supported" in mistakes(f"print {expression}")[0]


def test_times_are_no_numbers_here() -> None:
    axis = "print axis=range(datetime(2024-01-01), datetime(2024-01-02), 12h) | "
    with pytest.raises(duckdb.InvalidInputException, match=r"aforo: .* not supported"):
        answer(axis + "extend series_stats(axis)")
    assert answer(axis + "project series_fill_forward(axis)")[1][0][0].count("2024") == 3


@pytest.mark.parametrize(
    "expression",
    [
        "series_fir(range(1, 9), dynamic([1, 1]), true, true)",
        "series_iir(range(1, 1000000), range(1, 50), dynamic([1]))",
        "series_fit_poly(range(1, 9), range(1, 9), 17)",
    ],
)
def test_what_only_the_values_tell_ends_the_query(expression: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="aforo: "):
        answer(f"print {expression}")


SCORED = "dynamic([-3, 2.4, 15, 3.9, 5, 6, 4.5, 5.2, 3, 4, 5, 16, 7, 5, 5, 4])"


def test_outliers_have_the_scores_that_kusto_tells() -> None:
    scores = value(f"series_outliers({SCORED})")
    assert isinstance(scores, list)
    told = {0: -1.9040785483608571, 1: -0.10021466044004519, 2: 1.3361954725339347, 11: 1.6702443406674186}
    assert scores == [told.get(i, 0.0) for i in range(16)]
    # Between the quartiles, which need no factor: 3.975 and 5.4.
    assert answer(f"print toreal(series_outliers({SCORED}, 'tukey')[0])")[1][0][0] == pytest.approx(
        (-3 - 3.975) / (5.4 - 3.975)
    )


def test_what_is_missing_is_no_outlier() -> None:
    assert value("series_outliers(dynamic([1, 1, 1, null]))") == [0.0] * 4
    assert value("series_outliers(dynamic([1, 2, null, 3, 99]), 'ctukey', 99)[4]") == "0.0"
    assert value("series_outliers(dynamic([]))") == []
    assert value("series_outliers(dynamic({'a': 1}))") is None
    # A middle that is one value alone has no width: what lies outside is an outlier by any.
    assert value("series_outliers(array_concat(repeat(1, 30), dynamic([5, -2])))") == [0.0] * 30 + [
        "Infinity", "-Infinity"
    ]  # fmt: skip


def test_anomalies_of_a_series_whose_season_is_known() -> None:
    columns, rows = answer(
        "print y = dynamic([1,2,1,2,1,2,9,2,1,2]) | project series_decompose_anomalies(y, 1.5, 2)"
    )
    assert columns == [
        f"series_decompose_anomalies_y_{n}:dynamic" for n in ("ad_flag", "ad_score", "baseline")
    ]
    flags, scores, baseline = (json.loads(cell) for cell in rows[0])
    assert flags == [0] * 6 + [1] + [0] * 3
    assert scores[6] > 3
    assert baseline[:2] == pytest.approx([1.8, 2.8])
    # What the baseline explains wholly has no anomalies, whatever rounding leaves.
    line = "print y = range(1, 10) | project (f, s, b) = series_decompose_anomalies(y, 1.5, 0, 'linefit')"
    assert json.loads(answer(line)[1][0][1]) == [0.0] * 10
