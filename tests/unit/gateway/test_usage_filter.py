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


@pytest.mark.parametrize(
    "request_body",
    [
        b'["stream", true]',
        b'{"stream": 1}',
        b'{"stream": "true"}',
        b'{"messages": [{"stream": true}]}',
        b'{"stream": true, "stream": false}',
        b'{"stream": true',
        b'{"stream": true} {}',
        b'{"stream": true, "stream_options": {"include_usage": true}}',
        b'{"stream": true, "stream_options": {"a": "\xff"}}',
        b'{"stream": true, "n": 1e999, "stream_options": {}}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b', "stream": true}',
        b"",
    ],
)
def test_what_asks_for_no_stream_or_cannot_be_read_is_left_alone(request_body: bytes) -> None:
    body = Body(request_body)
    assert not splice_usage(body, "chat", "")
    assert body.data is request_body
    assert not body.changed


@pytest.mark.parametrize(
    ("request_body", "asked"),
    [
        (b'{"stream": true} \n', b'{"stream": true,"stream_options":{"include_usage":true}}'),
        (
            b'{"stream":false,"stream":true}',
            b'{"stream":false,"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"stream":true,"stream_options":{"a":1}}',
            b'{"stream":true,"stream_options":{"a":1,"include_usage":true}}',
        ),
        (
            b'{"stream":true,"stream_options":null}',
            b'{"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (b'{"stream":true,"stream_options":[]}', b'{"stream":true,"stream_options":{"include_usage":true}}'),
    ],
)
def test_usage_is_asked_for(request_body: bytes, asked: bytes) -> None:
    body = Body(request_body)
    assert splice_usage(body, "chat", "")
    assert body.data == asked
    assert body.changed
