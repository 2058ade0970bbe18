"""`quota`: calls and kilobytes per fixed period for each subscription, with parts for APIs and operations."""

from __future__ import annotations

from aforo.policy import diagnostics as say
from aforo.policy.counting.admission import Quota, admit_quotas, counter_name
from aforo.policy.counting.subscribed import IDENTITY, Part, matching, parts, place, rules
from aforo.policy.counting.telling import LONGEST_S, MOST, number
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.scopes import INBOUND, Scope
from aforo.policy.spec import Attribute, Child, Element

NAME = "quota"


async def admit(
    exchange: Exchange,
    scope: str,
    calls: int | None,
    bandwidth: int | None,
    period_s: int,
    part_rules: tuple[Part, ...],
) -> None:
    """Only where a subscription is known; its periods begin with it."""
    subscription = exchange.subscription
    if subscription is None:
        return
    epoch_s = subscription.start if subscription.start is not None else subscription.created
    name = counter_name(NAME, f"{subscription.id}@{place(exchange, scope)}")
    quotas = [Quota(name, calls, bandwidth, period_s, epoch_s)]
    quotas += [
        Quota(name + where, part_calls, part_bandwidth, period_s if part_s is None else part_s, epoch_s)
        for where, (part_calls, part_bandwidth, part_s) in matching(exchange, part_rules)
    ]
    await admit_quotas(exchange, NAME, quotas, 1)


def write(use: Use, emit: Emitter) -> None:
    limits = [use, *parts(use)]
    names = ("calls", "bandwidth", "renewal-period")
    values = [[emit.value(u, n) for n in names] for u in limits]
    for each in limits:
        if not {"calls", "bandwidth"} & set(each.attributes):
            emit.report(say.at_least_one_of(each.span, each.name, ("calls", "bandwidth")))
    if values[0][2] is None:
        return
    emit.site(use, *(v for each in values for v in each))
    codes = [
        [
            emit.part(None if v is None else number(emit, v, n, 0, LONGEST_S if n == names[2] else MOST))
            for v, n in zip(each, names, strict=True)
        ]
        for each in values
    ]
    emit.do(
        "await ADMIT(x, SCOPE, CALLS, BANDWIDTH, PERIOD, RULES)",
        ADMIT=admit,
        SCOPE=emit.unit.scope.value,
        CALLS=codes[0][0],
        BANDWIDTH=codes[0][1],
        PERIOD=codes[0][2],
        RULES=rules(use, emit, codes[1:]),
    )


_LIMITS = (
    Attribute("calls", "How many calls a period has.", "int"),
    Attribute("bandwidth", "How many kilobytes both bodies of its calls may have together.", "int"),
)
_PERIOD = "The length of a period in seconds; 0 is for ever."
_PART = (
    *IDENTITY,
    *_LIMITS,
    Attribute("renewal-period", _PERIOD + " Without it the quota's own.", "seconds"),
)

ELEMENT = Element(
    NAME,
    "Admits so many calls or kilobytes of a subscription within a fixed period, counted from the subscription's "
    "start; then 403 until the next one. Calls without a subscription are not counted.",
    write,
    sections=INBOUND,
    scopes=frozenset((Scope.PRODUCT,)),
    attributes=(*_LIMITS, Attribute("renewal-period", _PERIOD, "seconds", required=True)),
    children=(
        Child(
            "api",
            "A further quota for one API, counted by itself.",
            many=True,
            attributes=_PART,
            children=(
                Child(
                    "operation",
                    "A further quota for one operation, counted by itself.",
                    many=True,
                    attributes=_PART,
                ),
            ),
        ),
    ),
    once=True,
)
