"""`forward-request`: calls the backend. Without one anywhere nothing is forwarded."""

from __future__ import annotations

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.scopes import Section
from aforo.policy.services import ForwardOptions
from aforo.policy.spec import Attribute, Element

_LONGEST_S = 86_400


_FLAGS = ("buffer-request-body", "fail-on-error-status-code", "follow-redirects")


def options(
    timeout_s: float, buffer_request_body: bool, fail: bool, follow: bool, retried: bool
) -> ForwardOptions:
    """Options that are known only in the call."""
    return ForwardOptions(timeout_s, buffer_request_body, fail, follow, retried)


def write(use: Use, emit: Emitter) -> None:
    seconds, millis = emit.value(use, "timeout"), emit.value(use, "timeout-ms")
    if "timeout" in use.attributes and "timeout-ms" in use.attributes:
        emit.report(say.one_of(use.span, use.name, ("timeout", "timeout-ms")))
        return
    version = emit.value(use, "http-version")
    if version is not None and version.const is not None and version.const.strip() == "2":
        emit.report(say.http_version(version.span))
    switches = [emit.value(use, n) for n in (*_FLAGS, "continue-timeout", "buffer-response")]
    emit.site(use, seconds, millis, *switches)
    given = millis if millis is not None else seconds
    flags = [emit.flag(use, n) for n in _FLAGS]
    retried = emit.unit.retries > 0
    known = given is None or given.const is not None
    if "timeout" not in use.attributes and "timeout-ms" not in use.attributes:
        timeout = 300.0
    elif given is not None and given.const is not None:
        timeout = int(given.const) / (1000 if millis is not None else 1)
        if not 0 < timeout <= _LONGEST_S:
            emit.report(say.bad_value(given.span, "timeout", f"between 1 and {_LONGEST_S} seconds"))
            return
    else:
        timeout = 300.0
    if known and all(isinstance(f, bool) for f in flags):
        buffered, failing, following = (bool(f) for f in flags)
        made = ForwardOptions(timeout, buffered, failing, following, retried)
        emit.facts.forward = made
        emit.do("await x.services.forward(x, OPTIONS)", OPTIONS=made)
        return
    seconds_code = emit.expr("T", T=timeout)
    if given is not None and given.const is None:
        number = emit.number(given, "timeout", 1, _LONGEST_S * 1000)
        seconds_code = emit.expr("N / D", N=number, D=1000 if millis is not None else 1)
    request_code, fail_code, follow_code = flags
    emit.do(
        "await x.services.forward(x, MAKE(SECONDS, REQUEST, FAIL, FOLLOW, RETRIED))",
        MAKE=options,
        SECONDS=seconds_code,
        REQUEST=request_code,
        FAIL=fail_code,
        FOLLOW=follow_code,
        RETRIED=retried,
    )


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
