"""`cors`: lets pages of other origins call the API. Preflights are answered from it alone."""

from __future__ import annotations

from aforo.messages import Headers
from aforo.policy import diagnostics as say
from aforo.policy.cors import CorsPolicy
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Body, Exchange, ResponseState, Returned
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Child, Element, Text

_REASON = "preflights are answered without running policies"


def stop_unmatched(exchange: Exchange, policy: CorsPolicy) -> None:
    """A GET or HEAD from a page of another origin gets an empty 200."""
    origin = exchange.request.headers.get(b"origin")
    if origin is None or exchange.request.original_method not in ("GET", "HEAD") or policy.allows(origin):
        return
    exchange.response = ResponseState(200, "OK", Headers(), Body(b""))
    raise Returned


def _texts(use: Use | None, child: str, emit: Emitter) -> list[str] | None:
    """The literal texts of a list's children; None when one is an expression."""
    out: list[str] = []
    for each in use.children.get(child, ()) if use is not None else ():
        value = emit.text(each)
        if value is None:
            return None
        if value.const is None:
            emit.report(say.no_expression(value.span, child, _REASON))
            return None
        out.append(value.const.strip())
    return out


def write(use: Use, emit: Emitter) -> None:
    emit.span = use.span
    origins = _texts(use.child("allowed-origins"), "origin", emit)
    methods = _texts(use.child("allowed-methods"), "method", emit)
    headers = _texts(use.child("allowed-headers"), "header", emit)
    exposed = _texts(use.child("expose-headers"), "header", emit)
    credentials, terminate = (
        emit.flag(use, "allow-credentials"),
        emit.flag(use, "terminate-unmatched-request"),
    )
    age = 0
    listed = use.child("allowed-methods")
    if listed is not None:
        value = emit.value(listed, "preflight-result-max-age")
        if value is not None:
            if value.const is None:
                emit.report(say.no_expression(value.span, "preflight-result-max-age", _REASON))
                return
            age = int(value.const)
    if origins is None or methods is None or headers is None or exposed is None:
        return
    if not isinstance(credentials, bool) or not isinstance(terminate, bool):
        emit.report(say.no_expression(use.span, "allow-credentials", _REASON))
        return
    for origin in origins:
        if origin != "*" and not origin.startswith(("http://", "https://")) and origin != "null":
            emit.report(
                say.bad_value(
                    use.span, "origin", "`*`, or scheme://host with the port where it is not the scheme's own"
                )
            )
            return
    policy = CorsPolicy(
        frozenset(o.rstrip("/").lower().encode() for o in origins),
        tuple(m.upper().encode() for m in methods) or (b"GET", b"POST"),
        frozenset(h.lower().encode() for h in headers),
        b",".join(h.encode() for h in exposed),
        credentials,
        age,
        terminate,
    )
    emit.facts.cors.append(policy)
    if terminate and b"*" not in policy.origins:
        emit.site(use)
        emit.do("F(x, POLICY)", F=stop_unmatched, POLICY=policy)


ELEMENT = Element(
    "cors",
    "Lets pages of other origins call the API: answers preflights and adds the headers that browsers ask for.",
    write,
    sections=INBOUND,
    once=True,
    attributes=(
        Attribute(
            "allow-credentials", "Whether pages may send cookies and credentials.", "bool", default="false"
        ),
        Attribute(
            "terminate-unmatched-request",
            "true answers a request of another origin with an empty 200; false lets it go on without CORS headers.",
            "bool",
            default="true",
        ),
    ),
    children=(
        Child(
            "allowed-origins",
            "Who may call.",
            required=True,
            children=(
                Child(
                    "origin",
                    "`*` or scheme://host[:port].",
                    required=True,
                    many=True,
                    text=Text("The origin.", "name", required=True),
                ),
            ),
        ),
        Child(
            "allowed-methods",
            "Methods beside GET and POST, or `*`.",
            attributes=(
                Attribute(
                    "preflight-result-max-age",
                    "Seconds for which a browser may keep the answer.",
                    "seconds",
                    default="0",
                ),
            ),
            children=(
                Child(
                    "method", "A method or `*`.", many=True, text=Text("The method.", "name", required=True)
                ),
            ),
        ),
        Child(
            "allowed-headers",
            "Headers that pages may send, or `*`.",
            children=(
                Child("header", "A header or `*`.", many=True, text=Text("The name.", "name", required=True)),
            ),
        ),
        Child(
            "expose-headers",
            "Headers that pages may read, or `*`.",
            children=(
                Child("header", "A header or `*`.", many=True, text=Text("The name.", "name", required=True)),
            ),
        ),
    ),
)
