"""Tokens that calls reserve before the model is asked: what must fit, what is settled, what is given back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aforo.errors import Unavailable
from aforo.gateway.counters import MemoryCounters
from aforo.llm.asked import completion_bound
from aforo.policy.services import Counter, CounterState
from tests.support.gateway import gate, story, until
from tests.support.metered import STREAM_HEAD, TEXT, chunk, plain, policy, said, told

LIMIT = (
    '<llm-token-limit counter-key="k" tokens-per-minute="{0}" reserve-completion-tokens="{1}"'
    ' remaining-tokens-header-name="x-left" tokens-consumed-header-name="x-consumed"/>'
)


def post(**asked: Any) -> bytes:
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 40}], **asked}).encode()
    head = b"POST /echo/chat/completions HTTP/1.1\r\nHost: gate\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


@story
async def test_calls_at_once_never_pass_the_limit_together() -> None:
    """Ten tokens of a prompt and thirty of an answer each: of 110, two fit at a time."""
    async with gate(policy(LIMIT.format(110, 0))) as g:
        for _ in range(2):
            g.backend.plays(plain(said({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30})))
        answers = await asyncio.gather(*(g.call(post(max_tokens=30)) for _ in range(5)))
        assert sorted(a.status for a in answers) == [200, 200, 429, 429, 429]
        assert len(g.backend.heard) == 2
        # What they spent is 60, though 80 were reserved; a hair of what is given back has drained already.
        g.backend.plays(plain(said({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30})))
        assert told(await g.call(post(max_tokens=30))) == (200, ["19"], ["30"])


@story
async def test_what_failed_is_given_back() -> None:
    async with gate(policy(LIMIT.format(100, 60))) as g:
        for status in (b"500 Oh", b"429 Too Many Requests"):
            g.backend.plays(plain(b'{"error":{}}', status=status))
            assert (await g.call(post())).values("x-left") == ["100"]


@story
async def test_a_client_that_leaves_is_charged_for_what_was_produced() -> None:
    async with gate(policy(LIMIT.format(1000, 500))) as g:
        g.backend.plays(STREAM_HEAD, chunk(TEXT * 10), asyncio.Event())
        client = await g.connect()
        await client.send(post(stream=True))
        got = b""
        while got.count(b"abcdefgh") < 10:
            got += await client.reader.read(1 << 16)
        client.leave()
        await g.settled()
        g.backend.plays(plain(said({"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10})))
        left = int((await g.call(post(max_tokens=1))).values("x-left")[0])
        # Ten of the prompt, the twenty that came, ten of this call: not the 500 that were reserved.
        assert left == 960


BOTH = (
    '<llm-token-limit counter-key="k" tokens-per-minute="100" token-quota="1000" token-quota-period="Daily"'
    ' reserve-completion-tokens="50" remaining-quota-tokens-header-name="x-quota" />'
)


class HeldUp(MemoryCounters):
    """The minute's counter does not answer, or is away."""

    asked = 0
    is_away = False

    async def reserve(self, counter: Counter, amount: int, held_s: float = 0.0) -> CounterState:
        if counter.key.endswith(":minute"):
            self.asked += 1
            if self.is_away:
                raise Unavailable("Limits cannot be checked at the moment.", code="CountersUnavailable")
            await asyncio.Event().wait()
        return await super().reserve(counter, amount, held_s)


@pytest.mark.parametrize("is_away", [True, False])
@story
async def test_what_one_limit_has_taken_goes_back_when_the_other_one_does_not_answer(is_away: bool) -> None:
    counters = HeldUp()
    counters.is_away = is_away
    async with gate(policy(BOTH)) as g:
        g.proxy._services.counters = counters
        client = await g.connect()
        await client.send(post())
        if is_away:
            assert (await client.answer()).status == 503
        else:
            await until(lambda: counters.asked)
            (window,) = counters.windows.values()
            assert window.taken == 60
            client.leave()
        await g.settled()
        (window,) = counters.windows.values()
        assert (window.taken, window.holds) == (0, {})
        assert g.backend.heard == []


@pytest.mark.parametrize(
    ("asked", "bound"),
    [
        ({}, 7),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6, "max_tokens": 5}, 6),
        ({"max_output_tokens": 9}, 9),
        ({"max_tokens": 5, "n": 3}, 15),
        ({"n": 2}, 14),
        ({"generationConfig": {"maxOutputTokens": 4}}, 4),
        ({"max_tokens": "5"}, 7),
        ({"max_tokens": True, "n": -1}, 7),
        ({"max_tokens": 0}, 0),
        ({"max_tokens": 5, "max_completion_tokens": 500}, 500),
        ({"max_tokens": "500"}, 500),
        ({"max_tokens": 500.0, "n": 2.0}, 1000),
        ({"max_tokens": 1e300}, 7),
        ({"max_tokens": "nan"}, 7),
    ],
)
def test_the_bound_that_a_request_sets(asked: dict[str, Any], bound: int) -> None:
    assert completion_bound(asked, 7) == bound


def test_words_of_another_wire_bind_nobody() -> None:
    others = {"messages": [], "max_output_tokens": 1, "inferenceConfig": {"maxTokens": 1}}
    assert completion_bound(others, 700, "/deployments/d/chat/completions") == 700
    assert completion_bound({**others, "max_tokens": 9}, 700, "/chat/completions") == 9
    assert completion_bound({"max_output_tokens": 5, "max_tokens": 1}, 700, "/responses") == 5
    assert completion_bound({"max_tokens": 5, "max_completion_tokens": 1}, 700, "/completions") == 5
    assert completion_bound(others, 700, "/model/claude/converse") == 1
