"""`retry`: runs its policies again while a condition is true; it sees a failed `forward-request` as a response."""

from __future__ import annotations

import ast
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aforo.csharp.runtime.exceptions import FormatException
from aforo.messages import Headers
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Body, Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.running import Site, placed
from aforo.policy.spec import Attribute, Element
from aforo.policy.tracing import trace

# (interval, max-interval, delta, first-fast-retry) when there is to be another try, and how this one has failed.
Again = tuple[float, float | None, float | None, bool, PolicyFailure | None]
MOST = 50
_LONGEST_S = 86_400.0


async def run(exchange: Exchange, attempt: Callable[[], Awaitable[Again | None]], count: int) -> None:
    """`attempt` runs the policies and says how long to wait before the next time, None when it is enough."""
    failures: list[PolicyFailure] = []
    gone = exchange.request.body.gone
    for number in range(1, count + 1):
        again = await attempt()
        if again is None:
            # What an attempt failed with is no error of a call that came through after all.
            for failure in failures:
                failure.error.recovered = True
            return
        if exchange.request.body.gone and not gone:
            # It went on as it came, and was not kept: it cannot be sent again. What this attempt brought is the answer.
            exchange.errors.append(_not_again(exchange))
            enough(exchange, again[4])
            break
        if again[4] is not None:
            failures.append(again[4])
        exchange.last_error = None
        seconds = pause_s(number, *again[:4])
        if seconds > 0:
            await exchange.services.pause(seconds)
    else:
        again = await attempt()
        if again is not None:
            enough(exchange, again[4])
    for failure in failures:
        failure.error.recovered = True


def _not_again(exchange: Exchange) -> LastError:
    """Tells in the record why there was no other attempt."""
    error = LastError(
        "retry",
        "RequestBodyNotKept",
        "the request's body went on as it came and cannot be sent again; buffer-request-body keeps it, up to 64 MiB",
        section="backend",
    )
    error.recovered = exchange.response is not None and exchange.response.status < 400
    return error


def missed(exchange: Exchange, failure: PolicyFailure, site: Site) -> PolicyFailure:
    """An attempt that no backend has answered: the condition sees the answer that the client would get. Any other
    failure is not the backend's and ends the policy."""
    error = failure.error
    if error.source != "forward-request":
        raise failure
    placed(failure, site, exchange)
    exchange.errors.append(error)
    exchange.last_error = error
    status = error.http_status
    exchange.response = failure.response or ResponseState(
        status, HTTPStatus(status).phrase, Headers(), Body(b"")
    )
    # Whoever asked keeps it: with the places it came through it would keep them, and the call, in turn.
    return failure.with_traceback(None)


def enough(exchange: Exchange, failure: PolicyFailure | None) -> None:
    """No more attempts: the failure of the last one is the failure of all."""
    if failure is not None:
        exchange.errors.remove(failure.error)  # who handles it writes it down
        raise failure


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
    emit.unit.retries += 1
    name, inner = emit.nested(use.policies, "attempt")
    emit.unit.retries -= 1
    failure = _guard(inner)
    # What comes after an attempt may look at its answer: waiting times too, as `Retry-After` tells them.
    (interval, first), (most, second), (delta, third) = (
        _seconds(use, n, emit) for n in ("interval", "max-interval", "delta")
    )
    fast = emit.value(use, "first-fast-retry")
    if condition is None:
        return
    read = len(inner.body)
    inner.site(use, condition, interval, most, delta, fast)
    if any(v is not None and v.effects.reads_response_body for v in (condition, interval, most, delta, fast)):
        _guard_reading(inner, read, failure)
    waits = ast.Tuple(
        [first, second, third, inner.expr("F", F=emit.flag(use, "first-fast-retry")), inner.expr(failure)],
        ast.Load(),
    )
    inner.do(
        f"return WAITS if CONDITION else ENOUGH(x, {failure})",
        WAITS=waits,
        CONDITION=condition,
        ENOUGH=enough,
    )
    emit.span = use.span
    emit.define(name, inner)
    emit.do(f"await RUN(x, {name}, COUNT)", RUN=run, COUNT=times)


def _guard(inner: Emitter) -> str:
    """Puts what is written so far under the eye of `missed`; the name of what it gives, None without a failure."""
    failure = inner.local("failure")
    policies, inner.body = inner.finished(), []
    inner.do(f"{failure} = None")
    guarded = _tried(inner, policies, failure)
    if inner.unit.tracing:
        told = inner.block()
        told.do("LEFT(x, STEP, error)", LEFT=trace.left, STEP=ast.Name(inner.unit.step, ast.Load()))
        guarded.handlers[0].body[:0] = told.body
    return failure


def _guard_reading(inner: Emitter, start: int, failure: str) -> None:
    """What is written from there on reads the answer for the condition: where that does not come whole it is a failed
    attempt too, for nobody has had any of it."""
    reading = inner.body[start:]
    del inner.body[start:]
    _tried(inner, reading, failure)


def _tried(inner: Emitter, body: list[ast.stmt], failure: str) -> ast.Try:
    """Writes that body so that what it fails with is looked at by `missed`."""
    inner.do(
        f"try:\n    pass\nexcept PolicyFailure as error:\n    {failure} = MISSED(x, error, sites[at])",
        MISSED=missed,
    )
    guarded = inner.body[-1]
    assert isinstance(guarded, ast.Try)
    guarded.body = body
    return guarded


ELEMENT = Element(
    "retry",
    "Runs the policies inside once, and again while the condition is true. A `forward-request` that fails is looked at "
    "as the answer that the client would get (500, 503), and so is one whose answer the condition reads and which does not "
    "come whole; any other failure inside ends it. A request whose body went on "
    "as it came (`buffer-request-body` keeps it) is not sent again: what its only attempt brought is the answer.",
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
