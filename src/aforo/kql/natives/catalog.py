"""All functions in Python, by operation."""

from __future__ import annotations

from aforo.kql.natives import (
    addresses,
    arrays,
    bags,
    compression,
    digests,
    encodings,
    hashes,
    keyvalues,
    parsing,
    series,
    series_filling,
    series_filters,
    series_fitting,
    series_measures,
    series_seasons,
    statistics,
    texts,
    units,
    zones,
)
from aforo.kql.natives.spec import Native

NATIVES: dict[str, Native] = {
    n.operation: n
    for family in (
        compression,
        addresses,
        arrays,
        bags,
        digests,
        encodings,
        hashes,
        parsing,
        statistics,
        texts,
        units,
        zones,
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
