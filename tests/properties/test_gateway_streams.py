"""An event stream, cut anywhere and framed either way, reaches the client as the same bytes and leaves one record."""

from __future__ import annotations

import asyncio
import itertools

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.gateway import gate

GET = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"
lines = st.sampled_from(
    [b"data: 1", b"data: [DONE]", b"data: {\"usage\":1}", b"event: response.completed", b"", b"", b": x",
     b'data: {"type":"response.completed"}', b"data: \xc3\xa9", b"event: x"]
)  # fmt: skip


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    stream = b"".join(line + end for line in draw(st.lists(lines, max_size=12))) + draw(
        st.sampled_from([b"", b"data: cut"])
    )
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    ends = [0, *cuts, len(stream)]
    return stream, [stream[a:b] for a, b in itertools.pairwise(ends) if a < b]


@settings(max_examples=examples(60), deadline=None)
@given(cut=cut_streams(), chunked=st.booleans())
def test_a_stream_cut_anywhere(cut: tuple[bytes, list[bytes]], chunked: bool) -> None:
    stream, pieces = cut

    async def tell() -> None:
        async with gate() as g:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            head += (
                b"transfer-encoding: chunked\r\n\r\n"
                if chunked
                else b"content-length: %d\r\n\r\n" % len(stream)
            )

            async def play(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(head)
                for piece in pieces:
                    await asyncio.sleep(0)
                    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n" if chunked else b"")

            g.backend.plays(play)
            client = await g.connect()
            await client.send(GET)
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, stream)
            await client.send(GET)
            assert (await client.answer()).body == b"ok"
            await g.settled()
            record, second = g.records
            assert (record.aborted, second.aborted) == ("", "")
            if b"\ndata: [DONE]" not in b"\n" + stream and b"response.completed" not in stream:
                # What comes after a real end is passed on and no longer recorded.
                assert (record.response.body, record.response.size) == (stream, len(stream))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(tell(), 20))
