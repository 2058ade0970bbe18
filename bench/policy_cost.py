"""What policies cost: CPU per call of the lab's policy over an empty pipeline, and the time to compile documents.

    python -m bench.policy_cost

Prints a table; every figure is the best of several rounds of process time, so that a busy machine shows less.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from aforo.gateway.counters import MemoryCounters
from aforo.gateway.metrics import SpooledMetrics
from aforo.messages import Headers, parse_url
from aforo.policy import owing
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.exchange import Body, Exchange, RequestState, ResponseState
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.scopes import Scope
from aforo.policy.subject import Deployment
from aforo.snapshot.snapshot import Bundle
from aforo.source import Source
from aforo.spool.records import RowsRecord

LAB = """<inbound>
<base />
<set-header name="api-key" exists-action="delete" />
<authentication-managed-identity resource="https://cognitiveservices.azure.com" output-token-variable-name="msi-access-token" ignore-error="false" />
<set-header name="Authorization" exists-action="override">
<value>@("Bearer " + (string)context.Variables["msi-access-token"])</value>
</set-header>
<set-backend-service base-url="https://lab.openai.azure.com/openai" />
</inbound>"""
GLOBAL = "<policies><inbound/><backend><forward-request/></backend><outbound/><on-error/></policies>"
HEADERS = [
    (b"host", b"localhost"),
    (b"api-key", b"0123456789abcdef0123456789abcdef"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"bench"),
    (b"accept", b"application/json"),
]
BLOCK = """    <set-variable name="v{n}" value="@(context.Request.Headers.GetValueOrDefault("x-team", "none").ToLower())" />
    <choose>
      <when condition="@(context.Variables.GetValueOrDefault<string>("v{n}") == "blue" && context.Request.Method != "GET")">
        <set-header name="x-{n}" exists-action="override">
          <value>@{{
            var parts = context.Request.Url.Path.Split('/');
            var last = parts.Where(p => p.Length > 0).LastOrDefault() ?? "none";
            return $"{{last}}-{n}";
          }}</value>
        </set-header>
      </when>
    </choose>
"""


METERED = (
    "<policies><inbound><base />"
    + "".join(
        f'<set-variable name="v{n}" value="@(context.Request.Headers.GetValueOrDefault("x-team", "none").ToLower() + {n})" />'
        for n in range(10)
    )
    + """<llm-token-limit counter-key="@(context.Subscription?.Id ?? "none")" tokens-per-minute="1000000000"
      estimate-prompt-tokens="true" remaining-tokens-header-name="x-left" tokens-consumed-header-name="x-consumed" />
    <llm-emit-token-metric><dimension name="API ID" /><dimension name="Subscription ID" /></llm-emit-token-metric>
  </inbound>
  <backend><retry condition="@(context.Response.StatusCode == 429)" count="3" interval="1"><forward-request />
  </retry></backend></policies>"""
)
PROMPT = b'{"messages":[{"role":"user","content":"' + b"x" * 400 + b'"}]}'
SAID = (
    b'{"id":"c","object":"chat.completion","model":"gpt","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"' + b"y" * 400 + b'"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":100,"completion_tokens":100,"total_tokens":200}}'
)


def large(lines: int) -> str:
    """A document of about so many lines, half of them expressions."""
    blocks = "".join(BLOCK.format(n=n) for n in range(lines // 12))
    return f"<policies>\n  <inbound>\n    <base />\n{blocks}  </inbound>\n</policies>"


def best(run: Callable[[], None], rounds: int) -> float:
    """The least process time of one run, in seconds."""
    out = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        run()
        out = min(out, time.process_time() - start)
    return out


def compiled(text: str, scope: Scope, base: Pipeline) -> Pipeline:
    result = compile_document(Source("bench.xml", text), scope, CompileContext())
    assert result.document is not None, result.diagnostics
    return result.document.bind(base)


def per_call_us(pipeline: Pipeline, calls: int = 20_000) -> float:
    """CPU of the inbound section per call; making the exchange is in both figures."""
    services = ScriptedServices()
    services.tokens.put("https://cognitiveservices.azure.com", "token-" + "x" * 1200)
    url = parse_url("http://localhost:8080/openai/deployments/gpt/chat/completions?api-version=2023-05-15")
    inbound = pipeline.inbound

    def run() -> None:
        for _ in range(calls):
            request = RequestState.of("POST", url, Headers.of(HEADERS), Body(b"{}"), "127.0.0.1")
            exchange = Exchange("0" * 32, request, services, 1.0, 1)
            if inbound is not None:
                with suppress(StopIteration):
                    inbound(exchange).send(None)

    return best(run, 7) / calls * 1e6


class Nowhere:
    """The spool's part of the metrics: it keeps nothing."""

    def append_rows(self, record: RowsRecord) -> int:
        return len(record.rows)


