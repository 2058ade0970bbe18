"""All functions that are declared as data; those with rules of their own are listed in `forms`."""

from __future__ import annotations

from aforo.kql.functions import (
    addresses,
    aggregates,
    conversions,
    digests,
    dynamics,
    encodings,
    geo,
    logic,
    measures,
    numbers,
    parsing,
    series,
    text,
    times,
    windows,
)
from aforo.kql.functions.spec import Aggregate, Scalar, Several, Window

SCALARS: dict[str, Scalar] = {
    f.name: f
    for family in (
        logic, conversions, text, numbers, times, dynamics, series,
        addresses, digests, encodings, measures, parsing, geo,
    )
    for f in family.FUNCTIONS
}  # fmt: skip
AGGREGATES: dict[str, Aggregate] = {f.name: f for f in aggregates.AGGREGATES}
WINDOWS: dict[str, Window] = {f.name: f for f in windows.WINDOWS}
SEVERAL: dict[str, Several] = {f.name: f for f in series.SEVERAL}
