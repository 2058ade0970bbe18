"""A policy that reads an event stream sees one answer, however the stream was cut, and so do client and record."""

from __future__ import annotations

import asyncio
import itertools

import orjson
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.llm.catalog import WIRES
from aforo.llm.digest import assemble
from tests.support.examples import examples
from tests.support.gateway import gate
from tests.support.metered import STREAM_HEAD, chunk, policy, post

SAY = '<trace source="s" severity="information"><message>@(context.Response.Body.As<string>())</message></trace>'
texts = st.sampled_from(["a", "data: [DONE]", "\u00e9\U0001f600", "\\n\\n", "event: response.completed", ""])


@st.composite
def chats(draw: st.DrawFn) -> list[bytes]:
    said = draw(st.lists(texts, min_size=1, max_size=5))
    chunks = [{"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]} for text in said]
    usage = {"prompt_tokens": 1, "completion_tokens": len(said), "total_tokens": 1 + len(said)}
    return [b"data: " + orjson.dumps(c) for c in (*chunks, {"id": "c", "choices": [], "usage": usage})] + (
        [b"data: [DONE]"] if draw(st.booleans()) else []
    )


@st.composite
def responses(draw: st.DrawFn) -> list[bytes]:
    said = [
        {"type": "response.output_text.delta", "output_index": 0, "delta": text}
        for text in draw(st.lists(texts, min_size=1, max_size=5))
    ]
    last = {"type": "response.completed", "response": {"id": "r", "usage": {"total_tokens": 7}, "output": []}}
    return [b"event: %b\ndata: %b" % (str(e["type"]).encode(), orjson.dumps(e)) for e in (*said, last)]


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, bytes, list[bytes]]:
    wire, events = draw(
        st.one_of(chats().map(lambda e: ("chat", e)), responses().map(lambda e: ("responses", e)))
    )
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    stream = b"".join(event.replace(b"\n", end) + end + end for event in events)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return wire, stream, [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)]) if a < b]


@settings(max_examples=examples(80), deadline=None)
@given(case=streams())
def test_a_stream_cut_anywhere_is_the_same_answer(case: tuple[str, bytes, list[bytes]]) -> None:
    wire, stream, pieces = case
    answer, _ = assemble(WIRES[wire], stream)

    async def tell() -> None:
        async with gate(policy("", SAY)) as g:

            async def play(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(STREAM_HEAD)
                for piece in pieces:
                    await asyncio.sleep(0)
                    writer.write(chunk(piece))
                await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")

            g.backend.plays(play)
            path = "/echo/chat/completions" if wire == "chat" else "/echo/responses"
            asked = post(path=path)  # without `stream`: no chunk is hidden from the client
            got = await g.call(asked)
            await g.settled()
            (record,) = g.records
            assert got.body == record.response.body == stream
            assert orjson.loads(record.trace_records[0].message) == answer
            assert (record.aborted, record.errors) == ("", [])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(tell(), 20))
