"""All functions in Python, by operation."""

from __future__ import annotations

from aforo.kql.natives import (
    compression,
    keyvalues,
    series,
    series_filling,
    series_filters,
    series_fitting,
    series_measures,
    series_seasons,
)
from aforo.kql.natives.spec import Native

NATIVES: dict[str, Native] = {
    n.operation: n
    for family in (
        compression,
        keyvalues,
        series,
        series_filling,
        series_filters,
        series_fitting,
        series_measures,
        series_seasons,
    )
    for n in family.NATIVES
}
