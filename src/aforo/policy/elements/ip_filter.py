"""`ip-filter`: allows or forbids addresses and ranges of addresses."""

from __future__ import annotations

import ast
from ipaddress import IPv4Address, IPv6Address, ip_address

from aforo.policy import diagnostics as say
from aforo.policy.answers import FORBIDDEN, answer
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.running import word
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Child, Element, Text

_ACTIONS = frozenset(("allow", "forbid"))


def _refusal(reason: str, message: str) -> PolicyFailure:
    error = LastError("ip-filter", reason, message, http_status=403)
    return PolicyFailure(error, answer(403, FORBIDDEN))


def _parsed(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address((text or "").strip().partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def check(exchange: Exchange, action: str, ranges: tuple[tuple[str | None, str | None], ...]) -> None:
    """`ranges` are (from, to), both included; a single address is a range of itself."""
    caller = _parsed(exchange.request.ip)
    if caller is None:
        raise _refusal(
            "FailedToParseCallerIP", "Failed to establish IP address for the caller. Access denied."
        )
    inside = False
    for first, last in ranges:
        low, high = _parsed(first), _parsed(last)
        if low is None or high is None or low.version != high.version or low.version != caller.version:
            continue
        inside = inside or int(low) <= int(caller) <= int(high)
    if action == "allow" and not inside:
        raise _refusal("CallerIpNotAllowed", f"Caller IP address {caller} is not allowed. Access denied.")
    if action == "forbid" and inside:
        raise _refusal("CallerIpBlocked", "Caller IP address is blocked. Access denied.")


def write(use: Use, emit: Emitter) -> None:
    action = emit.value(use, "action")
    pairs: list[tuple[Value, Value]] = []
    for each in use.children.get("address", ()):
        value = emit.text(each)
        if value is not None:
            pairs.append((value, value))
    for each in use.children.get("address-range", ()):
        first, last = emit.value(each, "from"), emit.value(each, "to")
        if first is not None and last is not None:
            pairs.append((first, last))
    if action is None:
        return
    if not pairs:
        emit.report(say.missing_child(use.span, use.name, "address"))
        return
    for value in {id(v): v for p in pairs for v in p}.values():
        if value.const is not None and _parsed(value.const) is None:
            emit.report(say.bad_value(value.span, "address", "an IP address"))
    emit.site(use, action, *(v for p in pairs for v in p))
    act = (action.const or "").strip().lower()
    chosen = emit.expr("A", A=act) if act else emit.expr("F(V, 'action', W)", F=word, V=action, W=_ACTIONS)
    items = ast.Tuple([ast.Tuple([a.code, b.code], ast.Load()) for a, b in pairs], ast.Load())
    emit.do("CHECK(x, ACTION, ITEMS)", CHECK=check, ACTION=chosen, ITEMS=items)


ELEMENT = Element(
    "ip-filter",
    "Allows only the listed addresses, or all but them; the address is that of the immediate caller.",
    write,
    sections=INBOUND,
    attributes=(Attribute("action", "allow or forbid.", required=True, values=("allow", "forbid")),),
    children=(
        Child("address", "One address.", many=True, text=Text("The address.", "name", required=True)),
        Child(
            "address-range",
            "A range, both ends included.",
            many=True,
            attributes=(
                Attribute("from", "The first address.", required=True),
                Attribute("to", "The last address.", required=True),
            ),
        ),
    ),
)
