"""What policies cost: CPU per call of pipelines over empty ones, CPU and memory of compiling documents.

`python -m bench.policy_cost` prints it, `--write` puts it into RESULTS.md. Process time, so that a busy machine shows less; five
runs, in each of which what is compared takes turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
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
from bench import sections
from bench.figures import difference, header, row, spread
from bench.processes import ROOT

RUNS = 5
CALLS = 20_000
LINES = 200
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


def compiled(text: str, scope: Scope, base: Pipeline) -> Pipeline:
    result = compile_document(Source("bench.xml", text), scope, CompileContext())
    assert result.document is not None, result.diagnostics
    return result.document.bind(base)


def inbound_calls(pipeline: Pipeline, calls: int) -> Callable[[], None]:
    """That many calls of the inbound section; making the exchange is a part of each."""
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

    return run


class Nowhere:
    """The spool's part of the metrics: it keeps nothing."""

    def append_rows(self, record: RowsRecord) -> int:
        return len(record.rows)


def whole_calls(pipeline: Pipeline, calls: int) -> Callable[[], None]:
    """That many calls of inbound, backend and meters, on a gateway's own counters and metrics."""
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

    return run


def in_turns(subjects: Mapping[str, Callable[[], None]], runs: int) -> dict[str, list[float]]:
    """Seconds of process time of each, run by run; what each does for the first time is in a run that is no figure."""
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for run in range(runs + 1):
        for name, work in subjects.items():
            start = time.process_time()
            work()
            if run:
                found[name].append(time.process_time() - start)
    return found


EMPTY_INBOUND, LAB_INBOUND = "an exchange and an empty pipeline", "the same with the lab's policy"
EMPTY_WHOLE = "a whole call without policies: forwarded to an answer that is there, nothing metered"
METERED_WHOLE = "the same with retry, token limit, metrics and ten expressions"
LAB_DOCUMENT, LARGE_DOCUMENT = "the lab's document", "a document of {lines} lines, half of them expressions"
FIRST = "the first two documents of a process, what has to be imported for them included"


@dataclass(slots=True)
class Costs:
    """Run by run: microseconds of CPU per call, milliseconds of CPU per document, MB of a process that compiled them."""

    calls: int = CALLS
    call_us: dict[str, list[float]] = field(default_factory=dict)
    compile_ms: dict[str, list[float]] = field(default_factory=dict)
    peak_mb: list[float] = field(default_factory=list)


def measure(calls: int, runs: int = RUNS) -> Costs:
    """All of it, some twenty seconds with the usual number of calls."""
    found = Costs(calls)
    for _ in range(runs):
        # Of a first time there is only one in a process.
        command = [sys.executable, "-m", "bench.policy_cost", "--first"]
        said = json.loads(
            subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        )
        found.compile_ms.setdefault(FIRST, []).append(said["first_ms"])
        found.peak_mb.append(said["peak_mb"])
    base = compiled(GLOBAL, Scope.GLOBAL, EMPTY)
    subjects = {
        EMPTY_INBOUND: inbound_calls(base, calls),
        LAB_INBOUND: inbound_calls(compiled(LAB, Scope.API, base), calls),
        EMPTY_WHOLE: whole_calls(base, calls),
        METERED_WHOLE: whole_calls(compiled(METERED, Scope.API, base), calls),
    }
    for name, took_s in in_turns(subjects, runs).items():
        found.call_us[name] = [one / calls * 1e6 for one in took_s]
    text = large(LINES)
    documents: dict[str, Callable[[], None]] = {
        LAB_DOCUMENT: lambda: void(compiled(LAB, Scope.API, EMPTY)),
        LARGE_DOCUMENT.format(lines=text.count("\n") + 1): lambda: void(compiled(text, Scope.API, EMPTY)),
    }
    for name, took_s in in_turns(documents, runs).items():
        found.compile_ms[name] = [one * 1e3 for one in took_s]
    return found


def first() -> dict[str, float]:
    """What the first documents of this process cost, and its greatest memory when the large one is compiled too."""
    start = time.process_time()
    base = compiled(GLOBAL, Scope.GLOBAL, EMPTY)
    compiled(LAB, Scope.API, base)
    first_ms = (time.process_time() - start) * 1e3
    compiled(large(LINES), Scope.API, EMPTY)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"first_ms": first_ms, "peak_mb": peak * (1024 if sys.platform == "linux" else 1) / 1e6}


def markdown(found: Costs) -> list[str]:
    """The section of RESULTS.md."""
    runs = max((len(values) for values in found.call_us.values()), default=0)
    out = [
        "",
        "## Policies",
        "",
        f"CPU of the process, without a network: {runs} runs of {found.calls:,} calls each, in which the pipelines take turns; "
        "medians, and least to greatest in parentheses. What a policy adds is median less median, and the least and greatest "
        "difference within a run.",
        "",
        *header("a call", "CPU (µs)"),
    ]
    for plain, more in ((EMPTY_INBOUND, LAB_INBOUND), (EMPTY_WHOLE, METERED_WHOLE)):
        without, beside = found.call_us.get(plain, []), found.call_us.get(more, [])
        out += [row(plain, spread(without)), row(more, spread(beside))]
        out.append(row("what that adds", difference(beside, without)))
    out += ["", *header("compiling", "CPU (ms)")]
    out += [row(name, spread(took_ms, 1)) for name, took_ms in found.compile_ms.items()]
    if found.peak_mb:
        out += ["", f"A process that has compiled these needed {spread(found.peak_mb, 0)} MB."]
    return out


def void(_value: object) -> None:
    """Drops a value."""


def main() -> int:
    """Measures, prints, and writes when asked."""
    parser = argparse.ArgumentParser(prog="bench.policy_cost", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    parser.add_argument("--quick", action="store_true", help="1,000 calls, two runs; nothing is written")
    parser.add_argument("--first", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.first:
        print(json.dumps(first()))
        return 0
    part = markdown(measure(1_000, 2) if wanted.quick else measure(CALLS))
    print("\n".join(part))
    if wanted.write and not wanted.quick:
        sections.write("Policies", part, "python -m bench.policy_cost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
