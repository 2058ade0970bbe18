"""Stateful calls: they stay where their things are, and are nobody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aforo.errors import Unavailable
from aforo.gateway.owners import Owner, Owners
from aforo.llm.stateful import Stateful, made_ids, named_ids, named_in, stateful_of, taken_up_in, without
from tests.support.gateway import story
from tests.support.kept_gate import error_of, kept_gate, plain, request
from tests.support.scripted_backend import ScriptedBackend

USAGE = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}


def response(id_: str) -> dict[str, Any]:
    return {"id": id_, "object": "response", "model": "m", "output": [], "usage": USAGE}


def events(id_: str) -> bytes:
    lines = [
        {"type": "response.created", "response": {**response(id_), "usage": None}},
        {"type": "response.completed", "response": response(id_)},
    ]
    body = b"".join(
        b"event: %b\ndata: %b\n\n" % (str(e["type"]).encode(), json.dumps(e).encode()) for e in lines
    )
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def lines(backend: ScriptedBackend) -> list[str]:
    return [h.line.rsplit(" ", 1)[0] for h in backend.heard]


@pytest.mark.parametrize("stream", [False, True])
@story
async def test_what_follows_a_response_goes_where_it_is(stream: bool) -> None:
    async with kept_gate() as (g, west):
        g.backend.always = west.always = (events("resp_1") if stream else plain(response("resp_1")),)
        assert (await g.call(request("POST", "/responses", {"input": "x", "stream": stream}))).status == 200
        first = g.backend if g.backend.heard else west
        first.always = (plain(response("resp_2")),)
        for _ in range(3):
            answer = await g.call(
                request("POST", "/responses", {"input": "y", "previous_response_id": "resp_1"})
            )
            assert json.loads(answer.body)["id"] == "resp_2"
            assert (await g.call(request("GET", "/responses/resp_2"))).status == 200
        other = west if first is g.backend else g.backend
        assert (len(first.heard), len(other.heard)) == (7, 0)


@story
async def test_an_item_of_a_response_is_taken_up_where_it_is_by_whom_it_was_made_for() -> None:
    async with kept_gate() as (g, west):
        made = {
            **response("resp_1"),
            "output": [{"type": "message", "id": "msg_1"}, {"id": "fc_1"}, {"id": 5}],
        }
        g.backend.always = west.always = (plain(made),)
        assert (await g.call(request("POST", "/responses", {"input": "x"}))).status == 200
        first = g.backend if g.backend.heard else west
        first.always = (plain(response("resp_2")),)
        for item in ({"type": "item_reference", "id": "msg_1"}, {"id": "fc_1"}):
            for _ in range(3):
                answer = await g.call(request("POST", "/responses", {"input": [item, {"role": "user"}]}))
                assert json.loads(answer.body)["id"] == "resp_2"
            refused = await g.call(request("POST", "/responses", {"input": [item]}, key="bob"))
            assert (refused.status, error_of(refused)["code"]) == (404, "not_found")
        # Items that models have not put out (of a conversation, of a request) are the service's to judge.
        unknown = {"input": [{"type": "item_reference", "id": "msg_unknown"}]}
        assert (await g.call(request("POST", "/responses", unknown))).status == 200


@story
async def test_nobody_else_finds_it() -> None:
    async with kept_gate() as (g, west):
        g.backend.always = west.always = (plain(response("resp_1")),)
        assert (await g.call(request("POST", "/responses", {"input": "x"}))).status == 200
        heard = len(g.backend.heard) + len(west.heard)
        for call in (
            request("GET", "/responses/resp_1", key="bob"),
            request("POST", "/responses", {"input": "y", "previous_response_id": "resp_1"}, key="bob"),
            request("GET", "/responses/resp_unknown"),
        ):
            answer = await g.call(call)
            assert answer.status == 404
            assert (error_of(answer)["type"], error_of(answer)["code"]) == (
                "invalid_request_error",
                "not_found",
            )
        assert len(g.backend.heard) + len(west.heard) == heard
        await g.settled()
        assert g.records[-1].errors[0].reason == "NotOwned"


@pytest.mark.parametrize(
    "body",
    [
        rb'{"input": "y", "previous\u005fresponse\u005Fid": "resp_1"}',
        b'{"input": "y", "Previous_Response_ID": "resp_1"}',
        b'{"input": "y", "previous_response_id": "resp_1", "previous_response_id": "resp_2"}',
        b'{"input": "y", "previous_response_id": "resp_1", "temperature": NaN}',
        b'{"input": "y", "previous_response_id": "resp_1", "user": "\\ud800"}',
        b'\xef\xbb\xbf{"input": "y", "previous_response_id": "resp_1"}',
        '{"input": "y", "previous_response_id": "resp_1"}'.encode("utf-16-le"),
        '{"input": "y", "previous_response_id": "resp_1"}'.encode("utf-16"),
        b'{"input": "y", "previous_response_id": "resp_1", /* not JSON */}',
        rb'{"conversation": {"id": "resp_2", "i\u0064": "resp_1"}}',
        b'{"source": {"type": "file_id", "id": "resp_1"}}',
        b'{"a":' * 5_000 + b'{"previous_response_id": "resp_1"' + b"}" * 5_001,
    ],
)
@story
async def test_nobody_else_finds_it_by_writing_its_name_in_another_way(body: bytes) -> None:
    """Whatever some reader of JSON would find in a body, the gateway has looked at, or the body goes nowhere."""
    async with kept_gate() as (g, west):
        for number, key in ((1, "ada"), (2, "bob")):
            g.backend.always = west.always = (plain(response(f"resp_{number}")),)
            assert (await g.call(request("POST", "/responses", {"input": "x"}, key=key))).status == 200
        heard = len(g.backend.heard) + len(west.heard)
        head = request("POST", "/responses", {}, key="bob").partition(b"content-length")[0]
        answer = await g.call(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
        assert answer.status in (400, 404)
        assert error_of(answer)["type"] == "invalid_request_error"
        assert len(g.backend.heard) + len(west.heard) == heard


@story
async def test_what_is_not_kept_is_not_remembered() -> None:
    async with kept_gate() as (g, west):
        g.backend.always = west.always = (plain(response("resp_1")),)
        assert (await g.call(request("POST", "/responses", {"input": "x", "store": False}))).status == 200
        assert (await g.call(request("GET", "/responses/resp_1"))).status == 404
        chat = {"id": "chatcmpl-1", "model": "m", "choices": [], "usage": USAGE}
        g.backend.always = west.always = (plain(chat),)
        assert (await g.call(request("POST", "/chat/completions", {"messages": []}))).status == 200
        assert (await g.call(request("GET", "/chat/completions/chatcmpl-1"))).status == 404
        assert (
            await g.call(request("POST", "/chat/completions", {"messages": [], "store": True}))
        ).status == 200
        assert (await g.call(request("GET", "/chat/completions/chatcmpl-1"))).status == 200


@story
async def test_files_batches_and_their_answers() -> None:
    async with kept_gate() as (g, west):
        g.backend.always = west.always = (plain({"id": "file-1", "object": "file"}),)
        assert (await g.call(request("POST", "/files", {"any": "form"}))).status == 200
        here = g.backend if g.backend.heard else west
        there = west if here is g.backend else g.backend
        here.always = (plain({"id": "batch_1", "status": "validating"}),)
        assert (await g.call(request("POST", "/batches", {"input_file_id": "file-1"}))).status == 200
        here.always = (plain({"id": "batch_1", "status": "completed", "output_file_id": "file-2"}),)
        assert (await g.call(request("GET", "/batches/batch_1"))).status == 200
        here.always = (plain({"id": "file-2"}),)
        assert (await g.call(request("GET", "/files/file-2"))).status == 200
        assert (await g.call(request("GET", "/files/file-2", key="bob"))).status == 404
        assert (
            await g.call(request("POST", "/batches", {"input_file_id": "file-1"}, key="bob"))
        ).status == 404
        assert (len(here.heard), len(there.heard)) == (4, 0)


@story
async def test_lists_show_the_caller_s_own() -> None:
    async with kept_gate() as (g, west):
        for number, key in ((1, "ada"), (2, "bob"), (3, "ada")):
            g.backend.always = west.always = (plain({"id": f"file-{number}"}),)
            assert (await g.call(request("POST", "/files", {}, key=key))).status == 200
        page = {"object": "list", "data": [{"id": f"file-{n}"} for n in (3, 2, 1, 0)], "has_more": False}
        g.backend.always = west.always = (plain(page),)
        answer = await g.call(request("GET", "/files"))
        assert [e["id"] for e in json.loads(answer.body)["data"]] == ["file-3", "file-1"]
        answer = await g.call(request("GET", "/files", key="bob"))
        assert [e["id"] for e in json.loads(answer.body)["data"]] == ["file-2"]


@story
async def test_policies_do_not_send_it_elsewhere() -> None:
    policy = (
        '<policies><inbound><set-backend-service backend-id="@(context.Request.Headers.GetValueOrDefault(&quot;to&quot;,'
        '&quot;pool&quot;))"/></inbound><backend><retry condition="@(context.Response.StatusCode == 429)" count="2" interval="0">'
        "<forward-request/></retry></backend><outbound/><on-error/></policies>"
    )
    async with kept_gate(policy=policy) as (g, west):
        g.backend.plays(plain(response("resp_1")))
        assert (
            await g.call(request("POST", "/responses", {"input": "x"}, headers="to: east\r\n"))
        ).status == 200
        g.backend.always = (plain({"error": {}}, "429 Too Many Requests"),)
        answer = await g.call(request("GET", "/responses/resp_1", headers="to: west\r\n"))
        assert answer.status == 429
        assert (len(g.backend.heard), len(west.heard)) == (4, 0)


@story
async def test_an_api_may_pass_them_through() -> None:
    async with kept_gate(owned=False) as (g, west):
        g.backend.always = west.always = (plain(response("resp_1")),)
        assert (await g.call(request("GET", "/responses/resp_9", key="bob"))).status == 200


def test_the_owners_outlive_their_process_and_are_shared(tmp_path: Path) -> None:
    path = tmp_path / "state" / "owners.sqlite"
    now = [1000.0]
    one, two = Owners(path, lambda: now[0]), Owners(path, lambda: now[0])
    ada = Owner("ada", "backend:east")
    one.put(["a", "b"], ada, 60)
    assert two.find(["a", "b", "c"]) == {"a": ada, "b": ada}
    two.put(["a"], Owner("bob", "backend:west"), 60)  # who came first keeps it
    assert one.find(["a"]) == {"a": ada}
    one.close()
    assert Owners(path, lambda: now[0]).find(["a"]) == {"a": ada}
    now[0] += 61
    assert two.find(["a"]) == {}
    assert two.find(["x" * 300]) == {}
    assert path.stat().st_mode & 0o077 == 0


def test_a_broken_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "owners.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(Unavailable, match="looked up"):
        Owners(path).find(["a"])


@pytest.mark.parametrize(
    ("method", "template", "expected"),
    [
        ("POST", "/responses", Stateful("responses", (), True, False)),
        ("GET", "/responses/{id}", Stateful("responses", ("id",), False, False)),
        ("POST", "/responses/{id}/cancel", Stateful("responses", ("id",), False, False)),
        ("GET", "/openai/files?api-version={v}", Stateful("files", (), False, True)),
        ("GET", "/vector_stores/{vs}/files/{f}", Stateful("files", ("vs", "f"), False, False)),
        ("POST", "/fine_tuning/jobs", Stateful("fine_tuning/jobs", (), True, False)),
        ("POST", "/deployments/{d}/chat/completions", Stateful("chat/completions", (), True, False)),
        ("POST", "/deployments/{d}/completions", None),
        ("POST", "/threads/runs", Stateful("threads/runs", (), True, False)),
        ("POST", "/threads/{t}/runs", Stateful("threads", ("t",), False, False)),
        ("POST", "/files/import", Stateful("files/import", (), True, False)),
        ("POST", "/uploads/{u}/complete", Stateful("uploads", ("u",), False, False)),
        ("GET", "/containers/{c}/files/{f}/content", None),
        ("GET", "/*", None),
        ("GET", "/models/{model}", None),
    ],
)
def test_operations_on_kept_things(method: str, template: str, expected: Stateful | None) -> None:
    assert stateful_of(method, template) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"input": [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"}]}', ["msg_1", "msg_2"]),
        (b'{"input": [{"type": "message", "id": "msg_1", "content": "x"}], "id": "x"}', []),
        (rb'{"input": [{"type": "item_reference", "\u0069d": "msg_1"}]}', ["msg_1"]),
        (
            b'{"input": 1, "INPUT": [{"Id": "msg_1", "ID": "msg_2", "type": "item_reference"}]}',
            ["msg_1", "msg_2"],
        ),
        (b'{"input": [{"id": 7}, [], "id"]}', []),
        (b'{"input": "id"}', []),
        (b'"id"', []),
        (b'{"id": ', []),
        (b"[" * 100_000 + b'"id"', []),
    ],
)
def test_items_that_are_taken_up(body: bytes, expected: list[str]) -> None:
    assert taken_up_in(body) == expected


def test_ids_in_bodies() -> None:
    asked = {
        "previous_response_id": "resp_1",
        "conversation": {"id": "conv_1"},
        "input": [{"content": [{"type": "input_file", "file_id": "file-1"}, {"file_id": "cfile_9"}]}],
        "tools": [{"vector_store_ids": ["vs_1", 5]}],
        "metadata": {"note": "file-9", "thread_id": "of the caller's own"},
    }
    assert named_ids(asked) == ["resp_1", "conv_1", "file-1", "vs_1"]
    assert named_in(json.dumps(asked).encode()) == ["resp_1", "conv_1", "file-1", "vs_1"]
    schema = {"properties": {"file_id": {"type": "string", "id": "x"}}}
    assert named_in(json.dumps({"tools": [{"parameters": schema}]}).encode()) == []
    for names_nothing in (
        b"",
        b" null ",
        b"{}",
        rb'{"input": "\u00e9_id"}',
        b"\xef\xbb\xbf{}",
        b"\xff text",
        b"[1,",
    ):
        assert named_in(names_nothing) == []
    assert named_in(b'--x\r\n\r\n{"file_id": 1}\0', form=True) == []
    assert made_ids({"id": "b", "output_file_id": "f", "error_file_id": None, "result_files": ["g"]}) == [
        "b",
        "f",
        "g",
    ]
    assert made_ids({"id": "upload_1", "file": {"id": "file-7"}}) == ["upload_1", "file-7"]
    assert made_ids({"id": "run_1", "thread_id": "thread_1"}) == ["run_1", "thread_1"]
    page = {"data": [{"id": "a"}, {"id": "b"}], "first_id": "a", "last_id": "b", "has_more": True}
    assert without(page, frozenset("b")) == {
        "data": [{"id": "b"}],
        "first_id": "b",
        "last_id": "b",
        "has_more": True,
    }
