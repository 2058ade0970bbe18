"""`rate-limit-by-key`: calls per sliding window, counted by a key of the author's."""

from __future__ import annotations

from aforo.policy import diagnostics as say
from aforo.policy.counting.admission import Later, Told, admit_rate, counter_name
from aforo.policy.counting.telling import (
    AFTER,
    CALLS,
    CONDITION,
    COUNT,
    LONGEST_S,
    MOST,
    Increment,
    number,
    told,
)
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.scopes import INBOUND
from aforo.policy.services import Counter
from aforo.policy.spec import Attribute, Element

NAME = "rate-limit-by-key"
LONGEST_WINDOW_S = 300


async def admit(
    exchange: Exchange, key: str | None, calls: int, period_s: int, count: int | Later, names: Told
) -> None:
    """One counter for a key and a length of window, wherever the policy stands."""
    rate = Counter(f"{counter_name(NAME, key)}:{period_s}", calls, period_s, "sliding")
    await admit_rate(exchange, NAME, rate, count, names)


def write(use: Use, emit: Emitter) -> None:
    key, calls = emit.value(use, "counter-key"), emit.value(use, "calls")
    period = emit.value(use, "renewal-period")
    increment = Increment(use, emit)
    names = told(use, emit)
    if key is None or calls is None or period is None:
        return
    if period.const is not None and int(period.const) > LONGEST_WINDOW_S:
        emit.report(say.longer_than_azure(period.span, "renewal-period", LONGEST_WINDOW_S))
    site = emit.site(use, key, calls, period, *increment.values)
    emit.do(
        "await ADMIT(x, KEY, CALLS, PERIOD, COUNT, TOLD)",
        ADMIT=admit,
        KEY=key,
        CALLS=number(emit, calls, "calls", 0, MOST),
        PERIOD=number(emit, period, "renewal-period", 1, LONGEST_S),
        COUNT=increment.code(emit, site),
        TOLD=names,
    )


ELEMENT = Element(
    NAME,
    "Admits so many calls within a sliding window for each value of a key; the next ones are refused with 429.",
    write,
    sections=INBOUND,
    attributes=(
        Attribute("calls", "How many calls a window has.", "int", required=True),
        Attribute("renewal-period", "The length of the window in seconds.", "seconds", required=True),
        Attribute("counter-key", "What is counted by: one counter per value, in all scopes.", required=True),
        CONDITION,
        COUNT,
        AFTER,
        *CALLS,
    ),
)
