"""`quota-by-key`: calls and kilobytes per fixed period, counted by a key of the author's."""

from __future__ import annotations

from datetime import UTC, datetime

from aforo.policy import diagnostics as say
from aforo.policy.counting.admission import Later, Quota, admit_quotas, counter_name
from aforo.policy.counting.telling import CONDITION, COUNT, LONGEST_S, MOST, Increment, number
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Element

NAME = "quota-by-key"
SHORTEST_PERIOD_S = 300
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


async def admit(
    exchange: Exchange,
    key: str | None,
    calls: int | None,
    bandwidth: int | None,
    period_s: int,
    epoch_s: int,
    count: int | Later,
) -> None:
    """One counter for a key and a length of period, wherever the policy stands; it counts a call once."""
    name = f"{counter_name(NAME, key)}:{period_s}"
    await admit_quotas(exchange, NAME, [Quota(name, calls, bandwidth, period_s, epoch_s)], count)


def write(use: Use, emit: Emitter) -> None:
    key, period = emit.value(use, "counter-key"), emit.value(use, "renewal-period")
    calls, bandwidth = emit.value(use, "calls"), emit.value(use, "bandwidth")
    start = emit.value(use, "first-period-start")
    increment = Increment(use, emit)
    if calls is None and bandwidth is None and not {"calls", "bandwidth"} & set(use.attributes):
        emit.report(say.at_least_one_of(use.span, NAME, ("calls", "bandwidth")))
    if key is None or period is None or start is None or start.const is None:
        return
    epoch_s = _seconds(start.const)
    if epoch_s is None:
        emit.report(say.bad_value(start.span, "first-period-start", "a time such as 2026-01-31T00:00:00Z"))
    if period.const is not None and 0 < int(period.const) < SHORTEST_PERIOD_S:
        emit.report(say.shorter_than_azure(period.span, "renewal-period", SHORTEST_PERIOD_S))
    site = emit.site(use, key, period, calls, bandwidth, *increment.values)
    emit.do(
        "await ADMIT(x, KEY, CALLS, BANDWIDTH, PERIOD, EPOCH, COUNT)",
        ADMIT=admit,
        KEY=key,
        CALLS=None if calls is None else number(emit, calls, "calls", 0, MOST),
        BANDWIDTH=None if bandwidth is None else number(emit, bandwidth, "bandwidth", 0, MOST),
        PERIOD=number(emit, period, "renewal-period", 0, LONGEST_S),
        EPOCH=epoch_s or 0,
        COUNT=increment.code(emit, site),
    )


def _seconds(text: str) -> int | None:
    """Unix seconds of an ISO 8601 time (UTC where it names no zone)."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int((moment - _UNIX).total_seconds())


ELEMENT = Element(
    NAME,
    "Admits so many calls or kilobytes within a fixed period for each value of a key; then 403 until the next one.",
    write,
    sections=INBOUND,
    attributes=(
        Attribute("calls", "How many calls a period has.", "int"),
        Attribute("bandwidth", "How many kilobytes both bodies of its calls may have together.", "int"),
        Attribute(
            "renewal-period",
            "The length of a period in seconds; 0 is for ever.",
            "seconds",
            required=True,
        ),
        Attribute("counter-key", "What is counted by: one counter per value, in all scopes.", required=True),
        CONDITION,
        COUNT,
        Attribute(
            "first-period-start",
            "When the first period began (ISO 8601).",
            default="0001-01-01T00:00:00Z",
            expressions=False,
        ),
    ),
)
