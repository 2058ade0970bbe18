"""Calls are freed when they end, with all their bytes, and do not wait for the collector: what it takes up now and then
could be gigabytes of bodies by then."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest

from aforo.gateway.call import Call
from tests.support.gateway import story
from tests.support.kept_gate import kept_gate, plain, request
from tests.support.regions import TWICE
from tests.support.scripted_backend import CLOSE, Step

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = b'39\r\ndata: {"choices":[{"index":0,"delta":{"content":"abcd"}}]}\n\n\r\n'
ANSWER = plain({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
SMALL = request("POST", "/chat/completions", {"messages": []})
LARGE = request("POST", "/chat/completions", {"messages": ["x" * 300_000]})
STREAMED = request("POST", "/chat/completions", {"messages": ["x" * 300_000], "stream": True})
UPLOAD = request("POST", "/files", {"x": "y" * 600_000})
BAD_CHUNK = SMALL.partition(b"content-length")[0] + b"transfer-encoding: chunked\r\n\r\nzz\r\n"

LIMITS = (
    '<llm-token-limit counter-key="k" tokens-per-minute="100000" estimate-prompt-tokens="true" />'
    '<rate-limit-by-key calls="9999" renewal-period="60" counter-key="a"'
    ' increment-condition="@(context.Response.StatusCode == 200)" />'
)
READS = '<set-variable name="b" value="@(context.Response.Body.As&lt;string&gt;(true))" />'
FAILS = '<set-variable name="z" value="@(int.Parse(&quot;x&quot;))" />'


def policy(backend: str = "<forward-request />", inbound: str = "", outbound: str = "") -> str:
    inbound = f'<set-backend-service backend-id="pool" />{inbound}'
    return (
        f"<policies><inbound>{inbound}</inbound><backend>{backend}</backend>"
        f"<outbound>{outbound}</outbound><on-error /></policies>"
    )


POLICIES = {
    "plain": policy(),
    "retry": policy(TWICE),
    "limits": policy(inbound=LIMITS),
    "reads": policy(outbound=READS),
    "fails": policy(outbound=FAILS),
}
# What the backend plays, what the client sends, and whether it leaves in the middle.
CALLS: dict[str, tuple[Callable[[], tuple[Step, ...]], bytes, bool]] = {
    "answered": (lambda: (ANSWER,), LARGE, False),
    "refused": (lambda: (plain({}, "429 x"),), LARGE, False),
    "cut": (lambda: (CLOSE,), LARGE, False),
    "stream": (lambda: (STREAM + EVENT + b"0\r\n\r\n",), STREAMED, False),
    "stream that is cut": (lambda: (STREAM + EVENT, CLOSE), STREAMED, True),
    "stream that is left": (lambda: (STREAM + EVENT, asyncio.Event()), STREAMED, True),
    "left while it waits": (lambda: (asyncio.Event(),), LARGE, True),
    "left in its body": (lambda: (ANSWER,), LARGE[:290_000], True),
    "left in an upload": (lambda: (asyncio.Event(),), UPLOAD[:500_000], True),
    "misframed in its body": (lambda: (ANSWER,), BAD_CHUNK, False),
}


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", POLICIES)
@story
async def test_a_call_that_has_ended_is_gone(name: str) -> None:
    async with kept_gate(policy=POLICIES[name]) as (g, west):
        for plays, sent, leaves in CALLS.values():
            g.backend.always = west.always = plays()
            client = await g.connect()
            await client.send(sent)
            if leaves:
                await asyncio.sleep(0.05)
            else:
                await asyncio.wait_for(client.answer(), 5)
            client.leave()
            del client
        await g.settled()
        await asyncio.sleep(0.05)
        left = [each.target for each in gc.get_objects() if isinstance(each, Call)]
        assert left == []
