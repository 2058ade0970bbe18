"""`retry`: runs its policies again while a condition is true."""

from __future__ import annotations

import ast
import random
from collections.abc import Awaitable, Callable

from aforo.csharp.runtime.exceptions import FormatException
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange
from aforo.policy.spec import Attribute, Element

# (interval, max-interval, delta, first-fast-retry) when there is to be another try.
Again = tuple[float, float | None, float | None, bool]
MOST = 50
_LONGEST_S = 86_400.0


async def run(exchange: Exchange, attempt: Callable[[], Awaitable[Again | None]], count: int) -> None:
    """`attempt` runs the policies and says how long to wait before the next time, None when it is enough."""
    for number in range(1, count + 1):
        again = await attempt()
        if again is None:
            return
        seconds = pause_s(number, *again)
        if seconds > 0:
            await exchange.services.pause(seconds)
    await attempt()


def pause_s(
    number: int, interval: float, most: float | None, delta: float | None, first_fast: bool = False
) -> float:
    """Seconds before retry `number` (from 1): fixed, growing by `delta`, or doubling up to `most`."""
    if first_fast and number == 1:
        return 0.0
    if most is not None:
        grown = (2.0 ** (number - 1) - 1.0) * random.uniform(0.8, 1.2) * (delta or 0.0)  # noqa: S311 - spreads load
        return min(interval + grown, most)
    return interval + (number - 1) * (delta or 0.0)


def seconds(text: str | None, name: str) -> float:
    """An attribute as seconds; FormatException when it is no number of them."""
    try:
        number = float((text or "").strip())
    except ValueError:
        raise FormatException(f"The value of '{name}' is not a number.") from None
    if not 0 <= number <= _LONGEST_S:
        raise FormatException(f"The value of '{name}' must be between 0 and {_LONGEST_S:g}.")
    return number


def _seconds(use: Use, name: str, emit: Emitter) -> tuple[Value | None, ast.expr]:
    value = emit.value(use, name)
    if value is None:
        return None, emit.expr("None")
    if value.const is None:
        return value, emit.expr("F(V, N)", F=seconds, V=value, N=name)
    try:
        return value, emit.expr("N", N=seconds(value.const, name))
    except FormatException:
        emit.report(say.bad_value(value.span, name, f"a number of seconds between 0 and {_LONGEST_S:g}"))
        return value, emit.expr("0.0")


def write(use: Use, emit: Emitter) -> None:
    condition, count = emit.condition(use, "condition"), emit.value(use, "count")
    if count is None:
        return
    emit.site(use, count)
    times = emit.number(count, "count", 1, MOST)
    name, inner = emit.nested(use.policies, "attempt")
    # What comes after an attempt may look at its answer: waiting times too, as `Retry-After` tells them.
    (interval, first), (most, second), (delta, third) = (
        _seconds(use, n, emit) for n in ("interval", "max-interval", "delta")
    )
    fast = emit.value(use, "first-fast-retry")
    if condition is None:
        return
    inner.site(use, condition, interval, most, delta, fast)
    waits = ast.Tuple(
        [first, second, third, inner.expr("F", F=emit.flag(use, "first-fast-retry"))], ast.Load()
    )
    inner.do("return WAITS if CONDITION else None", WAITS=waits, CONDITION=condition)
    emit.span = use.span
    emit.define(name, inner)
    emit.do(f"await RUN(x, {name}, COUNT)", RUN=run, COUNT=times)


ELEMENT = Element(
    "retry",
    "Runs the policies inside once, and again while the condition is true; a failure inside ends it.",
    write,
    attributes=(
        Attribute("condition", "true: try again. It is asked after each attempt.", "bool", required=True),
        Attribute("count", "How often to try again: 1 to 50.", "int", required=True),
        Attribute("interval", "Seconds between the attempts.", required=True),
        Attribute("max-interval", "The longest pause in seconds; with it pauses double."),
        Attribute("delta", "Seconds by which pauses grow."),
        Attribute("first-fast-retry", "Try again at once the first time.", "bool", default="false"),
    ),
    policies=True,
)
