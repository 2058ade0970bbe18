"""Limits at work: what is asked of the counters, who is refused and in which words. It knows no element.

The answers are API Management's. What cannot be known before the answer is counted when the call is over,
without asking again: the caller after it is the one who is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from msgspec import structs

from aforo.policy import running
from aforo.policy.answers import answer
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.owing import owed
from aforo.policy.services import Counter, CounterState, Form, Reservation

_LONGEST_KEY = 128
KILOBYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class Told:
    """Names under which a limit tells how it stands; b"" and "" where it is not asked to."""

    retry_header: bytes = b"retry-after"
    retry_variable: str = ""
    remaining_header: bytes = b""
    remaining_variable: str = ""
    total_header: bytes = b""


@dataclass(frozen=True, slots=True)
class Later:
    """An increment that depends on the answer: `count` is evaluated when the call is over."""

    count: Callable[[], int]
    site: running.Site
    reads_response: bool


def counter_name(policy: str, key: str | None) -> str:
    """The name of a counter. Keys are whatever callers send: long ones are kept as their digest."""
    text = key or ""
    if len(text) > _LONGEST_KEY:
        text = "sha256:" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{policy}:{text}"


def counted(condition: bool, count: int) -> int:
    """By how much a counter goes up."""
    return count if condition else 0


def refusal(
    exchange: Exchange,
    status: int,
    error: tuple[str, str, str],
    message: str,
    retry_after_s: float,
    told: Told,
) -> PolicyFailure:
    """The refusal of a limit. `error` is (source, reason, message) of LastError, `message` what the caller reads.

    `retry_after_s` 0: there is nothing to wait for.
    """
    seconds = in_seconds(retry_after_s)
    refused = answer(status, message)
    if retry_after_s > 0:
        refused.headers.set(told.retry_header, b"%d" % seconds)
    if told.retry_variable:
        exchange.variables[told.retry_variable] = seconds
    source, reason, detail = error
    return PolicyFailure(LastError(source, reason, detail, http_status=status), refused)


def in_seconds(wait_s: float) -> int:
    """Whole seconds after which a caller who was refused can be admitted."""
    return max(1, math.ceil(wait_s - 1e-6))


def tell(exchange: Exchange, told: Told, remaining: int, total: int) -> None:
    """How a limit stands, in the variable now and in the headers when there is an answer."""
    if told.remaining_variable:
        exchange.variables[told.remaining_variable] = remaining
    if not (told.remaining_header or told.total_header):
        return

    def put(x: Exchange) -> None:
        assert x.response is not None
        if told.remaining_header:
            x.response.headers.set(told.remaining_header, b"%d" % remaining)
        if told.total_header:
            x.response.headers.set(told.total_header, b"%d" % total)

    owed(exchange).heads.append(put)


def too_many(exchange: Exchange, source: str, told: Told, wait_s: float) -> PolicyFailure:
    """429 of a rate limit."""
    message = f"Rate limit is exceeded. Try again in {in_seconds(wait_s)} seconds."
    error = (source, "RateLimitExceeded", "Rate limit is exceeded")
    return refusal(exchange, 429, error, message, wait_s, told)


def used_up(exchange: Exchange, source: str, what: str, wait_s: float) -> PolicyFailure:
    """403 of a quota; `what` is "call volume" or "bandwidth"."""
    message = f"Out of {what} quota."
    if wait_s > 0:
        message += f" Quota will be replenished in {span(in_seconds(wait_s))}."
    return refusal(exchange, 403, (source, "QuotaExceeded", message), message, wait_s, Told())


def span(seconds: int) -> str:
    """`07:01:20`, with days `2.04:12:23`, as .NET writes a TimeSpan."""
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}.{clock}" if days else clock


async def admit_rates(exchange: Exchange, source: str, rates: list[Counter], told: Told) -> None:
    """Count the call on each of them, or on none where one refuses it."""
    counters = exchange.services.counters
    held: list[Reservation] = []
    remaining = rates[0].limit
    for rate in rates:
        state = await counters.reserve(rate, 1)
        if state.reservation is None:
            for reservation in held:
                await counters.release(reservation)
            tell(exchange, told, 0, rates[0].limit)
            raise too_many(exchange, source, told, state.retry_after_s)
        held.append(state.reservation)
        remaining = min(remaining, state.remaining)
    tell(exchange, told, remaining, rates[0].limit)


async def admit_rate(exchange: Exchange, source: str, rate: Counter, count: int | Later, told: Told) -> None:
    """Count the call now, or later by what its answer says."""
    counters = exchange.services.counters
    if isinstance(count, Later) or not count:
        state = await counters.peek(rate)
    else:
        state = await counters.reserve(rate, count)
    tell(exchange, told, state.remaining, rate.limit)
    if not state.admitted:
        raise too_many(exchange, source, told, state.retry_after_s)
    if isinstance(count, Later):
        _when_over(exchange, count, rate)


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota on one counter; `bandwidth` in kilobytes. None: not limited. `period_s` 0: for ever."""

    name: str
    calls: int | None
    bandwidth: int | None
    period_s: int
    epoch_s: int


