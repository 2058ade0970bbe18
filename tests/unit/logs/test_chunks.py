"""Messages in chunks of 32 KB."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from aforo.logs.chunks import CHUNK_BYTES, chunks

NO_LIMIT = 1 << 40


def test_messages_that_fit_stay_whole() -> None:
    messages = [{"role": "user", "content": "x" * 10_000}] * 7
    got, truncated = chunks(messages, NO_LIMIT)
    assert [len(orjson.loads(c)) for c in got] == [3, 3, 1]
    assert not truncated


def test_a_message_whose_bulk_is_no_text_is_split_as_json() -> None:
    message = {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": "data:" + "A" * 90_000}}],
    }
    got, _ = chunks([message], NO_LIMIT)
    pieces = [m for c in got for m in orjson.loads(c)]
    assert orjson.loads("".join(p["json"] for p in pieces)) == message
    assert {p["role"] for p in pieces} == {"user"}
    assert [p["part"] for p in pieces] == list(range(1, len(pieces) + 1))


def test_pieces_of_plain_text_fill_their_chunks_and_say_each_thing_once() -> None:
    text = "".join(f"{n} " for n in range(40_000))
    got, _ = chunks([{"part": "mine", "role": "user", "content": text, "name": "ada"}], NO_LIMIT)
    assert len(got) == -(-len(text) // (CHUNK_BYTES - 514))
    for number, chunk in enumerate(got, 1):
        assert chunk.count('"part"') == 1
        ((piece),) = orjson.loads(chunk)
        assert {k: v for k, v in piece.items() if k != "content"} == {
            "role": "user",
            "name": "ada",
            "part": number,
            "parts": len(got),
        }


def test_messages_of_any_shape() -> None:
    messages: list[Any] = ["text", 1, None, ["x" * 40_000], {}, {"content": None}]
    got, _ = chunks(messages, NO_LIMIT)
    assert all(len(c.encode()) <= CHUNK_BYTES for c in got)
    assert orjson.loads(got[0])[:3] == ["text", 1, None]
    assert chunks([], NO_LIMIT) == ([], False)


texts = st.text(st.sampled_from('aé€😀"\\\n\x01'), max_size=60).map(lambda t: t * 1000)


@given(st.lists(texts, max_size=5), st.integers(0, 200_000))
def test_nothing_is_lost_below_the_cap_and_no_chunk_is_too_long(contents: list[str], cap: int) -> None:
    messages = [{"role": "user", "content": c} for c in contents]
    got, truncated = chunks(messages, cap)
    assert all(len(c.encode()) <= CHUNK_BYTES for c in got)
    text = "".join(m["content"] for c in got for m in orjson.loads(c))
    assert "".join(contents).startswith(text)
    assert truncated == (sum(len(orjson.dumps(m)) for m in messages) > cap)
    if not truncated:
        assert text == "".join(contents)
