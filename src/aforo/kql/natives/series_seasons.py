"""Seasons, trends, and what is left of an array of numbers without both.

The last `test_points` elements are not learned from. The length of the season is given, 0 for none and -1 for the one
that is found.
"""

from __future__ import annotations

from statistics import median

from aforo.kql.natives.series import added, finite, numbers, series
from aforo.kql.natives.series_fitting import line
from aforo.kql.natives.series_periods import season
from aforo.kql.natives.spec import Native, native, written
from aforo.kql.types import DYNAMIC, LONG, REAL, STRING

FOUND = -1
# How far a season must be one to be taken for it, where nothing else is said.
_SCORE, _ALONE = 0.6, 0.7
PARTS = ("baseline", "seasonal", "trend", "residual")


def _seasonal(values: list[float], period: int, learned: int) -> list[float]:
    """Each element is the median of those learned that stand at the same place of their season."""
    medians = [median(part) if (part := values[i:learned:period]) else 0.0 for i in range(period)]
    return [medians[i % period] for i in range(len(values))]


def period_of(values: list[float], period: int | None, score: float | None, learned: int) -> int:
    """The length of the season, 0 for none; `score` is what one that is found must have."""
    if period is not None and period != FOUND:
        return max(period, 0)
    return season(values[:learned], _SCORE if score is None else score)


def seasonal(json: str | None, period: int | None) -> str | None:
    values = numbers(json)
    if values is None:
        return None
    known = finite(json)
    if known is None:
        return series([0.0] * len(values)) if period is not None and period != FOUND and period < 1 else None
    length = period_of(known, period, _ALONE, len(known))
    return series(_seasonal(known, length, len(known)) if length else [0.0] * len(known))


def _trend(values: list[float], kind: str | None, learned: int) -> list[float]:
    known = values[:learned]
    if kind == "linefit" and len(known) > 1:
        slope, start = line(known)
        return [slope * (i + 1) + start for i in range(len(values))]
    level = 0.0 if kind == "none" else added(known) / len(known)
    return [level] * len(values)


def parts(values: list[float], period: int, trend: str | None, learned: int) -> list[list[float]]:
    season = _seasonal(values, period, learned) if period > 0 else [0.0] * len(values)
    level = _trend([v - s for v, s in zip(values, season, strict=True)], trend, learned)
    baseline = [s + t for s, t in zip(season, level, strict=True)]
    return [baseline, season, level, [v - b for v, b in zip(values, baseline, strict=True)]]


def decompose(
    json: str | None, period: int | None, trend: str | None, test_points: int | None, score: float | None
) -> str | None:
    """A bag of `PARTS`."""
    values = finite(json)
    learned = 0 if values is None else len(values) - max(test_points or 0, 0)
    if values is None or learned < 1:
        return None
    found = parts(values, period_of(values, period, score, learned), trend, learned)
    return written(dict(zip(PARTS, found, strict=True)))


def forecast(
    json: str | None, points: int | None, period: int | None, trend: str | None, score: float | None
) -> str | None:
    """The baseline alone, of a series whose last points are to be foretold."""
    values = finite(json)
    learned = 0 if values is None else len(values) - max(points or 0, 0)
    if values is None or learned < 1:
        return None
    return series(parts(values, period_of(values, period, score, learned), trend, learned)[0])


NATIVES: tuple[Native, ...] = (
    native("series_seasonal", seasonal, DYNAMIC, DYNAMIC, LONG),
    native("series_decompose_dynamic", decompose, DYNAMIC, DYNAMIC, LONG, STRING, LONG, REAL),
    native("series_decompose_forecast_dynamic", forecast, DYNAMIC, DYNAMIC, LONG, LONG, STRING, REAL),
)