async def admit_quotas(exchange: Exchange, source: str, quotas: list[Quota], count: int | Later) -> None:
    """Count the call on each of them, or on none where one refuses it. A key counts once for a call."""
    counters = exchange.services.counters
    held: list[Reservation] = []
    due = owed(exchange)
    new: dict[str, Counter] = {}
    now = 0 if isinstance(count, Later) else count
    for quota in quotas:
        for counter, amount, what in _counters_of(quota, now):
            state = await _take(exchange, counter, amount)
            if not state.admitted:
                for reservation in held:
                    await counters.release(reservation)
                raise used_up(exchange, source, what, state.retry_after_s)
            if state.reservation is not None:
                held.append(state.reservation)
            if counter.key not in due.counted:
                new[counter.key] = counter
    for name, counter in new.items():
        is_calls = name.endswith(":calls")
        due.counted[name] = now if is_calls else 0
        if not is_calls:
            exchange.lent.append(_weighing(exchange, counter))
        elif isinstance(count, Later):
            _when_over(exchange, count, counter)


def _counters_of(quota: Quota, count: int) -> Iterator[tuple[Counter, int, str]]:
    """(counter, what to take now, what it is called)."""
    period: tuple[int, Form, int] = quota.period_s, "fixed", quota.epoch_s
    if quota.calls is not None:
        yield Counter(f"{quota.name}:calls", quota.calls, *period), count, "call volume"
    if quota.bandwidth is not None:
        limit = quota.bandwidth * KILOBYTE
        yield Counter(f"{quota.name}:bandwidth", limit, *period), 0, "bandwidth"


async def _take(exchange: Exchange, counter: Counter, amount: int) -> CounterState:
    counters = exchange.services.counters
    own = exchange.owed.counted.get(counter.key) if exchange.owed is not None else None
    if amount and own is None:
        return await counters.reserve(counter, amount)
    # What this call has counted already is not held against it.
    return await counters.peek(structs.replace(counter, limit=counter.limit + own) if own else counter)


def _weighing(exchange: Exchange, counter: Counter) -> Callable[[], None]:
    """Charges the bytes of the call at its very end, when they are known."""

    async def charge(size: int) -> None:
        await exchange.services.counters.charge(counter, size)

    return lambda: exchange.services.spawn(charge(exchange.transferred))


def _when_over(exchange: Exchange, later: Later, counter: Counter) -> None:
    async def count(x: Exchange) -> None:
        response = x.response
        if later.reads_response and response is not None and response.body.data is None:
            await response.body.read()
        try:
            amount = later.count()
        except Exception as error:
            raise running.failed(error, later.site, x) from error
        if amount > 0:
            await x.services.counters.charge(counter, amount)

    owed(exchange).ends.append(count)
