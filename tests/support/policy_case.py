"""A golden policy case: one text file with documents, a request and what comes of it. Read, run, written back.

What parts it has is said at `Case`.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from aforo.csharp.runtime.objects import to_string
from aforo.errors import Upstream
from aforo.messages import Headers, parse_url
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.exchange import (
    Body,
    Exchange,
    LastError,
    PolicyFailure,
    RequestState,
    ResponseState,
)
from aforo.policy.named_values import NamedValue
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.rehearsing import trial
from aforo.policy.rehearsing.scripted import ScriptedServices, empty_200
from aforo.policy.scopes import Scope
from aforo.policy.services import (
    Authorization,
    Certificate,
    OpenIdKeys,
    OutboundRequest,
    Usage,
)
from aforo.policy.subject import Api, Contract, Example, Operation, Product, Schema, Subscription
from aforo.policy.tracing import records as trace_records
from aforo.policy.tracing import trace
from aforo.policy.tracing.text import tree
from aforo.source import Source, has_errors, render

GLOBAL = "<policies><inbound/><backend><forward-request/></backend><outbound/><on-error/></policies>"
API = Api(
    "azure-openai",
    "Azure OpenAI",
    "openai",
    "1",
    "",
    "https://api.example/base",
    True,
    ("https",),
    "api-key",
    "api-key",
)
OPERATION = Operation(
    "chat", "Chat", "POST", "/deployments/{deployment-id}/chat/completions?api-version={api-version}"
)
PRODUCT = Product("starter", "Starter", "Published", True, False, 5, ())
SUBSCRIPTION = Subscription("team-a", "Team A", 1_700_000_000, None, None)


@dataclass(frozen=True)
class Case:
    """The parts of a case.

    Parts begin with `=== name`: `policy SCOPE` (broad ones first), `fragment NAME`, `values` (`name = value`, with
    `secret` in front), `tokens` (`resource = token`, `resource client-id = token`), `request`, `backend` and the expected parts `result` and, where the
    case has one, `trace`: what a traced call shows.

    `request` may stand several times: the calls are made one after the other, on the same services. `backend` too: each
    attempt takes the next one, the last one stays; `backend fails` is a connection that fails. `answer METHOD URL` is what a
    request of a policy's own gets (several: one after the other; `answer fails URL`: no connection; a backend's stands at
    `backend-id:PATH`). `openid URL` holds JSON with `issuer` and `keys`; `usage` is `prompt completion` tokens;
    `certificate ID` a PEM chain
    (`certificate ID with-key`: it has a key); `examples` JSON: [status, media type, body] of the operation;
    `authorization PROVIDER ID` an access token.
    `client-certificate` is the PEM chain that the connection showed.
    `contract` is JSON of what the operation declares (subject.Contract), `schema ID` a JSON schema, `schema ID xml` an XML one, of API
    and service.
    """

    path: Path
    parts: tuple[tuple[str, str], ...]

    def all(self, word: str) -> list[tuple[str, str]]:
        """(argument, text) of the parts of that name."""
        return [(n.partition(" ")[2], t) for n, t in self.parts if n.partition(" ")[0] == word]

    def one(self, word: str) -> str:
        found = self.all(word)
        return found[0][1] if found else ""

    def with_result(self, result: str, trace: str = "") -> str:
        kept = [f"=== {n}\n{t.strip(chr(10))}\n" for n, t in self.parts if n not in ("result", "trace")]
        shown = [f"=== trace\n{trace}\n"] if self.all("trace") else []
        return "\n".join([*kept, f"=== result\n{result}\n", *shown])


def read(path: Path) -> Case:
    pieces = re.split(r"^=== (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return Case(path, tuple(zip(pieces[1::2], pieces[2::2], strict=True)))


def settings(text: str) -> list[tuple[str, str]]:
    return [
        (a.strip(), b.strip()) for a, _, b in (line.partition("=") for line in text.splitlines()) if a.strip()
    ]


def run(case: Case, traces: list[str] | None = None) -> str:
    """What the case comes to, as text: diagnostics, or error, backend requests, response and variables.

    With `traces` the calls are traced, and what the traces show is added to it.
    """
    values = {
        name.removeprefix("secret "): NamedValue(value, name.startswith("secret "))
        for name, value in settings(case.one("values"))
    }
    context = CompileContext(values, dict(case.all("fragment")))
    tracing = traces is not None
    pipeline = bound(GLOBAL, Scope.GLOBAL, context, EMPTY, tracing=tracing)
    out: list[str] = []
    for scope, text in case.all("policy"):
        format_ = "xml" if scope.endswith(" xml") else "rawxml"
        source = Source(f"{scope.split()[0]}.xml", text)
        result = compile_document(source, Scope(scope.split()[0]), context, format=format_)  # type: ignore[arg-type]
        out += [render(source, d) for d in result.diagnostics]
        if result.document is None:
            assert has_errors(result.diagnostics)
            return "\n".join(out)
        pipeline = (result.document.traced() if tracing else result.document).bind(pipeline)
    services = scripted(case)
    prompt, _, completion = case.one("usage").strip().partition(" ")
    usage = Usage(int(prompt), int(completion), int(prompt) + int(completion)) if prompt else None
    requests = [text for _, text in case.all("request")] or [
        "POST http://gate/openai/deployments/d/chat/completions"
    ]
    for number, text in enumerate(requests, 1):
        if len(requests) > 1:
            out.append(f"--- call {number}")
        exchange = exchange_of(text, services)
        declare(case, exchange, services)
        if case.one("examples"):
            examples = tuple(Example(*e) for e in json.loads(case.one("examples")))
            exchange.operation = msgspec.structs.replace(OPERATION, examples=examples)
        if traces is not None:
            trace.start(exchange, [v.value for v in values.values() if v.secret])
        asyncio.run(trial.run(pipeline, exchange, services, usage))
        if traces is not None:
            traces += [f"--- call {number}"] if len(requests) > 1 else []
            traces += tree(trace.document(exchange), times=False)
        out += report(exchange, services)
        services.forwarded.clear()
        services.sent.clear()
        services.pauses.clear()
        services.metrics.emitted.clear()
        services.events.sent.clear()
    return "\n".join(out)


def scripted(case: Case) -> ScriptedServices:
    """The services as the case's parts script them."""
    services = ScriptedServices()
    for named, token in settings(case.one("tokens")):
        resource, _, client_id = named.partition(" ")
        services.tokens.put(resource, token, client_id or None)
    backends = [(how, text) for how, text in case.all("backend")] or [("", "200 OK\n\n{}")]

    def backend(_exchange: Exchange) -> ResponseState:
        how, text = backends.pop(0) if len(backends) > 1 else backends[0]
        if how == "fails":
            error = LastError("forward-request", "BackendConnectionFailure", "connection refused")
            raise PolicyFailure(error)
        return message(text)

    answers: dict[tuple[str, str], list[str]] = {}
    for argument, text in case.all("answer"):
        method, _, url = argument.partition(" ")
        answers.setdefault((method, url), []).append(text)

    def answer(request: OutboundRequest) -> ResponseState:
        url = f"{request.backend_id}:{request.url}" if request.backend_id else request.url
        if ("fails", url) in answers:
            raise Upstream(f"cannot connect to {url}")
        found = answers.get((request.method, url))
        if found is None:
            return empty_200(request)
        return message(found.pop(0) if len(found) > 1 else found[0])

    services.backend, services.answer = backend, answer
    for url, text in case.all("openid"):
        known = json.loads(text)
        services.signing_keys.known[url] = OpenIdKeys(known["issuer"], known["keys"])
    for name, text in case.all("certificate"):
        known_as, _, with_key = name.partition(" ")
        key = "the key" if with_key else ""
        services.certificates.known[known_as] = Certificate(known_as, known_as.upper(), text, key)
    for name, text in case.all("authorization"):
        provider, _, connection = name.partition(" ")
        services.authorizations.known[provider, connection] = Authorization(text.strip(), {})
    return services


