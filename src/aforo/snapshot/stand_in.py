"""What serves while the published configuration does not compile: every call gets 503, health tells the truth.

It is a bundle like any other, so that nothing on a call's way has to know of it. Calls are recorded as the broken
configuration's service wants it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from aforo.policy.answers import body_of
from aforo.policy.subject import Api, Operation
from aforo.snapshot.snapshot import ApiEntry, Bundle, OperationEntry

MESSAGE = "Service unavailable: the configuration of this gateway does not compile and has to be mended"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_ANSWER = (
    '<policies><inbound><return-response><set-status code="{status}" reason="{reason}" />{headers}'
    "<set-body>{body}</set-body></return-response></inbound><backend /><outbound /><on-error /></policies>"
)


def stand_in(bundle: Bundle) -> Bundle:
    """A bundle in the place of that one: the same service and log, one API that refuses everything."""
    subject = Api("stand-in", "stand-in", "", "1", "", "", True, ("http", "https"), "", "")
    entry = ApiEntry(
        subject=subject,
        operations=tuple(_operations()),
        policy=None,
        subscription_required=False,
        key_bearer=False,
        log=bundle.log,
    )
    return msgspec.structs.replace(
        bundle,
        apis=(entry,),
        products=(),
        subscriptions=(),
        users=(),
        named_values=(),
        fragments=(),
        backends=(),
        global_policy=None,
    )


def _operations() -> Iterable[OperationEntry]:
    json = '<set-header name="Content-Type"><value>application/json</value></set-header>'
    later = '<set-header name="Retry-After"><value>5</value></set-header>'
    refused = _ANSWER.format(
        status=503,
        reason="Service Unavailable",
        headers=json + later,
        body=body_of(503, MESSAGE).decode(),
    )
    plain = '<set-header name="Content-Type"><value>text/plain</value></set-header>'
    alive = _ANSWER.format(status=200, reason="OK", headers=plain, body="ok")
    yield OperationEntry(Operation("livez", "livez", "GET", "/livez"), alive)
    # Written out: the gateway answers this path itself where only a wildcard has it.
    yield OperationEntry(Operation("readyz", "readyz", "GET", "/readyz"), refused)
    for method in _METHODS:
        yield OperationEntry(Operation(f"any-{method.lower()}", method, method, "/*"), refused)
