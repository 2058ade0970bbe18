"""A server that speaks OpenAI behind Azure's paths: deployments become models, and nothing else of a call changes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.scopes import Scope
from aforo.snapshot.snapshot import BackendEntry, PoolMember
from aforo.source import Source
from tests.support.gateway import Answered, Gate, gate, story

PAIRS = (("gpt-4o", "llama3.1:8b"), ("embed", "nomic"), ("same", "same"))
DATED = "/echo/deployments/gpt-4o/chat/completions?api-version=2024-10-21&x=1"
DOWN = b"HTTP/1.1 500 Down\r\ncontent-length: 0\r\n\r\n"


def policy(inbound: str, backend: str = "<forward-request/>", outbound: str = "") -> Pipeline:
    text = f"<policies><inbound>{inbound}</inbound><backend>{backend}</backend><outbound>{outbound}</outbound></policies>"
    result = compile_document(Source("policy.xml", text), Scope.GLOBAL, CompileContext({}))
    assert result.document is not None, result.diagnostics
    return result.document.bind(EMPTY)


TO_MODELS = policy('<set-backend-service backend-id="up"/>')


def one(
    models: tuple[tuple[str, str], ...] | None = PAIRS,
) -> Callable[[int], dict[str, BackendEntry]]:
    return lambda port: {"up": BackendEntry("up", f"http://127.0.0.1:{port}/v1", models=models)}


def post(target: str, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: gate", f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


async def asked(g: Gate, target: str, body: bytes, *headers: str, kind: str = "application/json") -> Answered:
    return await g.call(post(target, body, *headers, kind=kind))


@story
async def test_the_deployment_in_the_path_arrives_as_the_model_in_the_body() -> None:
    async with gate(TO_MODELS, backends=one()) as g:
        body = (
            b'{"messages": [{"role":"user"}], "seed": 12345678901234567890123, "model": "gpt-4o", "t": 1.10}'
        )
        assert (await asked(g, DATED, body)).status == 200
        (heard,) = g.backend.heard
        assert heard.line == "POST /v1/chat/completions?x=1 HTTP/1.1"
        # Only the model's name is another one: numbers are as the client wrote them.
        assert heard.body == (
            b'{"messages":[{"role":"user"}],"seed":12345678901234567890123,"model":"llama3.1:8b","t":1.10}'
        )
        assert heard.values("content-length") == [str(len(heard.body))]
        await g.settled()
        (record,) = g.records
        assert record.backend_url.endswith("/v1/chat/completions?x=1")
        assert record.backend_request.body == heard.body
        assert json.loads(record.request.body)["model"] == "gpt-4o"


@story
async def test_without_a_model_in_the_body_it_gets_one() -> None:
    async with gate(TO_MODELS, backends=one()) as g:
        await asked(g, "/echo/deployments/EMBED/embeddings?api-version=2023-05-15", b'{"input":"a"}')
        (heard,) = g.backend.heard
        assert heard.line == "POST /v1/embeddings HTTP/1.1"
        assert json.loads(heard.body) == {"input": "a", "model": "nomic"}


@story
async def test_the_model_in_a_body_may_be_a_deployment_too() -> None:
    async with gate(TO_MODELS, backends=one()) as g:
        await asked(g, "/echo/chat/completions", b'{"model":"gpt-4o"}')
        # A model goes by its own name as well, and what is right already is not touched.
        await asked(g, "/echo/chat/completions", b'{ "model": "llama3.1:8b"  }')
        await asked(g, "/echo/chat/completions", b'{ "model": "same" }')
        bodies = [h.body for h in g.backend.heard]
        assert bodies == [b'{"model":"llama3.1:8b"}', b'{ "model": "llama3.1:8b"  }', b'{ "model": "same" }']


@story
async def test_an_unknown_deployment_is_answered_as_an_account_answers() -> None:
    outbound = (
        '<set-header name="x-seen"><value>@(context.Response.StatusCode.ToString())</value></set-header>'
    )
    pipeline = policy('<set-backend-service backend-id="up"/>', outbound=outbound)
    async with gate(pipeline, backends=one()) as g:
        for target, body in (
            ("/echo/deployments/gpt-5/chat/completions?api-version=2024-10-21", b"{}"),
            ("/echo/chat/completions", b'{"model":"gpt-5"}'),
        ):
            answer = await asked(g, target, body)
            assert answer.status == 404
            error = json.loads(answer.body)["error"]
            assert error["code"] == "DeploymentNotFound"
            assert "embed, gpt-4o, same" in error["message"]
            # To policies it is the backend's answer, as Azure's own would be.
            assert answer.values("x-seen") == ["404"]
        assert g.backend.heard == []
        await g.settled()
        assert [(r.status, r.backend_id, r.attempts) for r in g.records] == [(404, "up", 0)] * 2


@story
async def test_a_body_that_two_readers_could_read_differently_is_refused_or_made_plain() -> None:
    """What the list of deployments leaves out is not had by a body that this gateway and the server read differently."""
    async with gate(TO_MODELS, backends=one()) as g:
        for target, body in (
            ("/echo/chat/completions", b"{ not json"),
            ("/echo/chat/completions", b'{"model": "evil", "temperature": NaN}'),
            ("/echo/chat/completions", b'{"model": 7}'),
            ("/echo/chat/completions", b'{"model": "\xff"}'),
            ("/echo/chat/completions", b'{"Model": "evil"}'),
            ("/echo/chat/completions", b"[]"),
            ("/echo/deployments/gpt-4o/chat/completions", b"\xff"),
        ):
            answer = await asked(g, target, body)
            assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "BadRequest")
        assert g.backend.heard == []
        for body in (
            b'{"model": "evil", "model": "same"}',
            b'{"mod\\u0065l": "evil", "model": "same"}',
            b'{"model": "same", "Model": "evil", "MODEL": "evil"}',
        ):
            await asked(g, "/echo/chat/completions", body)
            assert g.backend.heard[-1].body == b'{"model":"same"}'


@story
async def test_what_asks_no_model_passes_as_it_came() -> None:
    async with gate(TO_MODELS, backends=one()) as g:
        for target, body, kind in (
            ("/echo/files", b'{"model": "gpt-4o"}', "multipart/form-data; boundary=b"),
            ("/echo/batches", b'{ "input_file_id": "f" }', "application/json"),
            ("/echo/responses/1/cancel", b"", "application/json"),
        ):
            await asked(g, target, body, kind=kind)
            assert g.backend.heard[-1].body == body
        await asked(g, "/echo/images/generations", b'{"model": "gpt-4o"}')
        assert g.backend.heard[-1].body == b'{"model":"llama3.1:8b"}'
        await g.call(b"GET /echo/models?api-version=2024-10-21 HTTP/1.1\r\nHost: gate\r\n\r\n")
        assert g.backend.heard[-1].line == "GET /v1/models HTTP/1.1"


@story
async def test_a_form_names_its_model_itself() -> None:
    form = b"--b\r\ncontent-disposition: form-data; name=model\r\n\r\nsame\r\n--b--\r\n"
    async with gate(TO_MODELS, backends=one()) as g:
        kind = "multipart/form-data; boundary=b"
        await asked(g, "/echo/deployments/same/audio/transcriptions", form, kind=kind)
        (heard,) = g.backend.heard
        assert (heard.line, heard.body) == ("POST /v1/audio/transcriptions HTTP/1.1", form)
        refused = await asked(g, "/echo/deployments/gpt-4o/audio/transcriptions", form, kind=kind)
        assert refused.status == 400
        assert len(g.backend.heard) == 1
        await g.settled()
        (error,) = g.records[-1].errors
        assert error.reason == "ModelNotInForm"


@story
async def test_a_compressed_body_is_sent_plain_where_it_changes() -> None:
    async with gate(TO_MODELS, backends=one()) as g:
        packed = gzip.compress(b'{"model":"gpt-4o"}')
        await asked(g, "/echo/chat/completions", packed, "content-encoding: gzip")
        assert g.backend.heard[-1].body == b'{"model":"llama3.1:8b"}'
        assert g.backend.heard[-1].values("content-encoding") == []
        packed = gzip.compress(b'{"model":"same"}')
        await asked(g, "/echo/chat/completions", packed, "content-encoding: gzip")
        assert g.backend.heard[-1].body == packed
        assert g.backend.heard[-1].values("content-encoding") == ["gzip"]


@story
async def test_a_pool_asks_each_member_in_its_own_way() -> None:
    """Azure's wire first, a server that speaks OpenAI when that fails: the second gets what it understands."""

    def entries(port: int) -> dict[str, BackendEntry]:
        base = f"http://127.0.0.1:{port}"
        members = (PoolMember("azure"), PoolMember("open"))
        return {
            "pool": BackendEntry("pool", "", members=members),
            "azure": BackendEntry("azure", f"{base}/openai"),
            "open": BackendEntry("open", f"{base}/v1", models=PAIRS),
        }

    again = '<retry condition="@(context.Response.StatusCode >= 500)" count="1" interval="0"><forward-request/></retry>'
    pipeline = policy('<set-backend-service backend-id="pool"/>', again)
    async with gate(pipeline, backends=entries) as g:
        g.backend.plays(DOWN)
        body = b'{"messages":[]}'
        assert (await asked(g, DATED, body)).status == 200
        first, second = g.backend.heard
        assert first.line.startswith(
            "POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
        )
        assert first.body == body
        assert second.line.startswith("POST /v1/chat/completions?x=1")
        assert json.loads(second.body)["model"] == "llama3.1:8b"


@story
async def test_other_backends_get_azures_form() -> None:
    async with gate(TO_MODELS, backends=one(None)) as g:
        body = b'{ "model": "gpt-4o" }'
        await asked(g, DATED, body)
        (heard,) = g.backend.heard
        assert (
            heard.line == "POST /v1/deployments/gpt-4o/chat/completions?api-version=2024-10-21&x=1 HTTP/1.1"
        )
        assert heard.body == body


@story
async def test_a_large_body_is_read_whole() -> None:
    async with gate(TO_MODELS, backends=one()) as g:
        text = b"a" * 1_000_000
        await asked(g, "/echo/deployments/gpt-4o/images/generations", b'{"prompt":"%b"}' % text)
        (heard,) = g.backend.heard
        assert heard.values("content-length") == [
            str(len(b'{"prompt":"","model":"llama3.1:8b"}') + len(text))
        ]
