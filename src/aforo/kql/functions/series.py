"""Functions over arrays of numbers: one answer each, then those that give several columns."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, Several, scalar, several
from aforo.kql.types import DYNAMIC, REAL

_PAIR = "series1:dynamic|number, series2:dynamic|number"
_ONE = {
    "abs": "The absolute value of each element.",
    "sign": "The sign of each element: -1, 0 or 1.",
    "ceiling": "Each element rounded up.",
    "floor": "Each element rounded down.",
    "exp": "e to the power of each element.",
    "log": "The natural logarithm of each element.",
    "sin": "The sine of each element.",
    "cos": "The cosine of each element.",
    "tan": "The tangent of each element.",
    "asin": "The angle whose sine each element is.",
    "acos": "The angle whose cosine each element is.",
    "atan": "The angle whose tangent each element is.",
}
_TWO = {
    "add": "The sum of the elements at each place.",
    "subtract": "The difference of the elements at each place.",
    "multiply": "The product of the elements at each place.",
    "divide": "The quotient of the elements at each place.",
    "pow": "The first element to the power of the second, at each place.",
    "less": "Whether the first element is less, at each place.",
    "less_equals": "Whether the first element is less or equal, at each place.",
    "greater": "Whether the first element is greater, at each place.",
    "greater_equals": "Whether the first element is greater or equal, at each place.",
    "equals": "Whether both elements are equal, at each place.",
    "not_equals": "Whether both elements differ, at each place.",
}
_FIRST = Naming.FIRST_ARGUMENT

FUNCTIONS: tuple[Scalar, ...] = (
    *(scalar(f"series_{name}", "series:dynamic", DYNAMIC, doc) for name, doc in _ONE.items()),
    *(scalar(f"series_{name}", _PAIR, DYNAMIC, doc) for name, doc in _TWO.items()),
    scalar("series_sum", "series:dynamic", REAL, "The sum of the elements."),
    scalar("series_product", "series:dynamic", REAL, "The product of the elements."),
    scalar("series_magnitude", "series:dynamic", REAL, "The length of the vector that the elements are."),
    scalar("series_dot_product", _PAIR, REAL, "The dot product of two series."),
    scalar("series_cosine_similarity", "series1:dynamic, series2:dynamic", REAL, "The cosine between two series."),
    scalar("series_pearson_correlation", "series1:dynamic, series2:dynamic", REAL, "How far two series go together."),
    scalar("series_stats_dynamic", "series:dynamic, ignore_nonfinite?:bool", DYNAMIC, "Statistics as a bag."),
    scalar("series_fill_const", "series:dynamic, constant:dynamic|number, missing?:dynamic|number", DYNAMIC,
           "A constant in place of what is missing.", naming=_FIRST),
    scalar("series_fill_forward", "series:dynamic, missing?:dynamic|number", DYNAMIC,
           "The element before it in place of what is missing.", naming=_FIRST),
    scalar("series_fill_backward", "series:dynamic, missing?:dynamic|number", DYNAMIC,
           "The element behind it in place of what is missing.", naming=_FIRST),
    scalar("series_fill_linear", "series:dynamic, missing?:dynamic|number, fill_edges?:bool, constant?:dynamic|number",
           DYNAMIC, "The line between its neighbours in place of what is missing.", naming=_FIRST),
    scalar("series_fir", "series:dynamic, filter:dynamic, normalize?:bool, center?:bool", DYNAMIC,
           "A filter with a finite response.", naming=_FIRST),
    scalar("series_iir", "series:dynamic, numerators:dynamic, denominators:dynamic", DYNAMIC,
           "A filter with an infinite response.", naming=_FIRST),
    scalar("series_fit_line_dynamic", "series:dynamic", DYNAMIC, "The line that fits best, as a bag."),
    scalar("series_fit_2lines_dynamic", "series:dynamic", DYNAMIC, "The two lines that fit best, as a bag."),
    scalar("series_seasonal", "series:dynamic, period?:long", DYNAMIC, "The medians of its season."),
    scalar("series_outliers",
           "series:dynamic, kind?:string, ignore_val?:dynamic|number, min_percentile?:number, max_percentile?:number",
           DYNAMIC, "How far each element stands out of the middle.", naming=_FIRST),
    scalar("series_decompose_forecast",
           "series:dynamic, points:long, seasonality?:long, trend?:string, threshold?:real", DYNAMIC,
           "What season and trend foretell of the last points.", operation="series_decompose_forecast_dynamic"),
)  # fmt: skip

_LINE = "rsquare:real, slope:real, variance:real, rvariance:real, interception:real, line_fit:dynamic"
_SIDE = "rsquare", "slope", "interception", "variance", "rvariance"
_TWO_LINES = "rsquare:real, split_idx:long, variance:real, rvariance:real, line_fit:dynamic, " + ", ".join(
    f"{side}_{name}:real" for side in ("right", "left") for name in _SIDE
)
_STATS = "min:real, min_idx:long, max:real, max_idx:long, avg:real, stdev:real, variance:real"
_POLY = "rsquare:real, coefficients:dynamic, variance:real, rvariance:real, poly_fit:dynamic"
_ANOMALIES = "ad_flag:dynamic, ad_score:dynamic, baseline:dynamic"
_PERIODS = "periods:dynamic, scores:dynamic"
_PARTS = "baseline:dynamic, seasonal:dynamic, trend:dynamic, residual:dynamic"

SEVERAL: tuple[Several, ...] = (
    several("series_periods_detect", "series:dynamic, min_period:real, max_period:real, num_periods:long", _PERIODS,
            "The periods that a series has, in columns.", operation="series_periods_detect_dynamic"),
    several("series_periods_validate", "series:dynamic, period:real|number...", _PERIODS,
            "How far a series has these periods, in columns.", operation="series_periods_validate_dynamic"),
    several("series_stats", "series:dynamic, ignore_nonfinite?:bool", _STATS, "Statistics in columns.",
            operation="series_stats_dynamic"),
    several("series_fit_line", "series:dynamic", _LINE, "The line that fits best, in columns.",
            operation="series_fit_line_dynamic"),
    several("series_fit_2lines", "series:dynamic", _TWO_LINES, "The two lines that fit best, in columns.",
            operation="series_fit_2lines"),
    several("series_fit_poly", "y_series:dynamic, x_series?:dynamic, degree?:long", _POLY,
            "The polynomial that fits best, in columns.", operation="series_fit_poly_dynamic"),
    several("series_decompose", "series:dynamic, seasonality?:long, trend?:string, test_points?:long, threshold?:real",
            _PARTS, "Season, trend and what is left, in columns.",
            operation="series_decompose_dynamic"),
    several("series_decompose_anomalies",
            "series:dynamic, threshold?:real, seasonality?:long, trend?:string, test_points?:long, ad_method?:string,"
            " seasonality_threshold?:real", _ANOMALIES, "What stands out of season and trend, in columns.",
            operation="series_decompose_anomalies_dynamic"),
)  # fmt: skip
