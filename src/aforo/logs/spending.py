"""What a call used and cost, what filters said, who it was and whose trace it belongs to: the columns for it. It reads
a record and what was read of its bodies; it measures nothing."""

from __future__ import annotations

from typing import Any

from aforo.llm.azure import filtered
from aforo.llm.digest import Digest
from aforo.llm.prices import Cost, Price, PriceList
from aforo.llm.usage import Usage
from aforo.llm.wire import Json
from aforo.logs.rows import json_text
from aforo.spool.records import (
    NOTED_CLAIMED_CALLER,
    NOTED_PARENT_SPAN,
    NOTED_SPAN,
    NOTED_TRACE,
    CallRecord,
    ContextRecord,
)

# Cells of a call of which there is nothing to say: of its usage, of filters, of who it was.
_NO_PARTS = (None, None, None, None, None, None, "", "")
_NO_OTHERS: tuple[int | None, ...] = (None, None, None, None)
_NO_FILTERS = (None, None, "")
_NOBODY = ("", "", "", "")


def price_list(context: ContextRecord) -> PriceList:
    """The prices that calls of a configuration are reckoned by."""
    return PriceList([Price(**row) for row in context.prices], context.deployments)


def cost_of(call: CallRecord, read: Digest | None, prices: PriceList) -> Cost | None:
    """What a call cost; None where its tokens or their price are not known. A cache's answer costs nothing."""
    if read is None or read.usage is None:
        return None
    cached = call.cache == "hit" and not call.backend_status
    asked = call.deployment or read.request.get("model")
    asked = asked if isinstance(asked, str) else ""
    cost = prices.cost_of(read.model, asked, call.backend_id, read.usage, call.started_ns, read.service_tier)
    return cost._replace(pico=0) if cached and cost is not None else cost


def spending_cells(call: CallRecord, read: Digest | None, prices: PriceList) -> tuple[Any, ...]:
    """The cells of `gateway_logs.SPENDING`."""
    parts: tuple[Any, ...] = _NO_PARTS
    filters: tuple[Any, ...] = _NO_FILTERS
    if read is not None:
        usage, raw = read.usage, read.raw_usage
        if usage is not None or raw is not None:
            parts = _parts(usage, raw, cost_of(call, read, prices))
        if read.content_filter:
            verdicts = filtered(read.content_filter)
            filters = (verdicts.prompt, verdicts.completion, ",".join(verdicts.categories))
    claims, noted = call.claims, call.noted
    caller = trace = _NOBODY
    if claims:
        caller = (
            claims.get("oid", "") or claims.get("sub", ""),
            claims.get("appid", ""),
            claims.get("name", ""),
            claims.get("tid", ""),
        )
    if noted:
        trace = (
            noted.get(NOTED_CLAIMED_CALLER, ""),
            noted.get(NOTED_TRACE, ""),
            noted.get(NOTED_SPAN, ""),
            noted.get(NOTED_PARENT_SPAN, ""),
        )
    return parts + filters + caller + trace


def _parts(usage: Usage | None, raw: Json | None, cost: Cost | None) -> tuple[Any, ...]:
    """Tokens of other kinds than text, the usage as it was written, and its cost."""
    others = _NO_OTHERS
    if usage is not None:
        others = (usage.prompt_audio, usage.completion_audio, usage.prompt_image, usage.completion_image)
    said = json_text(raw) if raw is not None else None
    return others + (
        (said, cost.amount, cost.currency, cost.basis) if cost is not None else (said, None, "", "")
    )
