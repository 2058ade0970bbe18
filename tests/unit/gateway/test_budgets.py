"""Budgets: who is warned, who is refused, what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aforo.gateway.budgets import nano_of
from aforo.snapshot.snapshot import Budget
from tests.support.gateway import Gate, story, until
from tests.support.kept_gate import error_of, kept_gate, plain, request, said
from tests.support.metered import DONE, STREAM_HEAD, TEXT, TOLD, chunk

EURO_CENT = 10**7
DOLLAR = 10**9
ASK = {"model": "d", "messages": [{"role": "user", "content": "hello"}]}
WARNING = "aforo-budget-warning"


def budget(nano: int, **more: object) -> Budget:
    return Budget("product starter", "monthly", nano, **more)  # type: ignore[arg-type]


class KeptMetrics:
    def __init__(self) -> None:
        self.emitted: list[tuple[str, float, dict[str, str]]] = []

    def emit(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        assert namespace == "Aforo"
        self.emitted.append((name, value, dict(dimensions)))


def kept_metrics(g: Gate) -> KeptMetrics:
    kept = KeptMetrics()
    g.proxy._services.metrics = kept
    return kept


@story
async def test_a_budget_warns_and_then_refuses() -> None:
    async with kept_gate(budgets=(budget(DOLLAR, warn_percent=50),)) as (g, west):
        metrics = kept_metrics(g)
        g.backend.always = west.always = (said(40, 10),)  # 0.4 + 0.2
        first = await g.call(request("POST", "/chat/completions", ASK))
        assert (first.status, first.values(WARNING)) == (200, [])
        second = await g.call(request("POST", "/chat/completions", ASK, key="bob"))
        assert second.values(WARNING) == ["product starter: 60 % of 1 USD (monthly) are used"]
        third = await g.call(request("POST", "/chat/completions", ASK))
        assert third.status == 403
        error = error_of(third)
        assert (error["type"], error["code"]) == ("insufficient_quota", "budget_exceeded")
        assert error["message"].startswith(
            "The monthly budget of this product, 1 USD, is used up. It begins anew in "
        )
        assert metrics.emitted == [
            (
                "Budget Used Percent",
                60.0,
                {"Budget": "product starter", "Period": "monthly", "Currency": "USD"},
            )
        ]
        await g.settled()
        assert [r.status for r in g.records] == [200, 200, 403]
        assert g.records[1].trace_records[0].message == "product starter: 60 % of 1 USD (monthly) are used"
        assert (g.records[2].errors[0].source, g.records[2].errors[0].reason) == ("budget", "BudgetExceeded")
        # What is no model's call is refused too, in the form of its own clients.
        models = await g.call(request("GET", "/models"))
        assert (models.status, models.body[:19]) == (403, b'{ "statusCode": 403')


@story
async def test_what_is_only_looked_at_again_is_not_paid_again() -> None:
    async with kept_gate(budgets=(budget(DOLLAR),)) as (g, west):
        usage = {"input_tokens": 80, "output_tokens": 0, "total_tokens": 80}
        kept = {"id": "resp_1", "object": "response", "model": "m", "output": [], "usage": usage}
        g.backend.always = west.always = (plain(kept),)
        assert (await g.call(request("POST", "/responses", {"input": "x"}))).values(WARNING) == []
        for _ in range(3):
            answer = await g.call(request("GET", "/responses/resp_1"))
            assert answer.values(WARNING) == ["product starter: 80 % of 1 USD (monthly) are used"]


@story
async def test_a_soft_budget_refuses_nobody() -> None:
    async with kept_gate(budgets=(budget(DOLLAR, refuse=False),)) as (g, west):
        g.backend.always = west.always = (said(200, 0),)
        for _ in range(2):
            answer = await g.call(request("POST", "/chat/completions", ASK))
            assert answer.status == 200
        assert answer.values(WARNING) == ["product starter: 100 % of 1 USD (monthly) are used"]


@story
async def test_each_budget_is_one_s_own() -> None:
    own = Budget("subscription ada", "daily", DOLLAR)
    async with kept_gate(own_budgets=(own,)) as (g, west):
        g.backend.always = west.always = (said(100, 0),)
        assert (await g.call(request("POST", "/chat/completions", ASK))).status == 200
        assert (await g.call(request("POST", "/chat/completions", ASK))).status == 403


@story
async def test_streams_are_counted_by_the_usage_that_they_tell() -> None:
    async with kept_gate(budgets=(budget(DOLLAR),)) as (g, west):
        script = (STREAM_HEAD + chunk(TEXT) + chunk(TOLD) + chunk(DONE) + b"0\r\n\r\n",)  # 20 and 30
        g.backend.always = west.always = script
        assert (await g.call(request("POST", "/chat/completions", {**ASK, "stream": True}))).status == 200
        second = await g.call(request("POST", "/chat/completions", {**ASK, "stream": True}))
        assert second.values(WARNING) == ["product starter: 80 % of 1 USD (monthly) are used"]
        assert (await g.call(request("POST", "/chat/completions", {**ASK, "stream": True}))).status == 403


@story
async def test_a_client_that_leaves_is_charged_for_what_was_produced() -> None:
    async with kept_gate(budgets=(budget(DOLLAR),)) as (g, west):
        going_on = asyncio.Event()
        g.backend.always = west.always = (STREAM_HEAD + chunk(TEXT) + chunk(TOLD), going_on)
        client = await g.connect()
        await client.send(request("POST", "/chat/completions", {**ASK, "stream": True}))
        await client.reader.readuntil(b"abcdefgh")
        client.leave()
        await until(lambda: g.records)
        await g.settled()
        assert g.records[0].aborted == "client"
        g.backend.always = west.always = (said(0, 0),)
        again = await g.call(request("POST", "/chat/completions", ASK))
        assert again.values(WARNING) == ["product starter: 80 % of 1 USD (monthly) are used"]
        going_on.set()


@story
async def test_calls_without_a_known_price_are_told_and_count_nothing() -> None:
    async with kept_gate(budgets=(budget(DOLLAR), Budget("product starter", "total", EURO_CENT, "EUR"))) as (
        g,
        west,
    ):
        metrics = kept_metrics(g)
        g.backend.always = west.always = (
            plain(
                {
                    "model": "nobody-knows",
                    "choices": [],
                    "usage": {"prompt_tokens": 10**6, "completion_tokens": 1},
                }
            ),
        )
        for _ in range(2):
            assert (await g.call(request("POST", "/chat/completions", ASK))).status == 200
        assert [name for name, _, _ in metrics.emitted] == ["Budget Unpriced Calls"] * 4


@story
async def test_calls_at_the_same_time_go_beyond_by_what_they_cost_and_no_more() -> None:
    async with kept_gate(budgets=(budget(DOLLAR),)) as (g, west):
        g.backend.always = west.always = (said(50, 0),)
        answers = await asyncio.gather(*(g.call(request("POST", "/chat/completions", ASK)) for _ in range(8)))
        admitted = sum(a.status == 200 for a in answers)
        assert 2 <= admitted <= 8
        assert (await g.call(request("POST", "/chat/completions", ASK))).status == 403


def test_what_costs_less_than_a_nano_costs_one() -> None:
    assert [nano_of(p) for p in (0, 1, 999, 1000, 1001)] == [0, 1, 1, 1, 2]
