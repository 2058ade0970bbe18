"""Budgets at work: who has used up what its period allows is refused, and each call is counted when its cost is known.

Cost is known at a call's end, so the calls that are under way when a budget is used up still go through: what is
spent beyond it is at most what those cost (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from aforo.gateway.call import Call
from aforo.gateway.metrics import NAMESPACE
from aforo.gateway.model_errors import in_clients_form
from aforo.llm.prices import PriceList
from aforo.llm.usage import ESTIMATED, PROVIDER
from aforo.llm.usage import Usage as Counts
from aforo.policy.counting.token_admission import window_of
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.owing import MeteredUsage, owed
from aforo.policy.services import Counter, Usage
from aforo.policy.tracing import records
from aforo.snapshot.snapshot import Budget

WARNING = b"aforo-budget-warning"
_NANO = 10**9
_PICO_PER_NANO = 1_000


def nano_of(pico: int) -> int:
    """Of what a call cost, rounded up: many small calls do not go by for nothing."""
    return -(-pico // _PICO_PER_NANO)


def counter_of(budget: Budget, at_ns: int) -> Counter:
    """The counter of a budget in the period that a moment is in."""
    # A total is never over: its window has no end.
    start_s, length_s = (0, 0) if budget.period == "total" else window_of(budget.period, at_ns // _NANO)
    name = f"budget:{budget.owner}:{budget.currency}:{budget.period}:{start_s}"
    return Counter(name, budget.nano, length_s, "fixed", start_s)


async def admit(call: Call, budgets: Sequence[Budget], prices: PriceList, asked: str) -> None:
    """PolicyFailure with 403 where a budget is used up. `asked` is the deployment that the path names."""
    counters = call.services.counters
    counted = [(budget, counter_of(budget, call.started_ns)) for budget in budgets]
    for budget, counter in counted:
        state = await counters.peek(counter)
        if not state.admitted and budget.refuse:
            raise _refused(call, budget, state.retry_after_s if counter.window_s else 0.0)
        percent = (budget.nano - state.remaining) * 100 // budget.nano
        if percent >= budget.warn_percent:
            _warn(call, budget, percent)

    operation = call.operation_runtime
    if operation is not None and operation.stateful is not None and not operation.stateful.asks_model:
        return  # what is made there is no model's answer, and what is shown has been paid

    async def charge(x: Exchange, usage: Usage | None) -> None:
        if usage is None:
            return
        counts, tier = _counts(usage)
        names = prices.models(usage.model, asked or _model_of(x), x.backend_used)
        cost = prices.cost(names, counts, x.started_ns, tier)
        for budget, counter in counted:
            if cost is None or cost.currency != budget.currency:
                x.services.metrics.emit(NAMESPACE, "Budget Unpriced Calls", 1.0, {"Budget": budget.owner})
            elif cost.pico:
                await x.services.counters.charge(counter, nano_of(cost.pico))

    if call.meters is None:
        call.meters = [charge]
    else:
        call.meters.append(charge)


def _counts(usage: Usage) -> tuple[Counts, str]:
    if isinstance(usage, MeteredUsage):
        return usage.counts, usage.tier
    source = ESTIMATED if usage.estimated else PROVIDER
    return Counts(usage.prompt, usage.completion, usage.total, source), ""


def _model_of(call: Exchange) -> str:
    """What the body names: a deployment on the paths that name none."""
    data = call.request.body.data or b""
    if b'"model"' not in data:
        return ""
    try:
        model = orjson.loads(data).get("model")
    except (orjson.JSONDecodeError, AttributeError):
        return ""
    return model if isinstance(model, str) else ""


def _warn(call: Call, budget: Budget, percent: int) -> None:
    text = f"{budget.owner}: {percent} % of {_amount(budget)} ({budget.period}) are used"

    def put(x: Exchange) -> None:
        if x.response is not None:
            x.response.headers.set(WARNING, text.encode("latin-1", "replace"))

    owed(call).heads.append(put)
    dimensions = {"Budget": budget.owner, "Period": budget.period, "Currency": budget.currency}
    call.services.metrics.emit(NAMESPACE, "Budget Used Percent", float(percent), dimensions)
    records.write(call, records.Record("budget", "information", text, dimensions))


def _refused(call: Call, budget: Budget, wait_s: float) -> PolicyFailure:
    whose = budget.owner.partition(" ")[0]
    message = f"The {budget.period} budget of this {whose}, {_amount(budget)}, is used up."
    if wait_s > 0:
        message += f" It begins anew in {int(wait_s // 3600)} h {int(wait_s % 3600 // 60)} min."
    error = LastError("budget", "BudgetExceeded", message, http_status=403)
    return PolicyFailure(error, in_clients_form(call, 403, "budget_exceeded", "insufficient_quota", message))


def _amount(budget: Budget) -> str:
    return f"{budget.nano / _NANO:.2f} {budget.currency}".replace(".00 ", " ")
