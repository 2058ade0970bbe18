"""How far each element of an array of numbers stands out of its middle, by Tukey's fences, and what that says of a series
beside its season and trend.
"""

from __future__ import annotations

import math

from aforo.kql.natives.series import divide, element, finite, numbers, plain, series
from aforo.kql.natives.series_seasons import parts, period_of
from aforo.kql.natives.spec import Native, native, written
from aforo.kql.types import DYNAMIC, LONG, REAL, STRING

# Per kind: where the middle ends (percentiles), and what makes its score 1.5 where that of the quartiles is. Of normally
# distributed values the middle ends at these places; they are given to as many digits as Kusto's own answers tell.
_QUARTILE, _DECILE = 0.675, 1.29682082
_KINDS = {
    "tukey": (0.25, 0.75, 1.0),
    "ctukey": (0.10, 0.90, 1.5 * 2 * _DECILE / (4 * _QUARTILE - _DECILE)),
}
PARTS = ("ad_flag", "ad_score", "baseline")
# What is left of a series that its baseline explains wholly is rounding.
_ROUNDING = 1e-12


def _percentile(ordered: list[float], part: float) -> float:
    """Between the two nearest, in proportion."""
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _scores(values: list[float | None], kind: str) -> list[float]:
    """0 within the middle and for None, else the distance from it in widths of the middle."""
    low_part, high_part, factor = _KINDS[kind]
    ordered = sorted(v for v in values if v is not None)
    if not ordered:
        return [0.0] * len(values)
    low, high = _percentile(ordered, low_part), _percentile(ordered, high_part)
    out: list[float] = []
    for value in values:
        beyond = 0.0 if value is None or low <= value <= high else value - (low if value < low else high)
        # Where the middle is one value alone, all others are outliers beyond measure.
        out.append(divide(beyond, high - low) * factor if beyond else 0.0)
    return out


def outliers(json: str | None, kind: str, ignored: str | None) -> str | None:
    """The score of each element; null for what is no array. `ignored` is a JSON number that counts as missing."""
    values = numbers(json)
    if values is None or (kind or "ctukey") not in _KINDS:
        return None
    missing = None if ignored is None else element(_number(ignored))
    kept = [None if v is None or not math.isfinite(v) or v == missing else float(v) for v in values]
    return series(_scores(kept, kind or "ctukey"))


def _number(text: str) -> float | None:
    try:
        return float(text.strip('"'))
    except ValueError:
        return None


def anomalies(
    json: str | None,
    threshold: float | None,
    period: int | None,
    trend: str,
    test_points: int | None,
    kind: str,
    score: float | None,
) -> str | None:
    """A bag of `PARTS`: 1, -1 or 0 for each element, its score, and what season and trend let expect."""
    values = finite(json)
    if values is None or test_points or (kind or "ctukey") not in _KINDS:
        return None
    baseline, _, _, rest = parts(
        values, period_of(values, period, score, len(values)), trend or "avg", len(values)
    )
    size = max(abs(v) for v in values)
    scores = _scores([0.0 if abs(r) <= size * _ROUNDING else r for r in rest], kind or "ctukey")
    limit = 1.5 if threshold is None else threshold
    flags = [1 if s > limit else -1 if s < -limit else 0 for s in scores]
    shown = ([plain(v) for v in part] for part in (flags, scores, baseline))
    return written(dict(zip(PARTS, shown, strict=True)))


NATIVES: tuple[Native, ...] = (
    native("series_outliers", outliers, DYNAMIC, DYNAMIC, STRING, DYNAMIC),
    native(
        "series_decompose_anomalies_dynamic",
        anomalies,
        DYNAMIC,
        DYNAMIC,
        REAL,
        LONG,
        STRING,
        LONG,
        STRING,
        REAL,
    ),
)
