"""Token limits at work: a minute's tokens and a period's, asked before the call and settled with what it spent.

A minute is a bucket that drains evenly, so a debt takes as long to be paid off as it is large (which is what the
real service was seen to do); a period is a fixed window that begins with the hour, day, week, month or year in UTC.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aforo.errors import Unavailable
from aforo.llm.asked import completion_bound
from aforo.llm.digest import read_object
from aforo.llm.spent import asks_for_stream, prompt_tokens
from aforo.messages import is_event_stream
from aforo.policy.counting.admission import Told, counter_name, in_seconds, refusal
from aforo.policy.exchange import Exchange, PolicyFailure
from aforo.policy.owing import owed
from aforo.policy.running import word
from aforo.policy.services import Counter, Counters, CounterState, Reservation, Usage

PERIODS = frozenset(("hourly", "daily", "weekly", "monthly", "yearly"))
MINUTE_S = 60
# What a call has reserved comes back by then where nobody says what it spent: its gateway has died.
HELD_S = 3600.0


@dataclass(frozen=True, slots=True)
class TokenNames:
    """Names under which a limit tells how it stands; b"" and "" where it is not asked to."""

    told: Told
    remaining_header: bytes = b""
    remaining_variable: str = ""
    quota_header: bytes = b""
    quota_variable: str = ""
    consumed_header: bytes = b""
    consumed_variable: str = ""

    @property
    def in_head(self) -> bool:
        """Whether anything is told in the head of answers."""
        return bool(self.remaining_header or self.quota_header or self.consumed_header)


class _Limit:
    """One limit of a call, a minute's bucket or a period's window, and how it stands."""

    __slots__ = ("counter", "header", "remaining", "reservation", "variable")

    def __init__(self, counter: Counter, header: bytes, variable: str) -> None:
        self.counter = counter
        self.header = header
        self.variable = variable
        self.remaining = 0
        self.reservation: Reservation | None = None

    async def give_back(self, counters: Counters) -> None:
        reservation, self.reservation = self.reservation, None
        if reservation is not None:
            await counters.release(reservation)

    async def spend(self, counters: Counters, tokens: int) -> None:
        reservation, self.reservation = self.reservation, None
        if reservation is not None:
            state = await counters.settle(reservation, tokens)
        else:
            state = await counters.charge(self.counter, tokens)
        self.remaining = state.remaining

    async def look(self, counters: Counters) -> CounterState:
        state = await counters.peek(self.counter)
        self.remaining = state.remaining
        return state


async def admit_tokens(
    exchange: Exchange,
    source: str,
    key: str | None,
    per_minute: int | None,
    quota: int | None,
    period: str | None,
    estimate: bool,
    names: TokenNames,
    reserve: int | None = None,
) -> None:
    """Refuse with 403 where the quota is used up, with 429 where the minute is; count the call when it is over.

    With `reserve` the most that the call can spend must fit, and is taken until it is known what it spent; it is the
    bound of an answer where the request names none.
    """
    body = exchange.request.body.data or b""
    prompt = answer = 0
    if reserve is not None:
        asked_for = read_object(body)
        prompt = prompt_tokens(asked_for)
        if not exchange.request.path.endswith("/embeddings"):
            answer = completion_bound(asked_for, reserve, exchange.request.path)
    elif estimate or asks_for_stream(body):
        prompt = prompt_tokens(read_object(body))
    name = counter_name(source, key)
    counters = exchange.services.counters
    limits: list[_Limit] = []
    if quota is not None:
        unit = word(period, "token-quota-period", PERIODS)
        start_s, length_s = window_of(unit, exchange.started_ns // 10**9)
        window = Counter(f"{name}:{unit}:{start_s}", quota, length_s, "fixed", start_s)
        limits.append(_Limit(window, names.quota_header, names.quota_variable))
    if per_minute is not None:
        bucket = Counter(name + ":minute", per_minute, MINUTE_S, "bucket")
        limits.append(_Limit(bucket, names.remaining_header, names.remaining_variable))
    asked: list[_Limit] = []
    meter = _Meter(asked, names, prompt)
    if names.in_head:
        owed(exchange).heads.append(meter.head)
    try:
        for limit in limits:
            asked.append(limit)
            if prompt + answer:
                state = await counters.reserve(limit.counter, prompt + answer, HELD_S)
                limit.remaining, limit.reservation = state.remaining, state.reservation
            else:
                state = await limit.look(counters)
            if limit.variable:
                exchange.variables[limit.variable] = limit.remaining
            if not state.admitted:
                too_much = (
                    prompt + answer if reserve is not None and prompt + answer > limit.counter.limit else 0
                )
                raise _refused(exchange, source, limit, state.retry_after_s, names, too_much)
    except BaseException:
        # Refused, given up while it waited, or the counters are away: what the other limit has taken goes back.
        for each in asked:
            await each.give_back(counters)
        raise
    if names.consumed_variable:
        exchange.variables[names.consumed_variable] = prompt
    if exchange.meters is None:
        exchange.meters = [meter]
    else:
        exchange.meters.append(meter)


def _refused(
    exchange: Exchange, source: str, limit: _Limit, wait_s: float, names: TokenNames, too_much: int = 0
) -> PolicyFailure:
    """`too_much`: what a call may spend that no waiting makes fit."""
    if names.consumed_variable:
        exchange.variables[names.consumed_variable] = 0
    what, status = ("limit", 429) if limit.counter.form == "bucket" else ("quota", 403)
    message = f"Token {what} is exceeded. Try again in {in_seconds(wait_s)} seconds."
    if too_much:
        message = f"Token {what} is exceeded. The call may spend {too_much} tokens, and {limit.counter.limit} are all there are."
        wait_s = 0.0
    error = (source, f"Token{what.capitalize()}Exceeded", message)
    return refusal(exchange, status, error, message, wait_s, names.told)


class _Meter:
    """Settles the limits of a call with what it spent, and tells in its answer how they stand."""

    __slots__ = ("_limits", "_names", "_prompt")

    def __init__(self, limits: list[_Limit], names: TokenNames, prompt: int) -> None:
        self._limits = limits
        self._names = names
        self._prompt = prompt

    def head(self, exchange: Exchange) -> None:
        """What is known before the end. What was consumed is known with the answer, of a stream only the prompt: its
        head leaves before its end."""
        response = exchange.response
        assert response is not None
        for limit in self._limits:
            if limit.header:
                response.headers.set(limit.header, b"%d" % limit.remaining)
        consumed = self._names.consumed_header
        if consumed and response.status < 300 and is_event_stream(response.headers):
            response.headers.set(consumed, b"%d" % self._prompt)

    async def __call__(self, exchange: Exchange, usage: Usage | None) -> None:
        names = self._names
        counters = exchange.services.counters
        tokens = 0 if usage is None else usage.prompt + usage.completion
        response = exchange.response
        # The head of a stream has left.
        headers = None if response is None or is_event_stream(response.headers) else response.headers
        for limit in self._limits:
            if usage is None:
                await limit.give_back(counters)
                with contextlib.suppress(
                    Unavailable
                ):  # the call is over: what is left is told where it is known
                    await limit.look(counters)
                told = headers is not None and limit.header in headers
            else:
                await limit.spend(counters, tokens)
                told = bool(limit.header)
            if limit.variable:
                exchange.variables[limit.variable] = limit.remaining
            if told and headers is not None:
                headers.set(limit.header, b"%d" % limit.remaining)
        if names.consumed_variable:
            exchange.variables[names.consumed_variable] = tokens
        if usage is not None and names.consumed_header and headers is not None:
            headers.set(names.consumed_header, b"%d" % tokens)


def window_of(unit: str, now_s: int) -> tuple[int, int]:
    """(start, length) in seconds of the hour, day, week (from Monday), month or year that `now_s` is in, in UTC."""
    now = datetime.fromtimestamp(now_s, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "hourly":
        start = now.replace(minute=0, second=0, microsecond=0)
        end = start + timedelta(hours=1)
    elif unit == "daily":
        start, end = day, day + timedelta(days=1)
    elif unit == "weekly":
        start = day - timedelta(days=day.weekday())
        end = start + timedelta(days=7)
    elif unit == "monthly":
        start = day.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        start = day.replace(month=1, day=1)
        end = start.replace(year=start.year + 1)
    return int(start.timestamp()), int((end - start).total_seconds())
