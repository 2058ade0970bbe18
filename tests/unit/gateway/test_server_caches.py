"""Caches in a real gateway: what the backend hears of, what clients get, what is recorded."""

from __future__ import annotations

import asyncio
import gzip

import orjson

from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.scopes import Scope
from aforo.snapshot.snapshot import BackendEntry
from aforo.source import Source
from tests.support.gateway import Gate, gate, story
from tests.support.scripted_backend import CLOSE

LOOKUP = (
    '<cache-lookup vary-by-developer="false" vary-by-developer-groups="false" downstream-caching-type="{0}"/>'
)


def pipeline(inbound: str, outbound: str) -> Pipeline:
    text = (
        f"<policies><inbound>{inbound}</inbound><backend><forward-request/></backend>"
        f"<outbound>{outbound}</outbound><on-error/></policies>"
    )
    document = compile_document(Source("policy.xml", text), Scope.GLOBAL, CompileContext()).document
    assert document is not None
    return document.bind(EMPTY)


def answers(downstream: str = "none", after: str = "") -> Pipeline:
    before = "<set-header name='x-model'><value>asked</value></set-header>"
    return pipeline(LOOKUP.format(downstream), f"{before}<cache-store duration='60'/>{after}")


def get(target: str = "/echo/a", *headers: str) -> bytes:
    lines = "".join(f"{h}\r\n" for h in headers)
    return f"GET {target} HTTP/1.1\r\nHost: gate\r\n{lines}\r\n".encode()


def plain(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(h + b"\r\n" for h in headers)
    return b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (lines, len(body), body)


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks)


def seen(g: Gate) -> list[tuple[str, int]]:
    return [(r.cache, r.backend_status) for r in g.records]


@story
async def test_a_get_is_answered_once_by_the_backend() -> None:
    after = "<set-header name='x-last'><value>both</value></set-header>"
    async with gate(answers("public", after)) as g:
        g.backend.plays(plain(b"one", b"etag: 1", b"set-cookie: mine=1", b"cache-control: no-store"))
        first = await g.call(get("/echo/a", "if-none-match: 1"))
        second = await g.call(get())
        other = await g.call(get("/echo/b"))
        assert (first.body, second.body, other.body) == (b"one", b"one", b"ok")
        assert [h.line for h in g.backend.heard] == ["GET /base/a HTTP/1.1", "GET /base/b HTTP/1.1"]
        assert g.backend.heard[0].values("if-none-match") == []
        assert [a.values("set-cookie") for a in (first, second)] == [["mine=1"], []]
        assert [a.values("x-last") for a in (first, second)] == [["both"], ["both"]]
        assert second.values("x-model") == ["asked"]
        assert second.values("etag") == ["1"]
        control = ["public, max-age=60, must-revalidate"]
        assert [a.values("cache-control") for a in (first, second)] == [control, control]
        assert [a.values("age") for a in (first, second)] == [[], ["0"]]
        await g.settled()
        assert seen(g) == [("miss", 200), ("hit", 0), ("miss", 200)]
        assert [r.attempts for r in g.records] == [1, 0, 1]
        assert g.records[1].response.body == b"one"


@story
async def test_what_comes_in_pieces_goes_on_at_once_and_is_kept_at_its_end() -> None:
    goes_on = asyncio.Event()
    async with gate(answers()) as g:
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        g.backend.plays(head + chunked(b"first "), goes_on, chunked(b"last", b""))
        client = await g.connect()
        await client.send(get())
        assert b"200 OK" in await client.reader.readuntil(b"\r\n\r\n")
        assert await client.reader.readuntil(b"first \r\n") == b"6\r\nfirst \r\n"
        # Nothing is stored of half an answer.
        assert (await g.call(get())).body == b"ok"
        goes_on.set()
        assert await client.reader.readuntil(b"0\r\n\r\n") == b"4\r\nlast\r\n0\r\n\r\n"
        await g.settled()
        assert (await g.call(get())).body == b"first last"
        assert [r.cache for r in g.records] == ["miss", "miss", "hit"]


@story
async def test_an_answer_that_breaks_off_is_not_kept() -> None:
    async with gate(answers()) as g:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        g.backend.plays(head + chunked(b"data: 1\n\n"), CLOSE)
        assert b"data: 1" in (await g.transcript(get("/echo/a", "connection: close")))
        await g.settled()
        assert (await g.call(get())).body == b"ok"
        assert [r.cache for r in g.records] == ["miss", "miss"]


@story
async def test_a_compressed_answer_reaches_its_client_so_and_is_kept_plain() -> None:
    async with gate(answers()) as g:
        packed = gzip.compress(b"long " * 50)
        g.backend.plays(plain(packed, b"content-encoding: gzip"))
        first = await g.call(get("/echo/a", "accept-encoding: gzip"))
        await g.settled()
        second = await g.call(get())
        assert (first.body, first.values("content-encoding")) == (packed, ["gzip"])
        assert (second.body, second.values("content-encoding")) == (b"long " * 50, [])


@story
async def test_a_policy_behind_changes_what_is_sent_and_not_what_is_kept() -> None:
    after = "<set-body>@(context.Response.Body.As<string>() + '!'.ToString())</set-body>"
    async with gate(answers(after=after)) as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"so", b""))
        bodies = [(await g.call(get())).body for _ in range(3)]
        assert bodies == [b"so!", b"so!", b"so!"]
        assert len(g.backend.heard) == 1


