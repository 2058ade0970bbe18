"""Content safety over real sockets: how the service is asked, and what a client gets of an answer that it stops."""

from __future__ import annotations

import json

from aforo.snapshot.snapshot import BackendEntry
from tests.support.gateway import Gate, gate, story
from tests.support.metered import (
    DONE,
    LIMIT,
    STREAM_HEAD,
    TOLD,
    chunk,
    plain,
    policy,
    post,
    said,
    told,
)

SAFETY = """<llm-content-safety backend-id="safety" window-size="8" {0}>
<categories><category name="Violence" threshold="4"/></categories></llm-content-safety>"""


def backends(port: int) -> dict[str, BackendEntry]:
    key = (("Ocp-Apim-Subscription-Key", ("the service's",)),)
    return {"safety": BackendEntry("safety", f"http://127.0.0.1:{port}/safety", headers=key)}


def severity(found: int) -> bytes:
    return plain(json.dumps({"categoriesAnalysis": [{"category": "Violence", "severity": found}]}).encode())


def piece(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def asked(g: Gate) -> list[str]:
    return [json.loads(h.body)["text"] for h in g.backend.heard if "/safety/" in h.line]


@story
async def test_the_service_is_asked_with_its_own_credentials_before_the_model() -> None:
    async with gate(policy(SAFETY.format("")), backends=backends) as g:
        g.backend.plays(severity(0))
        g.backend.plays(plain(said()))
        g.backend.plays(severity(6))
        assert (await g.call(post(prompt="hello"))).body == said()
        service, model = g.backend.heard
        assert service.line == "POST /safety/contentsafety/text:analyze?api-version=2024-09-01 HTTP/1.1"
        assert service.values("ocp-apim-subscription-key") == ["the service's"]
        assert json.loads(service.body)["categories"] == ["Violence"]
        assert model.values("ocp-apim-subscription-key") == []
        refused = await g.call(post(prompt="hello"))
        assert refused.status == 403
        assert refused.body == b'{ "statusCode": 403, "message": "Request failed content safety check." }'
        assert len(g.backend.heard) == 3


@story
async def test_an_answer_that_is_stopped_has_been_paid_for() -> None:
    inbound = SAFETY.format('enforce-on-completions="true"') + LIMIT.format(60, "false")
    async with gate(policy(inbound), backends=backends) as g:
        for script in (severity(0), plain(said()), severity(4)):
            g.backend.plays(script)
        refused = await g.call(post(prompt="hello"))
        assert told(refused)[0] == 403
        assert asked(g) == ["hello", "abcd"]
        for script in (severity(0), plain(said()), severity(0)):
            g.backend.plays(script)
        assert told(await g.call(post(prompt="hello"))) == (200, ["0"], ["50"])


@story
async def test_a_stream_ends_before_what_was_found_and_is_metered_whole() -> None:
    async with gate(policy(LIMIT.format(60, "false"), SAFETY.format("")), backends=backends) as g:
        pieces = [piece("0123"), piece("4567"), piece("89ab"), piece("cdef"), TOLD, DONE]
        g.backend.plays(STREAM_HEAD, *map(chunk, pieces), b"0\r\n\r\n")
        g.backend.plays(severity(0))
        g.backend.plays(severity(6))
        answer = await g.call(post(stream=True))
        assert (answer.status, answer.body) == (200, b"".join(pieces[:2]))
        assert asked(g) == ["01234567", "89abcdef"]
        (record,) = g.records
        assert [e.reason for e in record.errors] == ["ContentSafetyCheckFailed"]
        g.backend.plays(plain(said()))
        g.backend.plays(severity(0))
        assert told(await g.call(post())) == (200, ["0"], ["50"])  # 60 - 50 - 50


@story
async def test_a_service_that_is_not_there_lets_nothing_through() -> None:
    inbound = (
        SAFETY.format("").replace("safety", "nowhere", 2).replace("llm-content-nowhere", "llm-content-safety")
    )
    async with gate(policy(inbound), backends=backends) as g:
        assert (await g.call(post())).status == 500
        assert g.backend.heard == []
        assert g.records[0].errors[0].source == "llm-content-safety"
