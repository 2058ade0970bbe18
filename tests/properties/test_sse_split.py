"""A stream split at any byte gives the same events, and so the same answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aforo.llm.catalog import WIRES
from aforo.llm.digest import assemble
from aforo.llm.sse import EventParser, parse_events

LINES = st.lists(
    st.sampled_from(
        [
            b"data: x",
            b"data:",
            b"data: y: z",
            b"event: e",
            b"id: 3",
            b": c",
            b"",
            b"data",
            b"retry: 1",
            b"\xef\xbb\xbf",
        ]
    )
    | st.binary(max_size=6),
    max_size=20,
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(LINES, st.data())
def test_any_split_gives_the_same_events(lines: list[bytes], data: st.DataObject) -> None:
    body = b"".join(line + data.draw(ENDS) for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    parser = EventParser()
    events = [
        event for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) for event in parser.feed(body[a:b])
    ]
    assert events == parse_events(body)


@given(st.binary(max_size=200) | LINES.map(b"\n".join))
def test_no_bytes_make_an_assembler_raise(body: bytes) -> None:
    for wire in WIRES.values():
        assemble(wire, body)
