"""Any JSON becomes XML that a parser reads; any text becomes JSON or is refused."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from aforo.csharp.runtime.limits import LimitExceeded, begin
from aforo.policy.xml_json import NotConverted, XmlOptions, to_json, to_xml

TEXTS = st.text(max_size=20)
NAMES = TEXTS | st.sampled_from(
    ["xmlns", "xmlns_a", "xmlns_xml", "a_b", "@a", "@xmlns", "$a", "#text", "a", ""]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
OPTIONS = st.builds(
    XmlOptions,
    st.booleans(),
    st.sampled_from(["", "_", ".", ":"]),
    st.sampled_from(["", "xmlns"]),
    st.just("$a"),
)


@given(VALUES, OPTIONS)
def test_json_becomes_well_formed_xml(value: object, options: XmlOptions) -> None:
    begin()
    # Doubled attributes and undeclared prefixes are names that somebody chose so; nothing else may break it.
    text = to_xml(json.dumps(value).encode(), options)
    assert ElementTree.fromstring(text).tag.endswith("Document")


@given(st.sampled_from([b"<a>", b"</a>", b"<b x='1'/>", b"t", b"&amp;", b"<!-- -->", b"<![CDATA[x]]>", b"<?p?>", b"<", b"\xff"]).flatmap(
    lambda first: st.lists(st.sampled_from([b"<a>", b"</a>", b"<b x='1'/>", b"t", b"&amp;", b"]]>", b"<?p?>"]), max_size=12).map(
        lambda rest: first + b"".join(rest))) | st.binary(max_size=60), st.booleans(), st.booleans())  # fmt: skip
def test_a_text_becomes_json_or_is_refused(data: bytes, friendly: bool, arrays: bool) -> None:
    begin()
    try:
        text = to_json(data, friendly=friendly, arrays=arrays)
    except (NotConverted, LimitExceeded):
        return
    assert json.loads(text)


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3), st.text("xyz &<", min_size=1), min_size=1, max_size=4
    )
)
def test_there_and_back(value: dict[str, str]) -> None:
    begin()
    there = to_xml(json.dumps(value).encode(), XmlOptions())
    back = json.loads(to_json(there, friendly=False, arrays=False))
    assert back == {"Document": value}