@story
async def test_errors_and_answers_that_are_too_large_are_not_kept() -> None:
    async with gate(answers()) as g:
        g.backend.plays(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno")
        assert [(await g.call(get())).status for _ in range(2)] == [404, 200]
        large = b"x" * (4 * 1024 * 1024 + 1)
        g.backend.plays(plain(large))
        assert (await g.call(get("/echo/large"))).body == large
        await g.settled()
        assert (await g.call(get("/echo/large"))).body == b"ok"


@story
async def test_a_client_that_left_leaves_nothing_behind() -> None:
    never = asyncio.Event()
    async with gate(answers()) as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"half"), never)
        client = await g.connect()
        await client.send(get())
        await client.reader.readuntil(b"half\r\n")
        client.leave()
        await g.settled()
        assert (await g.call(get())).body == b"ok"


@story
async def test_values_outlive_their_call() -> None:
    keeps = """<cache-lookup-value key="count" variable-name="count" default-value="@(0)"/>
      <cache-store-value key="count" value="@((int)context.Variables["count"] + 1)" duration="60"/>
      <return-response><set-body>@(context.Variables["count"].ToString())</set-body></return-response>"""
    async with gate(pipeline(keeps, "")) as g:
        assert [(await g.call(get())).body for _ in range(3)] == [b"0", b"1", b"2"]
        assert {r.cache for r in g.records} == {"none"}


# --- by meaning -------------------------------------------------------------------------------------------------------

MEANING = pipeline(
    '<azure-openai-semantic-cache-lookup score-threshold="0.05" embeddings-backend-id="embeddings" '
    'embeddings-backend-auth="system-assigned"/>',
    '<azure-openai-semantic-cache-store duration="60"/>',
)
JSON = b"content-type: application/json"
HELLO = orjson.dumps(
    {
        "id": "c",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
)


def embeddings(port: int) -> dict[str, BackendEntry]:
    url = f"http://127.0.0.1:{port}/openai/deployments/e/embeddings"
    return {"embeddings": BackendEntry("embeddings", url, headers=(("api-key", ("of-the-backend",)),))}


def post(body: object, target: str = "/echo/chat/completions") -> bytes:
    data = orjson.dumps(body)
    head = f"POST {target} HTTP/1.1\r\nHost: gate\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


def asks(text: str, **more: object) -> bytes:
    return post({"messages": [{"role": "user", "content": text}], **more})


def vector(*numbers: float) -> bytes:
    return plain(orjson.dumps({"data": [{"embedding": numbers}]}), JSON)


@story
async def test_a_prompt_of_the_same_meaning_gets_the_answer_in_the_form_it_asks_for() -> None:
    async with gate(MEANING, backends=embeddings) as g:
        g.backend.plays(vector(1, 0))
        g.backend.plays(plain(HELLO, JSON, b"x-request-id: 1"))
        first = await g.call(asks("Say hello"))
        g.backend.plays(vector(0.99, 0.01))
        second = await g.call(asks("Say hello, please"))
        g.backend.plays(vector(0.99, 0.01))
        third = await g.call(asks("Say hello, please", stream=True))
        g.backend.plays(vector(0.99, 0.01))
        fourth = await g.call(asks("Hello", stream=True, stream_options={"include_usage": True}))
        assert (first.body, second.body) == (HELLO, HELLO)
        assert [a.values("x-request-id") for a in (first, second)] == [["1"], []]
        assert third.values("content-type") == ["text/event-stream"]
        assert third.body.endswith(b"data: [DONE]\n\n")
        # The gateway asks models for usage that clients do not want; of the cache it is no other.
        assert [b'"usage"' in a.body for a in (third, fourth)] == [False, True]
        asked, forwarded = g.backend.heard[:2]
        assert asked.line == "POST /openai/deployments/e/embeddings?api-version=2023-05-15 HTTP/1.1"
        assert asked.values("api-key") == ["of-the-backend"]
        assert orjson.loads(asked.body) == {"input": "user: Say hello"}
        assert forwarded.line == "POST /base/chat/completions HTTP/1.1"
        await g.settled()
        assert seen(g) == [("miss", 200), ("hit", 0), ("hit", 0), ("hit", 0)]
        assert [r.response.stream for r in g.records] == [False, False, True, True]


@story
async def test_a_stream_is_sent_on_as_it_comes_and_kept_at_its_end() -> None:
    goes_on = asyncio.Event()

    def chunk(delta: object, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return b"data: %b\n\n" % orjson.dumps({"id": "c", "choices": [choice]})

    async with gate(MEANING, backends=embeddings) as g:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        g.backend.plays(vector(1, 0))
        begin, end = chunk({"role": "assistant", "content": "Hel"}), chunk({"content": "lo"}, "stop")
        g.backend.plays(head + chunked(begin), goes_on, chunked(end, b"data: [DONE]\n\n", b""))
        client = await g.connect()
        await client.send(asks("Say hello", stream=True))
        await client.reader.readuntil(begin)
        goes_on.set()
        await client.reader.readuntil(b"data: [DONE]\n\n")
        await g.settled()
        g.backend.plays(vector(1, 0))
        answer = orjson.loads((await g.call(asks("Say hello"))).body)
        assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Hello"}
        assert [r.cache for r in g.records] == ["miss", "hit"]


@story
async def test_a_failing_embeddings_backend_changes_nothing() -> None:
    async with gate(MEANING, backends=embeddings) as g:
        refused = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"
        for steps in ((refused,), (plain(b"{}"),), (b"HTTP/1.1 200", CLOSE)):
            g.backend.plays(*steps)
            g.backend.plays(plain(HELLO, JSON))
            assert (await g.call(asks("Say hello"))).body == HELLO
        await g.settled()
        assert [r.cache for r in g.records] == ["none"] * 3
    async with gate(MEANING) as g:  # without the backend that the policy names
        g.backend.plays(plain(HELLO, JSON))
        assert (await g.call(asks("Say hello"))).body == HELLO
