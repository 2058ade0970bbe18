"""`rate-limit`: calls per sliding window for each subscription, with limits of their own for APIs and operations."""

from __future__ import annotations

from aforo.policy import diagnostics as say
from aforo.policy.counting.admission import Told, admit_rates, counter_name
from aforo.policy.counting.subscribed import IDENTITY, Part, matching, parts, place, rules
from aforo.policy.counting.telling import CALLS, LONGEST_S, MOST, number, told
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.scopes import INBOUND, Scope
from aforo.policy.services import Counter
from aforo.policy.spec import Attribute, Child, Element

NAME = "rate-limit"
LONGEST_WINDOW_S = 300


async def admit(
    exchange: Exchange, scope: str, calls: int, period_s: int, part_rules: tuple[Part, ...], names: Told
) -> None:
    """Only where a subscription is known; the counters of product, API and operation are each their own."""
    subscription = exchange.subscription
    if subscription is None:
        return
    name = counter_name(NAME, f"{subscription.id}@{place(exchange, scope)}")
    rates = [Counter(name, calls, period_s, "sliding")]
    rates += [
        Counter(f"{name}{where}", rule_calls, rule_period, "sliding")
        for where, (rule_calls, rule_period) in matching(exchange, part_rules)
    ]
    await admit_rates(exchange, NAME, rates, names)


def write(use: Use, emit: Emitter) -> None:
    names = told(use, emit)
    limits = [use, *parts(use)]
    values = [(emit.value(u, "calls"), emit.value(u, "renewal-period")) for u in limits]
    emit.site(use, *(v for pair in values for v in pair))
    codes = []
    for calls, period in values:
        if calls is None or period is None:
            return
        if period.const is not None and int(period.const) > LONGEST_WINDOW_S:
            emit.report(say.longer_than_azure(period.span, "renewal-period", LONGEST_WINDOW_S))
        pair = (
            number(emit, calls, "calls", 0, MOST),
            number(emit, period, "renewal-period", 1, LONGEST_S),
        )
        codes.append([emit.part(c) for c in pair])
    emit.do(
        "await ADMIT(x, SCOPE, CALLS, PERIOD, RULES, TOLD)",
        ADMIT=admit,
        SCOPE=emit.unit.scope.value,
        CALLS=codes[0][0],
        PERIOD=codes[0][1],
        RULES=rules(use, emit, codes[1:]),
        TOLD=names,
    )


_LIMITS = (
    Attribute("calls", "How many calls a window has.", "int", required=True),
    Attribute("renewal-period", "The length of the window in seconds.", "seconds", required=True),
)

ELEMENT = Element(
    NAME,
    "Admits so many calls of a subscription within a sliding window; the next ones are refused with 429. "
    "Calls without a subscription are not counted.",
    write,
    sections=INBOUND,
    scopes=frozenset((Scope.PRODUCT, Scope.API, Scope.OPERATION)),
    attributes=(*_LIMITS, *CALLS),
    children=(
        Child(
            "api",
            "A further limit for one API, counted by itself.",
            many=True,
            attributes=(*IDENTITY, *_LIMITS),
            children=(
                Child(
                    "operation",
                    "A further limit for one operation, counted by itself.",
                    many=True,
                    attributes=(*IDENTITY, *_LIMITS),
                ),
            ),
        ),
    ),
    once=True,
)
