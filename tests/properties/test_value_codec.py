"""Whatever a policy keeps comes back equal and of the same type; whatever else lies in a cache is a miss."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.csharp.runtime.collections import Dictionary, HashSet, List
from aforo.csharp.runtime.dates import DateTime, DateTimeOffset
from aforo.csharp.runtime.exceptions import InvalidCastException
from aforo.csharp.runtime.guids import Guid
from aforo.csharp.runtime.json import JArray, JObject, JProperty, JToken, JValue
from aforo.csharp.runtime.json_parse import parse_token
from aforo.csharp.runtime.numbers import BOXES, RANGES, check_decimal
from aforo.csharp.runtime.objects import Char
from aforo.csharp.runtime.spans import TimeSpan
from aforo.csharp.runtime.strings import IGNORE_CASE
from aforo.messages import Headers
from aforo.policy.caching.value_codec import MAX_BYTES, decode, encode
from aforo.policy.exchange import Body, ResponseState
from tests.support.examples import examples

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(), max_size=5),  # with halves of surrogate pairs
    st.sampled_from(("2026-07-01T12:00:00Z", "2026-07-01T12:00:00", "null", "")),
)
DATES = st.builds(DateTime, st.integers(0, 3652059 * 864_000_000_000 - 1), st.sampled_from((0, 1, 2)))
PLAIN_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def decimals() -> st.SearchStrategy[Decimal]:
    return st.decimals(-(10**27), 10**27, allow_nan=False, places=None).map(check_decimal)


def boxed() -> st.SearchStrategy[Any]:
    return st.one_of(
        *(st.integers(*RANGES[name]).map(kind) for name, kind in BOXES.items() if name in RANGES),
        st.floats(width=32).map(BOXES["float"]),
    )


VALUES_OF_NODES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(), TEXTS, DATES, decimals(),
    st.integers(0, 2**128 - 1).map(Guid), st.integers(-(2**63), 2**63 - 1).map(TimeSpan), st.binary(max_size=9).map(bytearray),
)  # fmt: skip


def touched(value: Any) -> Any:
    """A tree in which every second value has become a node with a parent, as reading it makes them."""
    made = JObject({"a": value, "b": [value, {"c": value}], "d": value})
    made.child("a")
    inner = made.child("b")
    assert isinstance(inner, JArray)
    inner.child(0)
    deep = inner.child(1)
    assert isinstance(deep, JObject)
    deep.child("c")
    return made


def with_node(value: Any) -> Any:
    made = JObject()
    made.put("x", JValue(value))
    return made


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**31), 2**31 - 1), st.floats(), TEXTS,
    st.characters().map(Char), decimals(), DATES,
    st.builds(DateTimeOffset, st.integers(10**15, 2 * 10**18), st.sampled_from((0, 36_000_000_000, -18_000_000_000))),
    st.integers(-(2**63), 2**63 - 1).map(TimeSpan), st.integers(0, 2**128 - 1).map(Guid),
    st.binary(max_size=30).map(bytearray), boxed(),
)  # fmt: skip
TREES = st.one_of(
    PLAIN_JSON.map(lambda v: JArray([v])),
    PLAIN_JSON.map(touched),
    VALUES_OF_NODES.map(with_node),
    VALUES_OF_NODES.map(JValue),
    VALUES_OF_NODES.map(lambda v: JProperty("name", JValue(v))),
)
RESPONSES = st.builds(
    lambda status, reason, body: ResponseState(
        status, reason, Headers.of([(b"a", b"1"), (b"a", b"\xff"), (b"b", body[:4])]), Body(body)
    ),
    st.integers(200, 599),
    st.text(max_size=9),
    st.binary(max_size=50),
)


def dictionary(pairs: list[tuple[Any, Any]], folds: bool) -> Dictionary:
    made = Dictionary(IGNORE_CASE.fold if folds else None)
    for key, value in pairs:
        made[made.key(key)] = value
    return made


VALUES = st.recursive(
    st.one_of(SCALARS, TREES, RESPONSES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(List),
        st.builds(dictionary, st.lists(st.tuples(TEXTS, inner), max_size=4), st.booleans()),
        st.lists(TEXTS, max_size=4).map(HashSet),
    ),
    max_leaves=8,
)


def shape(value: Any) -> Any:
    """All that tells two values apart, types first; NaN equals itself."""
    if isinstance(value, JToken):
        if isinstance(value, JProperty):
            return "property", value.name, shape(value.value)
        if isinstance(value, JValue):
            return "value", shape(value.value)
        items = value.items  # type: ignore[attr-defined]
        for child in items.values() if isinstance(items, dict) else items:
            assert not isinstance(child, JToken) or child.parent is value
        return type(value).__name__, shape_of_tree(items)
    if isinstance(value, Dictionary):
        return "dictionary", value.fold is not None, [(shape(k), shape(v)) for k, v in value.items()]
    if isinstance(value, HashSet):
        return "set", [shape(v) for v in value]
    if isinstance(value, list):
        return type(value).__name__, [shape(v) for v in value]
    if isinstance(value, ResponseState):
        return "response", value.status, value.reason, list(value.headers), value.body.data
    if isinstance(value, DateTime):
        return "date", value.ticks, value.kind
    if isinstance(value, DateTimeOffset):
        return "offset", value.ticks, value.offset
    if isinstance(value, (TimeSpan, Guid)):
        return type(value).__name__, getattr(value, "ticks", None), getattr(value, "value", None)
    return type(value).__name__, repr(value)


def shape_of_tree(value: Any) -> Any:
    """The inside of a tree: whether a value is wrapped in a node shows in nothing but its type."""
    if isinstance(value, (JObject, JArray)):
        shape(value)
        return shape_of_tree(value.items)
    if isinstance(value, dict):
        return {k: shape_of_tree(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape_of_tree(v) for v in value]
    if isinstance(value, JValue):
        return shape(value.value)
    if type(value) is str:
        return shape(parse_token_of(value))
    return shape(value)


def parse_token_of(text: str) -> Any:
    """What a text in a tree is read as."""
    from aforo.csharp.runtime.json import wrap

    node = wrap(text)
    assert isinstance(node, JValue)
    return node.value


@settings(max_examples=examples(400), deadline=None)
@given(VALUES, st.booleans())
def test_what_is_kept_comes_back(value: Any, secret: bool) -> None:
    data = encode(value, secret=secret)
    assert data is not None
    kept = decode(data)
    assert kept is not None, data
    assert shape(kept.value) == shape(value)
    assert kept.secret is secret
    assert encode(kept.value, secret=secret) is not None


@settings(max_examples=examples(600), deadline=None)
@given(st.binary(max_size=80), st.integers(0, 80), st.binary(min_size=1, max_size=3), VALUES)
def test_hostile_bytes_are_a_miss_at_worst(noise: bytes, at: int, patch: bytes, value: Any) -> None:
    decode(noise)
    decode(b"\x01\x00" + noise)
    data = encode(value, secret=False)
    assert data is not None
    decode(data[:at])
    decode(data[:at] + patch + data[at + len(patch) :])


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x01\x00", b"\x02\x00\xc0", b"\x01\x02\xc0", b"\x01\x00\xc0\xc0",
        b"\x01\x00\xdd\xff\xff\xff\xff",  # an array of four billion
        b"\x01\x00\xdf\xff\xff\xff\xff",
        b"\x01\x00" + b"\x91" * 100_000 + b"\xc0",
        b"\x01\x00\xc7\x01\x63x",  # a type that nobody writes
        b"\x01\x00\xc7\x0c\x03" + b"1E+999999999",
        b"\x01\x00\xc7\x03\x03" + b"NaN",
        b"\x01\x00\xd4\x07\xc0",  # a GUID of one byte
        b"\x01\x00\xc4\x01a",  # bytes that are no byte[]
    ],
)  # fmt: skip
def test_what_is_no_value_is_a_miss(data: bytes) -> None:
    assert decode(data) is None


def test_nothing_is_a_miss() -> None:
    assert decode(None) is None


def test_a_value_of_another_type_is_refused_by_its_name() -> None:
    class Alien:
        pass

    with pytest.raises(InvalidCastException, match="cannot be stored in the cache"):
        encode([Alien()], secret=False)


def test_a_tree_that_is_nested_too_deeply_is_refused() -> None:
    tree: Any = []
    for _ in range(100_000):
        tree = [tree]
    with pytest.raises(InvalidCastException, match="too deeply"):
        encode(JArray(tree), secret=False)


def test_what_is_too_large_is_not_kept() -> None:
    assert encode("x" * MAX_BYTES, secret=False) is None


def test_a_kept_tree_is_a_copy() -> None:
    first = parse_token('{"a": {"b": 1}}')
    data = encode(first, secret=False)
    one, two = decode(data), decode(data)
    assert one is not None
    assert two is not None
    one.value.put("a", JValue(2))
    assert shape(two.value) == shape(first)
