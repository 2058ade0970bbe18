"""Limits and meters in a real gateway: what clients get, what the next call finds, and who is charged for what."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping

import pytest

from aforo.snapshot.snapshot import LogPlan
from tests.support.gateway import LOG_ALL, Gate, gate, story, until
from tests.support.metered import DONE, LIMIT, STREAM_HEAD, TEXT, TOLD, chunk, plain, policy, post, said, told

METRIC = '<llm-emit-token-metric namespace="n"><dimension name="API ID"/></llm-emit-token-metric>'


class KeptMetrics:
    """The Metrics port as a list."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, float]] = []

    def emit(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        assert (namespace, list(dimensions)) == ("n", ["API ID"])
        self.emitted.append((name, value))


def kept_metrics(g: Gate) -> KeptMetrics:
    kept = KeptMetrics()
    g.proxy._services.metrics = kept
    return kept


@pytest.mark.parametrize("path", ["/echo/chat/completions", "/echo/a"])
@story
async def test_a_complete_answer_tells_what_it_has_spent_and_the_next_call_finds_it(path: str) -> None:
    outbound = '<set-header name="x-outbound"><value>@(context.Variables["consumed"] + " spent")</value></set-header>'
    async with gate(policy(LIMIT.format(60, "false") + METRIC, outbound)) as g:
        metrics = kept_metrics(g)
        for _ in range(2):
            g.backend.plays(plain(said()))
        first = await g.call(post(path=path))
        assert told(first) == (200, ["10"], ["50"])
        assert first.values("x-outbound") == ["50 spent"]
        assert first.body == said()
        assert told(await g.call(post(path=path))) == (200, ["0"], ["50"])
        refused = await g.call(post(path=path))
        assert told(refused) == (429, ["0"], [])
        assert 39 <= int(refused.values("retry-after")[0]) <= 41
        assert len(g.backend.heard) == 2
        assert metrics.emitted[:3] == [
            ("Total Tokens", 50),
            ("Prompt Tokens", 20),
            ("Completion Tokens", 30),
        ]
        assert len(metrics.emitted) == 6
        assert [r.status for r in g.records] == [200, 200, 429]


@story
async def test_a_compressed_answer_is_read_and_passed_on_as_it_came() -> None:
    packed = gzip.compress(said())
    async with gate(policy(LIMIT.format(60, "false"))) as g:
        g.backend.plays(plain(packed, b"content-encoding: gzip"))
        answer = await g.call(post())
        assert told(answer) == (200, ["10"], ["50"])
        assert answer.body == packed


@pytest.mark.parametrize(
    "answer",
    [
        plain(b'{"error":{"code":"429"}}', status=b"429 Too Many Requests"),
        plain(b'{"ok":true}'),
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
@story
async def test_what_is_no_models_answer_is_charged_nothing(answer: bytes) -> None:
    async with gate(policy(LIMIT.format(60, "true") + METRIC)) as g:
        metrics = kept_metrics(g)
        g.backend.plays(answer)
        got = await g.call(post())
        assert (got.values("x-left"), got.values("x-consumed")) == (["60"], [])
        assert metrics.emitted == []


@pytest.mark.parametrize("log", [LOG_ALL, LogPlan()])
@pytest.mark.parametrize("path", ["/echo/chat/completions", "/echo/v1/chat/completions", "/echo/a"])
@story
async def test_a_stream_is_settled_with_its_true_usage(path: str, log: LogPlan) -> None:
    async with gate(policy(LIMIT.format(60, "false") + METRIC), log=log) as g:
        metrics = kept_metrics(g)
        g.backend.plays(STREAM_HEAD, chunk(TEXT), chunk(TOLD), chunk(DONE), b"0\r\n\r\n")
        first = await g.call(post(stream=True, path=path))
        # Its head left before its end: what is known then is the prompt.
        assert told(first) == (200, ["50"], ["10"])
        asked = b"stream_options" in g.backend.heard[0].body
        assert asked == (path != "/echo/a")
        assert first.body == TEXT + (b"" if asked else TOLD) + DONE
        assert metrics.emitted[0] == ("Total Tokens", 50)
        g.backend.plays(plain(said()))
        assert told(await g.call(post(path=path))) == (200, ["0"], ["50"])
        assert (await g.call(post(path=path))).status == 429


@story
async def test_a_stream_is_settled_when_its_client_stops_reading_not_when_its_backend_closes() -> None:
    async with gate(policy(LIMIT.format(60, "false"))) as g:
        end = asyncio.Event()
        g.backend.plays(STREAM_HEAD, chunk(TEXT), chunk(TOLD + DONE), end, b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True))
        await client.reader.readuntil(b"[DONE]")
        g.backend.plays(plain(said()))
        assert told(await g.call(post())) == (200, ["0"], ["50"])
        end.set()
        await g.settled()


@story
async def test_a_stream_that_says_nothing_is_estimated() -> None:
    async with gate(policy(LIMIT.format(60, "false") + METRIC)) as g:
        metrics = kept_metrics(g)
        g.backend.plays(STREAM_HEAD, chunk(TEXT * 3), chunk(DONE), b"0\r\n\r\n")
        await g.call(post(stream=True))
        assert metrics.emitted == [("Total Tokens", 16), ("Prompt Tokens", 10), ("Completion Tokens", 6)]


@story
async def test_a_client_who_leaves_is_charged_for_what_was_produced() -> None:
    async with gate(policy(LIMIT.format(60, "false") + METRIC)) as g:
        metrics = kept_metrics(g)
        g.backend.plays(STREAM_HEAD, chunk(TEXT * 10), asyncio.Event())
        client = await g.connect()
        await client.send(post(stream=True))
        got = b""
        while got.count(b"abcdefgh") < 10:
            got += await client.reader.read(1 << 16)
        client.leave()
        await g.settled()
        assert metrics.emitted == [("Total Tokens", 30), ("Prompt Tokens", 10), ("Completion Tokens", 20)]
        (record,) = g.records
        assert (record.aborted, record.response.body.count(b"abcdefgh")) == ("client", 10)
        g.backend.plays(plain(said()))
        assert told(await g.call(post())) == (200, ["0"], ["50"])  # 60 - 30 - 50


@story
async def test_a_client_who_leaves_before_the_answer_is_charged_for_the_prompt() -> None:
    async with gate(policy(LIMIT.format(60, "false"))) as g:
        g.backend.plays(asyncio.Event())
        client = await g.connect()
        await client.send(post())
        await until(lambda: g.backend.heard)
        client.leave()
        await g.settled()
        g.backend.plays(plain(said({"prompt_tokens": 1, "completion_tokens": 0})))
        answer = await g.call(post())
        assert told(answer) == (200, ["49"], ["1"])


@story
async def test_a_backend_that_breaks_off_its_stream_is_charged_for_what_it_said() -> None:
    async with gate(policy(METRIC)) as g:
        metrics = kept_metrics(g)
        g.backend.plays(STREAM_HEAD, chunk(TEXT))
        client = await g.connect()
        await client.send(post(stream=True))
        await until(lambda: g.backend.heard)
        await g.backend.stop()
        await client.rest()
        await g.settled()
        assert metrics.emitted == [("Total Tokens", 12), ("Prompt Tokens", 10), ("Completion Tokens", 2)]


@story
async def test_a_policy_that_reads_a_stream_changes_nothing_of_what_is_charged() -> None:
    outbound = '<set-body>@(context.Response.Body.As&lt;string&gt;(true).Replace("abcdefgh", "x"))</set-body>'
    async with gate(policy(LIMIT.format(60, "false") + METRIC, outbound)) as g:
        metrics = kept_metrics(g)
        g.backend.plays(STREAM_HEAD, chunk(TEXT), chunk(TOLD), chunk(DONE), b"0\r\n\r\n")
        answer = await g.call(post(stream=True))
        assert answer.body.startswith(TEXT.replace(b"abcdefgh", b"x"))
        assert metrics.emitted[0] == ("Total Tokens", 50)


@story
async def test_calls_at_once_never_overshoot() -> None:
    limit = '<rate-limit-by-key calls="7" renewal-period="60" counter-key="k" remaining-calls-header-name="x-left"/>'
    async with gate(policy(limit)) as g:
        g.backend.plays(plain(b"{}"))
        got = await asyncio.gather(*(g.call(post()) for _ in range(25)))
        assert sorted(a.status for a in got) == [200] * 7 + [429] * 18
        assert sorted(int(a.values("x-left")[0]) for a in got) == [0] * 19 + [1, 2, 3, 4, 5, 6]
        assert len(g.backend.heard) == 7


@story
async def test_what_counts_by_the_answer_counts_for_the_next_call() -> None:
    limit = (
        '<rate-limit-by-key calls="1" renewal-period="60" counter-key="k"'
        ' increment-condition="@(context.Response.StatusCode == 401 &amp;&amp;'
        ' context.Response.Body.As&lt;string&gt;(true).Contains(&quot;wrong&quot;))"/>'
    )
    async with gate(policy(limit)) as g:
        g.backend.plays(plain(b'"right"'))
        assert [(await g.call(post())).status for _ in range(3)] == [200, 200, 200]
        g.backend.plays(plain(b'"wrong"', status=b"401 Unauthorized"))
        answers = [await g.call(post()) for _ in range(2)]
        assert [a.status for a in answers] == [401, 429]
        assert answers[0].body == b'"wrong"'


@story
async def test_bandwidth_is_what_went_over_the_wire() -> None:
    limit = '<quota-by-key bandwidth="3" renewal-period="3600" counter-key="k"/>'
    async with gate(policy(limit)) as g:
        g.backend.plays(plain(b"x" * 2900))
        assert (await g.call(post())).status == 200
        assert (await g.call(post())).status == 200
        await g.settled()
        refused = await g.call(post())
        assert refused.status == 403
        assert b"Out of bandwidth quota. Quota will be replenished in 00:" in refused.body


@story
async def test_a_refusal_of_on_error_keeps_the_headers_that_it_was_promised() -> None:
    on_error = '<set-header name="x-why"><value>@(context.LastError.Reason)</value></set-header>'
    async with gate(policy(LIMIT.format(5, "true"), on_error=on_error)) as g:
        answer = await g.call(post())
        assert told(answer) == (429, ["5"], [])
        assert answer.values("x-why") == ["TokenLimitExceeded"]
        assert g.backend.heard == []


@story
async def test_an_answer_without_a_backend_carries_promised_headers_and_costs_nothing() -> None:
    async with gate(policy(LIMIT.format(60, "true") + "<return-response/>")) as g:
        assert told(await g.call(post())) == (200, ["60"], [])


@story
async def test_a_stream_that_a_policy_answers_for_is_charged_for_its_prompt() -> None:
    streams = (
        "@(context.Response.Headers.GetValueOrDefault(&quot;content-type&quot;).StartsWith(&quot;text&quot;))"
    )
    outbound = f'<choose><when condition="{streams}"><return-response/></when></choose>'
    async with gate(policy(LIMIT.format(60, "false"), outbound)) as g:
        g.backend.plays(STREAM_HEAD, chunk(TEXT), asyncio.Event())
        assert (await g.call(post(stream=True))).body == b""
        g.backend.plays(plain(said({"prompt_tokens": 1, "completion_tokens": 0})))
        assert told(await g.call(post())) == (200, ["49"], ["1"])
