"""`emit-metric`: one measurement of the author's own."""

from __future__ import annotations

import ast
from typing import Any

from aforo.policy import diagnostics as say
from aforo.policy.counting.dimensions import CHILD, NAMESPACE, Given, fit, given, is_number, measured, resolve
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.spec import Attribute, Element


def emit_one(
    exchange: Exchange, namespace: str, name: str | None, value: float, dimensions: tuple[Given, ...]
) -> None:
    """Written down now."""
    exchange.services.metrics.emit(namespace, (name or "").strip(), value, resolve(exchange, dimensions))


def write(use: Use, emit: Emitter) -> None:
    name, value, namespace = (emit.value(use, n) for n in ("name", "value", "namespace"))
    pairs, values = given(use, emit)
    if name is None or value is None or namespace is None or namespace.const is None:
        return
    if value.const is not None and not is_number(value.const):
        emit.report(say.bad_value(value.span, "value", "a number"))
    real: list[Any] = values
    emit.site(use, name, value, *real)
    emit.do(
        "EMIT(x, NAMESPACE, NAME, F(VALUE, 'value'), ITEMS)",
        EMIT=emit_one,
        NAMESPACE=fit(emit, namespace, emit.part(namespace.const.strip())),
        NAME=fit(emit, name, emit.part(name)),
        F=measured,
        VALUE=value,
        ITEMS=ast.Tuple(pairs, ast.Load()),
    )


ELEMENT = Element(
    "emit-metric",
    "Writes a measurement of your own into `AppMetrics`.",
    write,
    attributes=(
        Attribute("name", "The metric's name.", "name", required=True),
        Attribute("value", "A number.", default="1"),
        NAMESPACE,
    ),
    children=(CHILD,),
)
