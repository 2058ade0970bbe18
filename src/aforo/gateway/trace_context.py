"""W3C Trace Context: what a client's `traceparent` says, and what the backend is told. It sends nothing.

Source: W3C Recommendation "Trace Context"; the trace of a call that comes without one is its correlation id.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from aforo.messages import Headers

TRACEPARENT = b"traceparent"
TRACESTATE = b"tracestate"
# A later version may have more behind a dash; what it begins with means the same.
_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16
# Sampled, and (since level 2) that the trace's id is random; other bits mean nothing to us and are not passed on.
_KNOWN_FLAGS = 0x03
_SAMPLED = 0x01


class Parent(NamedTuple):
    """A valid `traceparent`."""

    trace_id: str
    span_id: str
    flags: int


def read(headers: Headers) -> Parent | None:
    """The client's; None where it sent none, several, or one that is none."""
    value = headers.fields.get(TRACEPARENT)
    if type(value) is not bytes:
        return None
    found = _FORM.fullmatch(value.strip(b" \t"))
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    if version == b"ff" or trace == _NO_TRACE or span == _NO_SPAN or (version == b"00" and rest is not None):
        return None
    return Parent(trace.decode(), span.decode(), int(flags, 16))


def join(headers: Headers, call_id: str, said: Headers) -> tuple[str, str, str, str]:
    """Take part in the trace that the client speaks of in `said`, or begin one: `headers` tell it to the backend.

    (trace, our span, the client's span or "", flags). The state of a trace that cannot be read is not passed on.
    """
    parent = read(said)
    span = call_id[16:]
    if parent is None:
        trace, above, flags = call_id, "", _SAMPLED
        headers.remove(TRACESTATE)
    else:
        trace, above, flags = parent.trace_id, parent.span_id, parent.flags & _KNOWN_FLAGS
    headers.set(TRACEPARENT, f"00-{trace}-{span}-{flags:02x}".encode())
    return trace, span, above, f"{flags:02x}"