def bound(
    text: str, scope: Scope, context: CompileContext, base: Pipeline, *, tracing: bool = False
) -> Pipeline:
    document = compile_document(Source("base.xml", text), scope, context).document
    assert document is not None
    return (document.traced() if tracing else document).bind(base)


def declare(case: Case, exchange: Exchange, services: ScriptedServices) -> None:
    """What the operation declares, the schemas that this and policies name, and what the client showed."""
    exchange.request.certificate = case.one("client-certificate") or None
    schemas = tuple(
        Schema(*(name.split() if " " in name else (name, "json")), text) for name, text in case.all("schema")
    )
    if schemas:
        exchange.api = msgspec.structs.replace(exchange.api, schemas=schemas)
        services.deployment = msgspec.structs.replace(services.deployment, schemas=schemas)
    if case.one("contract"):
        contract = msgspec.json.decode(case.one("contract"), type=Contract)
        exchange.operation = msgspec.structs.replace(exchange.operation, contract=contract)


def exchange_of(text: str, services: ScriptedServices) -> Exchange:
    head, _, body = text.strip("\n").partition("\n\n")
    first, *lines = head.splitlines()
    method, _, url_text = first.partition(" ")
    url = parse_url(url_text)
    headers = Headers.of(
        (n.strip().lower().encode(), v.strip().encode()) for n, _, v in (x.partition(":") for x in lines)
    )
    path = url.path.removeprefix("/openai")
    request = RequestState(method, url, headers, Body(body.encode()), "10.1.2.3", path, url.query)
    found = re.match(r"/deployments/([^/]+)/", path)
    request.matched = {"deployment-id": found[1]} if found else {}
    # 2026-07-01T12:00:00Z: tokens and certificates of cases are made for it.
    exchange = Exchange(
        "0123456789abcdef0123456789abcdef", request, services, started_ns=1_782_907_200 * 10**9
    )
    exchange.api, exchange.operation = API, OPERATION
    exchange.product, exchange.subscription = PRODUCT, SUBSCRIPTION
    return exchange


