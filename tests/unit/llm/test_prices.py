"""What calls cost: by model, by day, by what was cached, heard and reasoned."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest

from aforo.llm.prices import Price, PriceList, price_of, shipped
from aforo.llm.usage import PROVIDER, Usage, read_usage


def at(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 10**9


NOW = at("2026-11-23")


def amount(
    models: list[str], usage: Usage, day: int = NOW, own: tuple[Price, ...] = (), tier: str = ""
) -> float | None:
    cost = PriceList(own).cost(models, usage, day, tier)
    return None if cost is None else cost.amount


def used(prompt: int, completion: int, **more: int) -> Usage:
    return Usage(prompt, completion, prompt + completion, PROVIDER, **more)


def test_plain_tokens() -> None:
    assert amount(["gpt-4o"], used(1_000_000, 0)) == 2.5
    assert amount(["gpt-4o"], used(0, 1_000_000)) == 10.0
    assert amount(["text-embedding-3-small"], used(500_000, 0)) == 0.01


def test_cached_tokens_are_a_part_of_the_prompt_and_cheaper() -> None:
    assert amount(["gpt-4o"], used(1_000_000, 0, cached=400_000)) == pytest.approx(0.6 * 2.5 + 0.4 * 1.25)
    # Without a price of their own they cost what the prompt costs.
    assert amount(["gpt-4"], used(1_000_000, 0, cached=400_000)) == 30.0


def test_reasoning_is_a_part_of_the_answer_and_not_paid_twice() -> None:
    assert amount(["o3"], used(0, 1_000_000, reasoning=900_000)) == 8.0
    # Some count it beside the answer: only the total has it then.
    assert amount(["o3"], Usage(0, 100_000, 1_000_000, PROVIDER, None, 900_000)) == 8.0


def test_heard_and_said_tokens_have_their_own_prices() -> None:
    usage = used(1_000_000, 1_000_000, prompt_audio=500_000, completion_audio=250_000)
    assert amount(["gpt-4o-audio-preview"], usage) == pytest.approx(
        0.5 * 2.5 + 0.5 * 40 + 0.75 * 10 + 0.25 * 80
    )
    # A model without a price for what it heard has no known cost.
    assert amount(["gpt-4o"], usage) is None


def test_pictures() -> None:
    read = read_usage(
        {
            "usage": {
                "input_tokens": 50,
                "output_tokens": 1000,
                "total_tokens": 1050,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            }
        }
    )
    assert read is not None
    assert amount(["gpt-image-1"], read) == pytest.approx((10 * 5 + 40 * 10 + 1000 * 40) / 1e6)


def test_a_price_counts_from_its_day_on() -> None:
    assert amount(["o3"], used(1_000_000, 0), at("2025-06-09")) == 10.0
    assert amount(["o3"], used(1_000_000, 0), at("2025-06-10")) == 2.0
    assert amount(["o3"], used(1_000_000, 0), at("2024-01-01")) is None


def test_what_is_not_known_costs_nothing_that_is_known() -> None:
    assert amount(["smollm2"], used(10, 10)) is None
    assert amount([], used(10, 10)) is None
    assert amount(["text-embedding-3-small"], used(10, 10)) is None  # it does not answer in tokens
    assert amount(["gpt-4o"], used(10, 10), tier="flex") is None
    assert amount(["gpt-4o"], used(0, 0)) == 0.0


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("gpt-4o-2024-05-13", 5.0),
        ("gpt-4o-2024-11-20", 2.5),
        ("GPT-4o", 2.5),
        ("gpt-35-turbo", 0.5),
        ("gpt-3.5-turbo-0125", 0.5),
        ("gpt-35-turbo-0613", 1.5),
        ("gpt-4-0613", 30.0),
        ("gpt-4-turbo-2024-04-09", 10.0),
    ],
)
def test_names_with_versions(name: str, price: float) -> None:
    assert amount([name], used(1_000_000, 0)) == price


def test_a_configuration_s_own_prices_go_first() -> None:
    own = (
        Price("gpt-4o", "2026-01-01", "EUR", input=2.0, output=8.0),
        Price("smollm2", input=0.1, output=0.1),
        Price("gpt-4o", "2026-01-01", "EUR", input=1.0, output=4.0, tier="flex"),
    )
    cost = PriceList(own).cost(["gpt-4o"], used(1_000_000, 0), NOW)
    assert cost is not None
    assert (cost.amount, cost.currency, cost.basis) == (2.0, "EUR", "own gpt-4o 2026-01-01")
    assert amount(["gpt-4o"], used(1_000_000, 0), at("2025-12-31"), own) == 2.5
    assert amount(["smollm2"], used(1_000_000, 0), NOW, own) == 0.1
    assert amount(["gpt-4o"], used(1_000_000, 0), NOW, own, "flex") == 1.0


def test_the_model_behind_a_deployment() -> None:
    prices = PriceList(
        (), {"east/mine": "gpt-4o-2024-05-13", "mine": "gpt-4o-mini", "router": "model-router"}
    )
    assert prices.models("", "Mine", "east") == ("gpt-4o-2024-05-13", "gpt-4o-mini", "Mine")
    assert prices.models("", "mine", "west") == ("gpt-4o-mini", "mine")
    # A bare name says less than the deployment, and a version more.
    assert prices.models("gpt-4o", "mine", "east") == ("gpt-4o-2024-05-13", "gpt-4o")
    assert prices.models("gpt-4o-2024-11-20", "mine", "east") == ("gpt-4o-2024-11-20", "gpt-4o-2024-05-13")
    assert prices.models("gpt-4o", "gpt-4o-2024-08-06", "") == ("gpt-4o", "gpt-4o-2024-08-06")


DECLARED = {
    "main": "gpt-4o",
    "small": "gpt-4o-mini",
    "older": "gpt-4-1106-Preview",
    "turbo": "gpt-4-turbo-2024-04-09",
    "vectors": "text-embedding-ada-002",
    "router": "model-router",
    "ours": "our-llama",
}


@pytest.mark.parametrize(
    ("answered", "asked", "basis"),
    [
        # A version without a row of its own costs what its model does.
        ("gpt-4o-2024-11-20", "main", "gpt-4o"),
        ("gpt-4o-2031-01-01", "main", "gpt-4o"),
        ("gpt-4o-2024-05-13", "main", "gpt-4o-2024-05-13"),
        ("gpt-4o-2024-11-20", "gpt-4o", "gpt-4o"),
        # What another model than the deployment's costs says its own price alone.
        ("gpt-4.1-nano-2025-04-14", "router", "gpt-4.1-nano"),
        ("gpt-4.1-nano", "main", "gpt-4.1-nano"),
        ("gpt-4o", "small", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "main", "gpt-4o-mini"),
        # And where it has none, nothing is known.
        ("grok-3", "main", None),
        ("grok-3-2025-02-17", "main", None),
        ("grok-3", "gpt-4o", None),
        ("gpt-4o-realtime-preview-2024-12-17", "main", None),
        ("ft:gpt-4o-2024-08-06:acme::abc", "main", None),
        ("gpt-4o-2024-08-06.ft-0e208cf3", "main", None),
        ("llama.gguf", "ours", None),
        ("our-llama-v2", "ours", None),
        # Azure's answers leave versions out that change the price.
        ("gpt-4", "older", "gpt-4-1106-preview"),
        ("gpt-4", "turbo", "gpt-4-turbo"),
        ("gpt-4-turbo-2024-04-09", "turbo", "gpt-4-turbo"),
        ("ada", "vectors", "text-embedding-ada-002"),
        ("text-embedding-ada-002-v2", "vectors", "text-embedding-ada-002"),
        # An answer that names no model is the deployment's.
        ("", "small", "gpt-4o-mini"),
        ("", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("", "router", None),
        # Own prices go by the same rule.
        ("our-llama", "ours", "own our-llama"),
        ("our-llama-2026-01-01", "main", "own our-llama"),
    ],
)
def test_whose_price_counts(answered: str, asked: str, basis: str | None) -> None:
    prices = PriceList([Price("our-llama", input=1, output=1)], DECLARED)
    cost = prices.cost(prices.models(answered, asked, "east"), used(10, 0), NOW)
    found = None if cost is None else cost.basis
    assert (found and re.sub(r" \d{4}-\d{2}-\d{2}$", "", found)) == basis


def test_the_shipped_table_is_sound() -> None:
    rows = shipped()
    assert len({(p.model, p.first, p.tier) for p in rows}) == len(rows)
    for price in rows:
        assert date.fromisoformat(price.first) <= date(2026, 11, 23)
        assert price.currency == "USD"
        assert price.input is not None
        assert price.input > 0
        assert price.cached_input is None or 0 < price.cached_input < price.input


def test_a_row_of_a_configuration() -> None:
    assert price_of({"model": "m", "from": "2026-01-01", "input": 1, "cachedInput": 0.5}) == Price(
        "m", "2026-01-01", input=1, cached_input=0.5
    )
