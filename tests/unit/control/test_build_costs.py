"""Prices, models of deployments and budgets on their way into the bundle, and what is refused of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aforo.control.lab import lab_yaml
from aforo.errors import Invalid
from aforo.llm.prices import Price
from aforo.snapshot.snapshot import Budget
from tests.support.control_door import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def applied(bench: Bench, **service: str) -> Any:
    """The lab with more of its service and its parts: texts of YAML to put before lines that are there."""
    text = lab_yaml()
    for place, more in service.items():
        line = {"service": "    publisherName: Contoso\n", "product": "        displayName: Generative AI\n",
                "subscription": "        scope: /products/generative-ai\n",
                "deployment": "      text-embedding-ada-002:\n"}[place]  # fmt: skip
        assert text.count(line) == 1
        text = text.replace(line, more + line)
    bench.apply(text)
    return bench.published[-1][0]


def test_deployments_lead_to_models_with_their_versions(bench: Bench) -> None:
    bundle = applied(bench, deployment="      Mine: {model: {name: gpt-4o}}\n")
    assert bundle.deployments == {
        "gpt-35-turbo": "gpt-35-turbo-0125",
        "mine": "gpt-4o",
        "text-embedding-ada-002": "text-embedding-ada-002",
    }


def test_prices_and_budgets_travel(bench: Bench) -> None:
    bundle = applied(
        bench,
        service='    modelPrices:\n      - {model: m, from: "2026-02-01", currency: EUR, input: 1, cachedInput: 0.5, output: 2}\n',
        product="        budgets:\n          - {period: Monthly, amount: 12.5}\n",
        subscription="        budgets:\n          - {period: Total, amount: 1, currency: EUR, warnAtPercent: 50, onExceeded: report}\n",
    )
    assert bundle.prices == (Price("m", "2026-02-01", "EUR", input=1, cached_input=0.5, output=2),)
    (product,) = [p for p in bundle.products if p.budgets]
    assert product.budgets == (Budget("product generative-ai", "monthly", 12_500_000_000, "USD", 80, True),)
    (subscription,) = [s for s in bundle.subscriptions if s.budgets]
    assert subscription.budgets == (Budget("subscription lab", "total", 10**9, "EUR", 50, False),)


@pytest.mark.parametrize(
    ("place", "text", "why"),
    [
        ("service", '    modelPrices: [{model: m, from: "2026-02-30", input: 1}]\n', "is no day"),
        ("service", "    modelPrices: [{model: m, input: 1}, {model: M, output: 1}]\n", "two prices"),
        ("service", "    modelPrices: [{model: m}]\n", "says no price"),
        ("service", "    modelPrices: [{model: m, input: -1}]\n", "input"),
        ("product", "        budgets: [{period: Hourly, amount: 1}]\n", "period"),
        ("product", "        budgets: [{period: Daily, amount: 0}]\n", "amount"),
        ("subscription", "        budgets: [{amount: 1}]\n", "period"),
        ("subscription", "        budgets: [{period: Daily, amount: 1, currency: euro}]\n", "currency"),
    ],
)
def test_what_is_refused(bench: Bench, place: str, text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        applied(bench, **{place: text})
