"""Functions in Python over whatever values there are: an answer, null, or a refusal in our own words; nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.kql.natives.catalog import NATIVES
from aforo.kql.natives.spec import UnansweredError
from aforo.kql.types import BOOL, DYNAMIC, LONG, REAL, STRING, KqlType

_PLACES = st.tuples(
    st.one_of(st.integers(-4, 4), st.sampled_from([0, 90, 180, -180, -90]), st.floats(-180, 180)),
    st.one_of(st.integers(-4, 4), st.sampled_from([0, 90, -90]), st.floats(-90, 90)),
)
_RINGS = st.lists(_PLACES, min_size=3, max_size=6).map(lambda ring: [*ring, ring[0]])
_SHAPES = st.one_of(
    st.builds(lambda c: {"type": "LineString", "coordinates": c}, st.lists(_PLACES, max_size=5)),
    st.builds(
        lambda c: {"type": "MultiLineString", "coordinates": c},
        st.lists(st.lists(_PLACES, max_size=4), max_size=3),
    ),
    st.builds(lambda c: {"type": "Polygon", "coordinates": c}, st.lists(_RINGS, max_size=2)),
    st.builds(
        lambda c: {"type": "MultiPolygon", "coordinates": c},
        st.lists(st.lists(_RINGS, max_size=1), max_size=3),
    ),
)
_ELEMENTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "text"]),
)  # fmt: skip
_JSON = st.one_of(
    _SHAPES,
    _ELEMENTS,
    st.lists(_ELEMENTS, max_size=8),
    st.lists(_SHAPES, max_size=3),
    st.dictionaries(st.text(), _ELEMENTS),
)
_VALUES: dict[KqlType, st.SearchStrategy[Any]] = {
    DYNAMIC: st.one_of(st.none(), _JSON.map(json.dumps)),
    REAL: st.one_of(st.none(), st.floats(), st.floats(-180, 180)),
    LONG: st.one_of(st.none(), st.integers(-2, 12), st.integers(-(1 << 63), (1 << 63) - 1)),
    BOOL: st.one_of(st.none(), st.booleans()),
    STRING: st.one_of(
        st.text(max_size=20), st.sampled_from(["sunny", "89c259", "861f8894fffffff", "POINT (1 2)"])
    ),
}
_FAMILIES = sorted(name for name in NATIVES if name.startswith(("geo_", "series_")))


@pytest.mark.parametrize("operation", _FAMILIES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_value_breaks_a_function(operation: str, data: st.DataObject) -> None:
    declared = NATIVES[operation]
    if declared.spread:
        arguments: list[Any] = [data.draw(st.lists(_JSON.map(json.dumps), min_size=1, max_size=4))]
    else:
        arguments = [data.draw(_VALUES[parameter]) for parameter in declared.parameters]
    try:
        found = declared.function(*arguments)
    except UnansweredError:
        return
    assert found is not None or declared.result is not STRING
    if declared.result is DYNAMIC and found is not None:
        json.loads(found)
