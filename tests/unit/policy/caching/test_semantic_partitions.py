"""Partitions of the semantic caches: what must never share an answer."""

from __future__ import annotations

from typing import Any, cast

from aforo.llm.meaning import asked
from aforo.messages import Headers, Url
from aforo.policy.caching.semantic import partition_of
from aforo.policy.exchange import Body, Exchange, RequestState


def partition(path: str, **said: Any) -> str:
    url = Url("https", "gate.example", 443, "/openai" + path)
    request = RequestState("POST", url, Headers(), Body(b""), "192.0.2.1", path)
    question = asked(path, {"messages": [{"role": "user", "content": "Hello"}], **said}, ignore_system=False)
    assert question is not None
    return partition_of(Exchange("0" * 32, request, cast(Any, None)), question, "embeddings", ())


def test_deployments_are_apart_whatever_the_template_calls_them() -> None:
    small = partition("/deployments/small/chat/completions")
    assert small == partition("/deployments/small/chat/completions")
    assert small != partition("/deployments/large/chat/completions")
    assert small != partition("/deployments/small/chat/completions", temperature=0.5)
