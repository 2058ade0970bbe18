"""`forward-request`: calls the backend. Without one anywhere nothing is forwarded."""

from __future__ import annotations

import ast

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.scopes import Section
from aforo.policy.services import ForwardOptions
from aforo.policy.spec import Attribute, Element

_LONGEST_S = 86_400
_USUAL_S = 300.0
_FLAGS = ("buffer-request-body", "fail-on-error-status-code", "follow-redirects")


def options(
    timeout_s: float, idle_s: float, buffer_request_body: bool, fail: bool, follow: bool, retried: bool
) -> ForwardOptions:
    """Options that are known only in the call."""
    return ForwardOptions(timeout_s, buffer_request_body, fail, follow, retried, idle_s)


def write(use: Use, emit: Emitter) -> None:
    seconds, millis = emit.value(use, "timeout"), emit.value(use, "timeout-ms")
    if "timeout" in use.attributes and "timeout-ms" in use.attributes:
        emit.report(say.one_of(use.span, use.name, ("timeout", "timeout-ms")))
        return
    version = emit.value(use, "http-version")
    if version is not None and version.const is not None and version.const.strip() == "2":
        emit.report(say.http_version(version.span))
    idle = emit.value(use, "idle-timeout")
    switches = [emit.value(use, n) for n in (*_FLAGS, "continue-timeout", "buffer-response")]
    emit.site(use, seconds, millis, idle, *switches)
    timeout = _time(emit, seconds, "timeout") if millis is None else _time(emit, millis, "timeout-ms", 1000)
    idling = _time(emit, idle, "idle-timeout")
    if timeout is None or idling is None:
        return
    flags = [emit.flag(use, n) for n in _FLAGS]
    retried = emit.unit.retries > 0
    if isinstance(timeout, float) and isinstance(idling, float) and all(isinstance(f, bool) for f in flags):
        buffered, failing, following = (bool(f) for f in flags)
        made = ForwardOptions(timeout, buffered, failing, following, retried, idling)
        emit.facts.forward = made
        emit.do("await x.services.forward(x, OPTIONS)", OPTIONS=made)
        return
    request_code, fail_code, follow_code = flags
    emit.do(
        "await x.services.forward(x, MAKE(SECONDS, IDLE, REQUEST, FAIL, FOLLOW, RETRIED))",
        MAKE=options,
        SECONDS=timeout,
        IDLE=idling,
        REQUEST=request_code,
        FAIL=fail_code,
        FOLLOW=follow_code,
        RETRIED=retried,
    )


def _time(emit: Emitter, given: Value | None, name: str, parts: int = 1) -> float | ast.expr | None:
    """An attribute, in parts of a second, as seconds: known now or computed in the call; None for a mistake."""
    if given is None:
        return _USUAL_S
    if given.const is None:
        return emit.expr("N / D", N=emit.number(given, name, 1, _LONGEST_S * parts), D=parts)
    seconds = int(given.const) / parts
    if not 0 < seconds <= _LONGEST_S:
        emit.report(say.bad_value(given.span, name, f"between 1 and {_LONGEST_S} seconds"))
        return None
    return seconds


ELEMENT = Element(
    "forward-request",
    "Sends the request to its backend and waits for the head of the response.",
    write,
    sections=frozenset((Section.BACKEND,)),
    attributes=(
        Attribute(
            "timeout", "Seconds until the response's headers must be there; 300 without it.", "seconds"
        ),
        Attribute("timeout-ms", "The same in milliseconds; one of the two.", "milliseconds"),
        Attribute(
            "idle-timeout",
            "An extension: seconds for which a backend that has sent the head of its response may send nothing of the body, "
            "before and between its bytes. Within `retry` another attempt follows where nothing of it has gone on. Time in "
            "which the client does not read does not count. Keep it long for models that think: their streams are silent "
            "meanwhile. Azure does not know the attribute.",
            "seconds",
            default="300",
        ),
        Attribute(
            "continue-timeout",
            "Accepted for compatibility: bodies are sent at once, no backend is asked for a 100 Continue.",
            "seconds",
        ),
        Attribute(
            "http-version",
            "The protocol to the backend: 1.1 is spoken in any case, `2` is told so.",
            default="1",
            expressions=False,
            values=("1", "2or1", "2"),
        ),
        Attribute(
            "follow-redirects",
            "true follows a 3xx answer of the backend, up to five times; false gives it to the client.",
            "bool",
            default="false",
        ),
        Attribute(
            "buffer-request-body",
            "Keep the request's body, so that a retry can send it again. One of more than 64 MiB, or for which there is no "
            "room now, is sent as it comes all the same, and once.",
            "bool",
            default="false",
        ),
        Attribute(
            "buffer-response",
            "Accepted for compatibility: every chunk is sent on as it comes, whatever stands here.",
            "bool",
            default="true",
        ),
        Attribute(
            "fail-on-error-status-code",
            "400 to 599 from the backend goes to on-error.",
            "bool",
            default="false",
        ),
    ),
)
