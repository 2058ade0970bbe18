"""W3C trace context: what is taken over, what is begun anew, what the backend and the record are told."""

from __future__ import annotations

import msgspec
import pytest

from aforo.gateway.trace_context import Parent, join, read
from aforo.messages import Headers
from tests.support.gateway import LOG_ALL, story
from tests.support.kept_gate import kept_gate, request

CALL = "0123456789abcdef" * 2
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01".encode()


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (GOOD, 1),
        (GOOD[:-2] + b"00", 0),
        (b"01" + GOOD[2:] + b"-more", 1),
        (b"cc" + GOOD[2:], 1),
        (b" " + GOOD, 1),
    ],
)
def test_what_is_valid(value: bytes, flags: int) -> None:
    assert read(Headers.of(((b"traceparent", value),))) == Parent(TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        GOOD.upper(),
        b"ff" + GOOD[2:],
        GOOD + b"-more",
        GOOD[:-1],
        b"00-" + b"0" * 32 + GOOD[35:],
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        b"01" + GOOD[2:] + b"more",
    ],
)
def test_what_is_not(value: bytes) -> None:
    assert read(Headers.of(((b"traceparent", value),))) is None
    assert read(Headers.of(((b"traceparent", GOOD), (b"traceparent", GOOD)))) is None


def test_the_backend_s_parent_is_the_call() -> None:
    said = Headers.of(((b"traceparent", GOOD[:-2] + b"ff"), (b"tracestate", b"a=b")))
    sent = said.copy()
    assert join(sent, CALL, said) == (TRACE, CALL[16:], SPAN, "03")
    assert list(sent) == [(b"traceparent", f"00-{TRACE}-{CALL[16:]}-03".encode()), (b"tracestate", b"a=b")]
    bad = Headers.of(((b"traceparent", b"nonsense"), (b"tracestate", b"a=b")))
    sent = bad.copy()
    assert join(sent, CALL, bad) == (CALL, CALL[16:], "", "01")
    assert list(sent) == [(b"traceparent", f"00-{CALL}-{CALL[16:]}-01".encode())]


@story
async def test_a_call_in_a_trace_and_one_that_begins_one() -> None:
    plan = msgspec.structs.replace(LOG_ALL, trace_context=True, caller_header="x-who")
    async with kept_gate(log=plan) as (g, west):
        headers = f"traceparent: {GOOD.decode()}\r\ntracestate: a=b\r\nx-who: ada l\r\n"
        await g.call(request("GET", "/models", headers=headers))
        await g.call(request("GET", "/models"))
        await g.settled()
        heard = [*g.backend.heard, *west.heard]
        one, two = g.records
        assert one.noted == {
            "trace": TRACE,
            "span": one.call_id[16:],
            "flags": "01",
            "parent": SPAN,
            "caller": "ada l",
        }
        assert two.noted == {"trace": two.call_id, "span": two.call_id[16:], "flags": "01"}
        told = {h.values("traceparent")[0]: h.values("tracestate") for h in heard}
        assert told == {
            f"00-{TRACE}-{one.call_id[16:]}-01": ["a=b"],
            f"00-{two.call_id}-{two.call_id[16:]}-01": [],
        }


@story
async def test_elsewhere_it_is_passed_on_as_it_came() -> None:
    async with kept_gate() as (g, west):
        await g.call(request("GET", "/models", headers="traceparent: as it came\r\n"))
        await g.settled()
        (heard,) = [*g.backend.heard, *west.heard]
        assert heard.values("traceparent") == ["as it came"]
        assert g.records[0].noted is None
