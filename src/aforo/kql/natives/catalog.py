"""All functions in Python, by operation."""

from __future__ import annotations

from aforo.kql.natives import (
    addresses,
    arrays,
    bags,
    compression,
    digests,
    encodings,
    geo_addresses,
    geo_coverings,
    geo_density,
    geo_h3cells,
    geo_hashes,
    geo_measures,
    geo_s2cells,
    geo_texts,
    geo_unions,
    hashes,
    keyvalues,
    parsing,
    series,
    series_anomalies,
    series_filling,
    series_filters,
    series_fitting,
    series_measures,
    series_seasons,
    statistics,
    texts,
    units,
    useragents,
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
        useragents,
        zones,
        keyvalues,
        series,
        series_anomalies,
        series_filling,
        series_filters,
        series_fitting,
        series_measures,
        series_seasons,
        geo_addresses,
        geo_coverings,
        geo_density,
        geo_h3cells,
        geo_hashes,
        geo_measures,
        geo_s2cells,
        geo_texts,
        geo_unions,
    )
    for n in family.NATIVES
}
