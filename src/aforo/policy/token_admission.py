"""Token limits at work: a minute's tokens and a period's, asked before the call and settled with what it spent.

A minute is a bucket that drains evenly, so a debt takes as long to be paid off as it is large (which is what the
real service was seen to do); a period is a fixed window that begins with the hour, day, week, month or year in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aforo.llm.digest import read_object
from aforo.llm.spent import asks_for_stream, prompt_tokens
from aforo.policy.admission import Told, counter_name, in_seconds, refusal
from aforo.policy.exchange import Exchange
from aforo.policy.owing import is_event_stream, owed
from aforo.policy.running import word
from aforo.policy.services import CounterState, Reservation, Usage

PERIODS = frozenset(("hourly", "daily", "weekly", "monthly", "yearly"))
MINUTE_S = 60


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


class _Limit:
    """One counter of a call: a minute's, or a period's."""

    __slots__ = ("epoch_s", "header", "limit", "name", "reservation", "variable", "window_s")

    def __init__(
        self, name: str, limit: int, window_s: int, epoch_s: int | None, header: bytes, variable: str
    ) -> None:
        self.name = name
        self.limit = limit
        self.window_s = window_s
        self.epoch_s = epoch_s  # None: a bucket
        self.header = header
        self.variable = variable
        self.reservation: Reservation | None = None

    async def ask(self, exchange: Exchange, prompt: int) -> CounterState:
        """Whether the call may go on: there is room for its prompt, or for anything where that is not known."""
        counters = exchange.services.counters
        bucket, epoch_s = self.epoch_s is None, self.epoch_s or 0
        if not prompt:
            return await counters.peek(
                self.name, self.limit, self.window_s, sliding=False, epoch_s=epoch_s, bucket=bucket
            )
        state = await counters.reserve(
            self.name, prompt, self.limit, self.window_s, sliding=False, epoch_s=epoch_s, bucket=bucket
        )
        self.reservation = state.reservation
        return state

    async def give_back(self, exchange: Exchange) -> None:
        reservation, self.reservation = self.reservation, None
        if reservation is not None:
            await exchange.services.counters.release(reservation)

    async def spend(self, exchange: Exchange, tokens: int) -> CounterState:
        counters = exchange.services.counters
        reservation, self.reservation = self.reservation, None
        if reservation is not None:
            return await counters.settle(reservation, tokens)
        return await counters.charge(
            self.name,
            tokens,
            self.limit,
            self.window_s,
            sliding=False,
            epoch_s=self.epoch_s or 0,
            bucket=self.epoch_s is None,
        )

    async def state(self, exchange: Exchange) -> CounterState:
        return await exchange.services.counters.peek(
            self.name,
            self.limit,
            self.window_s,
            sliding=False,
            epoch_s=self.epoch_s or 0,
            bucket=self.epoch_s is None,
        )

    def tell(self, exchange: Exchange, remaining: int, *, heads: bool) -> None:
        if self.variable:
            exchange.variables[self.variable] = remaining
        if heads and self.header and exchange.response is not None:
            exchange.response.headers.set(self.header, b"%d" % remaining)


async def admit_tokens(
    exchange: Exchange,
    source: str,
    key: str | None,
    per_minute: int | None,
    quota: int | None,
    period: str | None,
    estimate: bool,
    names: TokenNames,
) -> None:
    """Refuse with 403 where the quota is used up, with 429 where the minute is; count the call when it is over."""
    body = exchange.request.body.data or b""
    prompt = prompt_tokens(read_object(body)) if estimate or asks_for_stream(body) else 0
    counter = counter_name(source, key)
    limits: list[_Limit] = []
    if quota is not None:
        unit = word(period, "token-quota-period", PERIODS)
        start_s, length_s = window_of(unit, exchange.started_ns // 10**9)
        name = f"{counter}:{unit}:{start_s}"
        limits.append(_Limit(name, quota, length_s, start_s, names.quota_header, names.quota_variable))
    if per_minute is not None:
        name = f"{counter}:minute"
        limits.append(
            _Limit(name, per_minute, MINUTE_S, None, names.remaining_header, names.remaining_variable)
        )
    remaining: list[int] = []
    for limit in limits:
        state = await limit.ask(exchange, prompt)
        remaining.append(state.remaining)
        if not state.admitted:
            for each in limits:
                await each.give_back(exchange)
            _promise(exchange, limits[: len(remaining)], remaining, b"", 0)
            _note(exchange, names, 0)
            what, status = ("limit", 429) if limit.epoch_s is None else ("quota", 403)
            seconds = in_seconds(state.retry_after_s)
            message = f"Token {what} is exceeded. Try again in {seconds} seconds."
            error = (source, f"Token{what.capitalize()}Exceeded", message)
            raise refusal(exchange, status, error, message, state.retry_after_s, names.told)
    _promise(exchange, limits, remaining, names.consumed_header, prompt)
    _note(exchange, names, prompt)
    if exchange.meters is None:
        exchange.meters = []
    exchange.meters.append(_Meter(limits, names))


class _Meter:
    """Settles the limits of a call with what it spent."""

    __slots__ = ("_limits", "_names")

    def __init__(self, limits: list[_Limit], names: TokenNames) -> None:
        self._limits = limits
        self._names = names

    async def __call__(self, exchange: Exchange, usage: Usage | None) -> None:
        names = self._names
        tokens = usage.prompt + usage.completion if usage is not None else 0
        response = exchange.response
        # The head of a stream has left.
        heads = response is not None and not is_event_stream(response)
        for limit in self._limits:
            if usage is None:
                await limit.give_back(exchange)
                state = await limit.state(exchange)
                told = heads and response is not None and limit.header in response.headers
            else:
                state = await limit.spend(exchange, tokens)
                told = heads
            limit.tell(exchange, state.remaining, heads=told)
        _note(exchange, names, tokens)
        if usage is not None and names.consumed_header and response is not None and heads:
            response.headers.set(names.consumed_header, b"%d" % tokens)


def _note(exchange: Exchange, names: TokenNames, tokens: int) -> None:
    if names.consumed_variable:
        exchange.variables[names.consumed_variable] = tokens


def _promise(
    exchange: Exchange, limits: list[_Limit], remaining: list[int], consumed_header: bytes, prompt: int
) -> None:
    """What is known before the call, in variables now and in headers when there is an answer.

    What was consumed is known with the answer; of a stream only the prompt, as its head leaves before its end.
    """
    for limit, left in zip(limits, remaining, strict=True):
        limit.tell(exchange, left, heads=False)
    if not (consumed_header or any(limit.header for limit in limits)):
        return

    def put(x: Exchange) -> None:
        for limit, left in zip(limits, remaining, strict=True):
            if limit.header and x.response is not None:
                x.response.headers.set(limit.header, b"%d" % left)
        if consumed_header and x.response is not None and is_event_stream(x.response):
            x.response.headers.set(consumed_header, b"%d" % prompt)

    owed(exchange).heads.append(put)


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
