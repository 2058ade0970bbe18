"""What is done for a call before its policies, by what the configuration says of its API, product and subscription:
trace context, claimed callers, budgets, owners of kept things.

It is tied to the front of the sections when an admission is made, so that a call without any of it pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, cast

from aforo.gateway import budgets, owned, trace_context
from aforo.gateway.call import Call
from aforo.gateway.owners import Owners
from aforo.llm.stateful import Stateful
from aforo.policy.exchange import Exchange
from aforo.policy.pipeline import Effects, Pipeline
from aforo.snapshot.runtime import ApiRuntime, KeyHolder, OperationRuntime, Runtime
from aforo.snapshot.snapshot import Budget
from aforo.spool.records import (
    NOTED_CLAIMED_CALLER,
    NOTED_PARENT_SPAN,
    NOTED_SPAN,
    NOTED_TRACE,
    NOTED_TRACE_FLAGS,
)

_LONGEST_CLAIM = 256
_METERS = Effects(meters=True)
_READS = Effects(reads_request_body=True)

Step = Callable[[Call], Coroutine[Any, Any, None]]


def prepared(
    pipeline: Pipeline,
    runtime: Runtime,
    api: ApiRuntime,
    operation: OperationRuntime,
    product_id: str,
    holder: KeyHolder | None,
) -> Pipeline:
    """The sections with all that comes before them; the very same where nothing does."""
    notes: list[Callable[[Call], None]] = []
    steps: list[Step] = []
    effects = pipeline.effects
    log = api.entry.log
    if log.trace_context:
        notes.append(_join_trace)
    if log.caller_header:
        notes.append(_claims(log.caller_header.encode("latin-1", "replace")))
    allowed: tuple[Budget, ...] = holder.entry.budgets if holder is not None else ()
    if product_id:
        allowed += runtime.products[product_id][0].budgets
    if allowed:
        steps.append(_admits(allowed, runtime))
        effects |= _METERS
    stateful = operation.stateful
    if stateful is not None and _matters(stateful, api):
        steps.append(_owns(stateful))
        if stateful.asks_model:
            effects |= _METERS
        elif operation.entry.subject.method.upper() == "POST" and not stateful.streams_in:
            effects |= _READS
    if not notes and not steps:
        return pipeline
    return replace(pipeline, inbound=_front(notes, steps, pipeline.inbound), effects=effects)


def _front(
    notes: list[Callable[[Call], None]],
    steps: list[Step],
    then: Callable[[Exchange], Coroutine[Any, Any, None]] | None,
) -> Callable[[Exchange], Coroutine[Any, Any, None]]:
    async def inbound(exchange: Exchange) -> None:
        call = cast(Call, exchange)
        for note in notes:
            note(call)
        for step in steps:
            await step(call)
        if then is not None:
            await then(exchange)

    return inbound


def _noted(call: Call) -> dict[str, str]:
    noted = call.noted
    if noted is None:
        noted = call.noted = {}
    return noted


def _join_trace(call: Call) -> None:
    trace, span, parent, flags = trace_context.join(call.request.headers, call.call_id, call.headers)
    noted = _noted(call)
    noted[NOTED_TRACE] = trace
    noted[NOTED_SPAN] = span
    noted[NOTED_TRACE_FLAGS] = flags
    if parent:
        noted[NOTED_PARENT_SPAN] = parent


def _claims(header: bytes) -> Callable[[Call], None]:
    def note(call: Call) -> None:
        said = call.headers.get(header)
        if said:
            _noted(call)[NOTED_CLAIMED_CALLER] = said.decode("utf-8", "replace")[:_LONGEST_CLAIM]

    return note


def _admits(allowed: tuple[Budget, ...], runtime: Runtime) -> Step:
    async def step(call: Call) -> None:
        await budgets.admit(call, allowed, runtime.prices, call.known.deployment)

    return step


def _owns(stateful: Stateful) -> Step:
    async def step(call: Call) -> None:
        owners = getattr(call.services, "owners", None)
        if isinstance(owners, Owners):
            await owned.admit(call, stateful, owners)

    return step


def _matters(stateful: Stateful, api: ApiRuntime) -> bool:
    """Completions are kept for those alone who can ask for them again."""
    if stateful.collection != "chat/completions" or stateful.parameters or stateful.lists:
        return True
    return any("/chat/completions/{" in o.subject.url_template for o in api.entry.operations)