def message(text: str) -> ResponseState:
    head, _, body = text.strip("\n").partition("\n\n")
    first, *lines = head.splitlines()
    status, _, reason = first.partition(" ")
    headers = Headers.of(
        (n.strip().lower().encode(), v.strip().encode()) for n, _, v in (x.partition(":") for x in lines)
    )
    return ResponseState(int(status), reason, headers, Body(body.encode()))


def report(exchange: Exchange, services: ScriptedServices) -> list[str]:
    out: list[str] = [failure(e) for e in exchange.errors]
    for method, url, headers, body in services.forwarded:
        out.append(f"backend: {method} {url}")
        out += [f"  {n.decode()}: {v.decode()}" for n, v in headers]
        if body:
            out.append(f"  body: {body.decode()}")
    for each in services.sent:
        at = f"{each.backend_id}:{each.url}" if each.backend_id else each.url
        extra = "".join(
            f" {n}={v}"
            for n, v in (
                ("certificate", each.certificate and each.certificate.thumbprint),
                (
                    "proxy",
                    each.proxy and each.proxy.url + (" with a password" * bool(each.proxy.authorization)),
                ),
            )
            if v
        )
        out.append(f"sent: {each.method} {at} within {each.timeout_s:g} s{extra}")
        out += [f"  {n.decode()}: {v.decode()}" for n, v in each.headers]
        if each.body:
            out.append(f"  body: {each.body.decode()}")
    out += [f"pause: {seconds:g} s" for seconds in services.pauses]
    out += [f"counter: {key} = {taken}" for key, taken in services.counters.taken.items()]
    for namespace, name, value, dimensions in services.metrics.emitted:
        shown = ", ".join(f"{k}={v}" for k, v in dimensions.items())
        out.append(f"metric: {namespace} {name} {value:g} {shown}".rstrip())
    for logger, partition, data in services.events.sent:
        out.append(f"event: {logger}{f' [{partition}]' if partition else ''} {data.decode()}")
    if exchange.certificate is not None:
        out.append(f"client certificate: {exchange.certificate.thumbprint}")
    if exchange.proxy is not None:
        out.append(f"proxy: {exchange.proxy.url}{' with a password' * bool(exchange.proxy.authorization)}")
    said = trace_records.shown(exchange, "verbose")
    # What `context.Trace` says is there only while a call is traced.
    for _, source, severity, text, metadata in (s for s in said if s[1] != "context.Trace"):
        out.append(f"{severity} from {source}: {text}" + "".join(f", {k}={v}" for k, v in metadata.items()))
    response = exchange.response
    if response is not None:
        out.append(f"response: {response.status} {response.reason}")
        out += [f"  {n.decode()}: {v.decode()}" for n, v in response.headers]
        if response.body.data:
            out.append(f"  body: {response.body.data.decode()}")
    if exchange.caller:
        out.append("caller: " + ", ".join(f"{k}={v}" for k, v in exchange.caller.items()))
    for name, value in exchange.variables.items():
        secret = " (secret)" if exchange.tainted is not None and name in exchange.tainted else ""
        shown = to_string(value).replace("\r\n", "\n")
        out.append(f"variable {name}: {type(value).__name__} = {shown}{secret}")
    return out


def failure(error: LastError) -> str:
    place = f"{error.scope}/{error.section} {error.path}" + (
        f" id={error.policy_id}" if error.policy_id else ""
    )
    return f"error: {error.source} {error.reason} at {place}: {error.message}"
