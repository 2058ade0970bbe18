"""The usage chunk is hidden wherever the reads cut the stream, and nothing else is touched."""

from __future__ import annotations

import pytest

from aforo.gateway.streaming import MAX_HELD, UsageFilter
from aforo.gateway.usage import splice_usage
from aforo.policy.exchange import Body

USAGE = b'data: {"id":"x","choices":[],"usage":{"total_tokens":5}}'
KEPT = [
    b'data: {"choices":[],"usage":null}',
    b'data: {"choices":[{"delta":{"content":"\\"usage\\":{}"}}]}',
    b': a comment with "usage"',
    b'data: {"choices":[],"usage"',
    b'event: usage\ndata: {"usage": 1}',
    b"data: [DONE]",
]


def run(pieces: list[bytes]) -> bytes:
    usage = UsageFilter()
    return b"".join(usage.feed(p) for p in pieces) + usage.rest()


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\n\r\n"])
def test_any_cut_hides_the_same_chunk(end: bytes) -> None:
    stream = end.join((*KEPT[:3], USAGE, *KEPT[3:], b""))
    wanted = end.join((*KEPT, b""))
    assert run([stream]) == wanted
    assert run([stream[n : n + 1] for n in range(len(stream))]) == wanted
    for at in range(len(stream)):
        assert run([stream[:at], stream[at:]]) == wanted


def test_a_stream_of_blank_lines_passes() -> None:
    for data in (b"\n\n", b"\n", b"\n\n\n\n\ndata: 1\n\n", b"\r\n\r\n"):
        assert run([data]) == data
        assert run([data[n : n + 1] for n in range(len(data))]) == data


def test_what_never_ends_an_event_is_not_held() -> None:
    usage = UsageFilter()
    out = b"".join(usage.feed(b"x" * 65536) for _ in range(2 * MAX_HELD // 65536))
    assert len(out) == 2 * MAX_HELD
    assert usage.gave_up
    assert usage.rest() == b""


def test_a_stream_is_seen_however_its_name_is_written() -> None:
    body = Body(rb'{"str\u0065am": true, "messages": []}')
    assert splice_usage(body, "chat", "")
    assert body.data is not None
    assert body.data.endswith(b'"stream_options":{"include_usage":true}}')
    assert not splice_usage(Body(rb'{"messages": ["\u00e9 stream"]}'), "chat", "")