def whole_call_us(pipeline: Pipeline, calls: int = 10_000) -> float:
    """CPU per call of inbound, backend and meters, on a gateway's own counters and metrics."""
    services = ScriptedServices()
    services.counters = MemoryCounters()  # type: ignore[assignment]
    deployment = Deployment("a", "apim", "here")
    metrics = services.metrics = SpooledMetrics(Nowhere())  # type: ignore[assignment]
    metrics.follow(Bundle(1, deployment, "/a", {"AllMetrics": ["w"]}, (), (), (), (), (), (), (), None))  # type: ignore[attr-defined]
    url = parse_url("http://localhost:8080/openai/deployments/gpt/chat/completions?api-version=2023-05-15")
    json_type = [(b"content-type", b"application/json")]
    services.backend = lambda _: ResponseState(200, "OK", Headers.of(json_type), Body(SAID))

    async def call() -> None:
        request = RequestState.of("POST", url, Headers.of(HEADERS), Body(PROMPT), "127.0.0.1")
        exchange = Exchange("0" * 32, request, services, 1.0, 1)
        for section in (pipeline.inbound, pipeline.backend):
            if section is not None:
                await section(exchange)
        if pipeline.plain_forward is not None:
            await services.forward(exchange, pipeline.plain_forward)
        if exchange.owed is not None or exchange.meters is not None:
            await owing.answered(exchange, "chat")
            await owing.closed(exchange)
        services.forwarded.clear()

    def run() -> None:
        for _ in range(calls):
            with suppress(StopIteration):
                call().send(None)

    return best(run, 7) / calls * 1e6


def main() -> None:
    start = time.process_time()
    base = compiled(GLOBAL, Scope.GLOBAL, EMPTY)
    lab = compiled(LAB, Scope.API, base)
    first = time.process_time() - start
    empty_us, lab_us = per_call_us(base), per_call_us(lab)
    metered_us = whole_call_us(compiled(METERED, Scope.API, base)) - whole_call_us(base)
    text = large(200)
    source_lines = text.count("\n") + 1

    def compile_large() -> None:
        compiled(text, Scope.API, EMPTY)

    large_ms = best(compile_large, 5) * 1e3
    lab_ms = best(lambda: void(compiled(LAB, Scope.API, EMPTY)), 20) * 1e3
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform == "linux" else 1024 * 1024
    )
    rows = (
        ("an exchange and an empty pipeline", f"{empty_us:.2f} us"),
        ("the same with the lab's policy", f"{lab_us:.2f} us"),
        ("the lab's policy adds", f"{lab_us - empty_us:.2f} us"),
        ("retry, token limit, metrics and ten expressions add", f"{metered_us:.2f} us"),
        ("first documents, imports of the grammar included", f"{first * 1e3:.0f} ms"),
        ("compiling the lab's document", f"{lab_ms:.1f} ms"),
        (f"compiling a document of {source_lines} lines", f"{large_ms:.1f} ms"),
        ("peak memory of this process", f"{memory:.0f} MB"),
    )
    for name, value in rows:
        print(f"{name:<52} {value:>10}")


def void(_value: object) -> None:
    """Drops a value."""


if __name__ == "__main__":
    main()
