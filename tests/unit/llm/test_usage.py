"""Numbers of tokens as servers write them: whole ones count in either spelling, and nothing else does."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aforo.llm.catalog import WIRES
from aforo.llm.digest import digest
from aforo.llm.prices import PriceList
from aforo.llm.spent import spent
from aforo.llm.usage import PROVIDER, Usage, read_usage

NOW_NS = 1_795_000_000 * 10**9
REQUEST = b'{"messages":[{"role":"user","content":"xxxx"}]}'


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("10", 10),
        ("10.0", 10),
        ("1e1", 10),
        ("0.0", 0),
        ("-0.0", 0),
        ("9007199254740993.0", 9007199254740992),  # as exact as a double is
        ("10.5", None),
        ("1e-9", None),
        ("-1", None),
        ("-1.0", None),
        ("1e300", None),
        ("1e999", None),
        ("NaN", None),
        ("Infinity", None),
        ("-Infinity", None),
        ("true", None),
        ("false", None),
        ('"10"', None),
        ("null", None),
        ("[10.0]", None),
    ],
)
def test_a_count_as_it_is_written(written: str, count: int | None) -> None:
    answer = json.loads(f'{{"usage": {{"prompt_tokens": {written}}}}}')
    read = read_usage(answer)
    assert (None if read is None else read.prompt) == count
    assert read is None or type(read.prompt) is int


def test_whole_numbers_with_a_point_in_all_places() -> None:
    usage: dict[str, Any] = {
        "prompt_tokens": 100.0,
        "completion_tokens": 50.0,
        "total_tokens": 150.0,
        "prompt_tokens_details": {"cached_tokens": 40.0, "audio_tokens": 0.0, "image_tokens": math.nan},
        "completion_tokens_details": {"reasoning_tokens": 20.0, "audio_tokens": True, "image_tokens": 2.5},
    }
    assert read_usage({"usage": usage}) == Usage(100, 50, 150, PROVIDER, 40, 20, 0, None, None, None)
    # The second name is asked where the first has no count.
    assert read_usage({"usage": {"prompt_tokens": 0.5, "input_tokens": 7.0, "output_tokens": 2}}) == Usage(
        7, 2, 9, PROVIDER
    )


@pytest.mark.parametrize("stream", [False, True])
def test_limits_rows_and_prices_see_the_same(stream: bool) -> None:
    usage = {"prompt_tokens": 1000.0, "completion_tokens": 200.0, "total_tokens": 1200.0}
    choice = {"index": 0, "finish_reason": "stop"}
    said = {"role": "assistant", "content": "Good day"}
    answer = {"model": "gpt-4o-2024-11-20", "choices": [{**choice, "message": said}], "usage": usage}
    body = json.dumps(answer).encode()
    if stream:
        events = (
            {**answer, "choices": [{**choice, "delta": said}], "usage": None},
            {**answer, "choices": []},
        )
        body = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events) + b"data: [DONE]\n\n"
    wanted = Usage(1000, 200, 1200, PROVIDER)
    counted = spent("chat", REQUEST, body, stream=stream)
    assert counted is not None
    assert counted.usage == wanted
    assert digest(WIRES["chat"], REQUEST, body, stream=stream, succeeded=True).usage == wanted
    cost = PriceList().cost([counted.model], counted.usage, NOW_NS)
    assert cost is not None
    assert cost.amount == 0.0045


@given(st.integers(0, 2**53), st.floats())
def test_floats_count_as_what_they_are_or_not_at_all(whole: int, any_float: float) -> None:
    read = read_usage({"usage": {"prompt_tokens": float(whole), "completion_tokens": any_float}})
    assert read is not None
    assert read.prompt == whole
    assert read.completion in (any_float, 0)
    assert 0 <= read.completion < 2**62
