"""What calls used, cost and were, as columns."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest

from aforo.llm.prices import Price
from aforo.logs.project import Context, gateway_row, read_call
from aforo.logs.rows import row_columns
from aforo.spool.records import CallRecord, ContextRecord, Message
from aforo.tables.gateway_logs import GATEWAY_LOGS
from tests.support.calls import ANSWER, RESOURCE, WORKSPACE, make_call


def row(call: CallRecord, **context: Any) -> dict[str, Any]:
    made = Context.of(ContextRecord(1, RESOURCE, "local", {"GatewayLogs": [WORKSPACE]}, **context))
    cells = gateway_row(call, made, read_call(call), 1)
    return dict(zip((c.name for c in row_columns(GATEWAY_LOGS)), cells, strict=True))


def answered(**changes: Any) -> Message:
    body = orjson.dumps({**ANSWER, **changes})
    return Message([], body, len(body))


def test_a_model_without_a_price_has_no_cost() -> None:
    got = row(make_call(response=answered(model="smollm2"), deployment="d"))
    assert (got["Cost"], got["CostCurrency"], got["CostBasis"]) == (None, "", "")
    assert got["TotalTokens"] == 13


def test_prices_and_deployments_of_the_configuration() -> None:
    own = Price("house-model", "2026-01-01", "EUR", input=2.0, output=4.0)
    context = {"prices": [msgspec.to_builtins(own)], "deployments": {"backend/d": "house-model-2026-02-03"}}
    call = make_call(response=answered(model="house-model"), deployment="d", backend_id="backend")
    got = row(call, **context)
    assert got["Cost"] == pytest.approx((11 * 2 + 2 * 4) / 1e6)
    assert (got["CostCurrency"], got["CostBasis"]) == ("EUR", "own house-model 2026-01-01")
    # Another model has answered: what that costs is not known.
    call = make_call(response=answered(model="whatever"), deployment="d", backend_id="backend")
    assert row(call, **context)["Cost"] is None
    # None is named: the deployment's.
    call = make_call(response=answered(model=""), deployment="d", backend_id="backend")
    assert row(call, **context)["Cost"] == got["Cost"]


def test_an_answer_from_a_cache_costs_nothing_and_its_tokens_are_told() -> None:
    got = row(make_call(cache="hit", backend_status=0))
    assert (got["Cost"], got["CostCurrency"], got["TotalTokens"]) == (0.0, "USD", 13)


def test_a_tier_without_a_price_has_no_cost() -> None:
    assert row(make_call(response=answered(service_tier="priority")))["Cost"] is None
    assert row(make_call(response=answered(service_tier="default")))["Cost"] is not None


def test_who_was_validated_and_who_only_claims_it() -> None:
    claims = {"oid": "o-1", "appid": "a-1", "name": "Ada", "tid": "t-1", "sub": "s"}
    got = row(
        make_call(claims=claims, noted={"caller": "bob", "trace": "t" * 32, "span": "s", "parent": "p"})
    )
    assert [got[n] for n in ("CallerObjectId", "CallerApplicationId", "CallerName", "CallerTenantId")] == [
        "o-1",
        "a-1",
        "Ada",
        "t-1",
    ]
    assert (got["ClaimedCaller"], got["EndUser"]) == ("bob", "ada")
    assert (got["TraceId"], got["SpanId"], got["ParentSpanId"]) == ("t" * 32, "s", "p")
    assert row(make_call(claims={"sub": "s"}))["CallerObjectId"] == "s"


def test_what_filters_said() -> None:
    choice = {
        **ANSWER["choices"][0],
        "content_filter_results": {"hate": {"filtered": True, "severity": "high"}},
    }  # type: ignore[index,dict-item]
    prompt = [
        {"prompt_index": 0, "content_filter_results": {"violence": {"filtered": False, "severity": "low"}}}
    ]
    got = row(make_call(response=answered(choices=[choice], prompt_filter_results=prompt)))
    assert (got["PromptFiltered"], got["CompletionFiltered"]) == (False, True)
    assert got["ContentFilterCategories"] == "hate,violence"
