"""Recordings and pictures through a real gateway: files stream through, and what they cost is known all the same."""

from __future__ import annotations

import json

from aforo.logs.project import read_call
from aforo.snapshot.snapshot import Budget, LogPlan
from tests.support.gateway import story, until
from tests.support.kept_gate import kept_gate, plain, request

SIZE = 1 << 20
HEARD = {
    "text": "hello",
    "usage": {
        "type": "tokens",
        "input_tokens": 50,
        "input_token_details": {"text_tokens": 0},
        "output_tokens": 0,
    },
}
SMALL_LOG = LogPlan(True)  # no bodies: those of models are read for the meter, and withheld from the row


@story
async def test_a_recording_streams_through_and_its_tokens_are_read() -> None:
    async with kept_gate(log=SMALL_LOG, budgets=(Budget("product starter", "total", 10**9),)) as (g, west):
        answer = {**HEARD, "model": "m"}
        g.backend.always = west.always = (plain(answer),)
        head = (
            "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: gate\r\napi-key: ada\r\n"
            f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {SIZE}\r\n\r\n"
        )
        client = await g.connect()
        await client.send(head.encode() + b"x" * (SIZE // 2))
        await until(lambda: g.backend.heard or west.heard)  # before the rest of it is there
        await client.send(b"x" * (SIZE - SIZE // 2))
        assert json.loads((await client.answer()).body) == answer
        await g.settled()
        (record,) = g.records
        assert (record.llm_wire, record.request.body, record.request.size) == ("transcriptions", b"", SIZE)
        read = read_call(record)
        assert read is not None
        assert read.usage is not None
        assert (read.usage.prompt, read.usage.source) == (50, "provider")


@story
async def test_pictures_tell_their_tokens() -> None:
    async with kept_gate() as (g, west):
        usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
        g.backend.always = west.always = (plain({"data": [{"b64_json": "QQ=="}], "usage": usage}),)
        await g.call(request("POST", "/images/generations", {"model": "m", "prompt": "a cat"}))
        await g.settled()
        (record,) = g.records
        read = read_call(record)
        assert record.llm_wire == "images"
        assert read is not None
        assert read.raw_usage == usage
