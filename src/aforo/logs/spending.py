"""What a call used and cost, what filters said, who it was and whose trace it belongs to: the columns for it. It reads
a record and what was read of its bodies; it measures nothing."""

from __future__ import annotations

from typing import Any

from aforo.llm.azure import filtered
from aforo.llm.digest import Digest
from aforo.llm.prices import Cost, Price, PriceList
from aforo.logs.rows import json_text
from aforo.spool.records import (
    NOTED_CLAIMED_CALLER,
    NOTED_PARENT_SPAN,
    NOTED_SPAN,
    NOTED_TRACE,
    CallRecord,
    ContextRecord,
)

_NOTHING: dict[str, str] = {}


def price_list(context: ContextRecord) -> PriceList:
    """The prices that calls of a configuration are reckoned by."""
    return PriceList([Price(**row) for row in context.prices], context.deployments)


def cost_of(call: CallRecord, read: Digest | None, prices: PriceList) -> Cost | None:
    """What a call cost; None where its tokens or their price are not known. A cache's answer costs nothing."""
    if read is None or read.usage is None:
        return None
    cached = call.cache == "hit" and not call.backend_status
    asked = read.request.get("model")
    names = prices.models(
        read.model, call.deployment or (asked if isinstance(asked, str) else ""), call.backend_id
    )
    cost = prices.cost(names, read.usage, call.started_ns, read.service_tier)
    return cost._replace(pico=0) if cached and cost is not None else cost


def spending_cells(call: CallRecord, read: Digest | None, prices: PriceList) -> tuple[Any, ...]:
    """The cells of `gateway_logs.SPENDING`."""
    usage = read.usage if read is not None else None
    cost = cost_of(call, read, prices)
    verdicts = filtered(read.content_filter if read is not None else None)
    raw = read.raw_usage if read is not None else None
    claims, noted = call.claims, call.noted or _NOTHING
    return (
        usage.prompt_audio if usage is not None else None,
        usage.completion_audio if usage is not None else None,
        usage.prompt_image if usage is not None else None,
        usage.completion_image if usage is not None else None,
        json_text(raw) if raw is not None else None,
        cost.amount if cost is not None else None,
        cost.currency if cost is not None else "",
        cost.basis if cost is not None else "",
        verdicts.prompt,
        verdicts.completion,
        ",".join(verdicts.categories),
        claims.get("oid", "") or claims.get("sub", ""),
        claims.get("appid", ""),
        claims.get("name", ""),
        claims.get("tid", ""),
        noted.get(NOTED_CLAIMED_CALLER, ""),
        noted.get(NOTED_TRACE, ""),
        noted.get(NOTED_SPAN, ""),
        noted.get(NOTED_PARENT_SPAN, ""),
    )
