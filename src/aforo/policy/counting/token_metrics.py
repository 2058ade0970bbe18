"""What `llm-emit-token-metric` and `azure-openai-emit-token-metric` share: the declaration but for the name."""

from __future__ import annotations

import ast
from typing import Any

from aforo.policy import diagnostics as say
from aforo.policy.counting.dimensions import CHILD, NAMESPACE, Given, fit, given, resolve
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.pipeline import Effects
from aforo.policy.scopes import INBOUND
from aforo.policy.services import Usage
from aforo.policy.spec import Attribute, Element

_EFFECTS = Effects(meters=True)


def emit_tokens(exchange: Exchange, namespace: str, dimensions: tuple[Given, ...]) -> None:
    """Three metrics when the tokens are known; values of expressions are those of now, the others of then."""

    async def meter(x: Exchange, usage: Usage | None) -> None:
        if usage is None:
            return
        found = resolve(x, dimensions)
        emit = x.services.metrics.emit
        emit(namespace, "Total Tokens", usage.total, found)
        emit(namespace, "Prompt Tokens", usage.prompt, found)
        emit(namespace, "Completion Tokens", usage.completion, found)

    if exchange.meters is None:
        exchange.meters = []
    exchange.meters.append(meter)


def write(use: Use, emit: Emitter) -> None:
    namespace = emit.value(use, "namespace")
    pairs, values = given(use, emit)
    if namespace is None or namespace.const is None:
        return
    if "value" in use.attributes:
        # Old documents have it; what is measured are tokens all the same.
        emit.report(say.says_nothing(use.attributes["value"].whole, use.name, "value"))
    real: list[Any] = values
    emit.facts.effects |= _EFFECTS
    emit.site(use, *real)
    emit.do(
        "EMIT(x, NAMESPACE, ITEMS)",
        EMIT=emit_tokens,
        NAMESPACE=fit(emit, namespace, emit.part(namespace.const.strip())),
        ITEMS=ast.Tuple(pairs, ast.Load()),
    )


def element(name: str, doc: str) -> Element:
    """The policy under that name."""
    return Element(
        name,
        doc,
        write,
        sections=INBOUND,
        attributes=(NAMESPACE, Attribute("value", "Accepted for compatibility; it says nothing.")),
        children=(CHILD,),
    )
