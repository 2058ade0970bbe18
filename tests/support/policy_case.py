"""A golden policy case: one text file with documents, a request and what comes of it. Read, run, written back.

Parts begin with `=== name`: `policy SCOPE` (broad ones first), `fragment NAME`, `values` (`name = value`, with
`secret` in front), `tokens` (`resource = token`), `request`, `backend` and the expected part `result`.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aforo.csharp.runtime.objects import to_string
from aforo.messages import Headers, parse_url
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.exchange import (
    Body,
    Exchange,
    LastError,
    PolicyFailure,
    RequestState,
    ResponseState,
    Returned,
)
from aforo.policy.named_values import NamedValue
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.scopes import Scope
from aforo.policy.subject import Api, Operation, Product, Subscription
from aforo.source import Source, has_errors, render
from tests.support.fake_services import FakeServices

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
    path: Path
    parts: tuple[tuple[str, str], ...]

    def all(self, word: str) -> list[tuple[str, str]]:
        """(argument, text) of the parts of that name."""
        return [(n.partition(" ")[2], t) for n, t in self.parts if n.partition(" ")[0] == word]

    def one(self, word: str) -> str:
        found = self.all(word)
        return found[0][1] if found else ""

    def with_result(self, result: str) -> str:
        kept = [f"=== {n}\n{t.strip(chr(10))}\n" for n, t in self.parts if n != "result"]
        return "\n".join([*kept, f"=== result\n{result}\n"])


def read(path: Path) -> Case:
    pieces = re.split(r"^=== (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return Case(path, tuple(zip(pieces[1::2], pieces[2::2], strict=True)))


def settings(text: str) -> list[tuple[str, str]]:
    return [
        (a.strip(), b.strip()) for a, _, b in (line.partition("=") for line in text.splitlines()) if a.strip()
    ]


def run(case: Case) -> str:
    """What the case comes to, as text: diagnostics, or error, backend requests, response and variables."""
    values = {
        name.removeprefix("secret "): NamedValue(value, name.startswith("secret "))
        for name, value in settings(case.one("values"))
    }
    context = CompileContext(values, dict(case.all("fragment")))
    pipeline = bound(GLOBAL, Scope.GLOBAL, context, EMPTY)
    out: list[str] = []
    for scope, text in case.all("policy"):
        format_ = "xml" if scope.endswith(" xml") else "rawxml"
        source = Source(f"{scope.split()[0]}.xml", text)
        result = compile_document(source, Scope(scope.split()[0]), context, format=format_)  # type: ignore[arg-type]
        out += [render(source, d) for d in result.diagnostics]
        if result.document is None:
            assert has_errors(result.diagnostics)
            return "\n".join(out)
        pipeline = result.document.bind(pipeline)
    services = FakeServices()
    for resource, token in settings(case.one("tokens")):
        services.tokens.put(resource, token)
    services.backend = lambda _x: message(case.one("backend") or "200 OK\n\n{}")
    exchange = exchange_of(
        case.one("request") or "POST http://gate/openai/deployments/d/chat/completions", services
    )
    call(pipeline, exchange)
    return "\n".join([*out, *report(exchange, services)])


def bound(text: str, scope: Scope, context: CompileContext, base: Pipeline) -> Pipeline:
    document = compile_document(Source("base.xml", text), scope, context).document
    assert document is not None
    return document.bind(base)


def exchange_of(text: str, services: FakeServices) -> Exchange:
    head, _, body = text.strip("\n").partition("\n\n")
    first, *lines = head.splitlines()
    method, _, url_text = first.partition(" ")
    url = parse_url(url_text)
    headers = Headers(
        (n.strip().lower().encode(), v.strip().encode()) for n, _, v in (x.partition(":") for x in lines)
    )
    path = url.path.removeprefix("/openai")
    request = RequestState(method, url, headers, Body(body.encode()), "10.1.2.3", path, url.query)
    found = re.match(r"/deployments/([^/]+)/", path)
    request.matched = {"deployment-id": found[1]} if found else {}
    exchange = Exchange("0123456789abcdef0123456789abcdef", request, services)
    exchange.api, exchange.operation = API, OPERATION
    exchange.product, exchange.subscription = PRODUCT, SUBSCRIPTION
    return exchange


def message(text: str) -> ResponseState:
    head, _, body = text.strip("\n").partition("\n\n")
    first, *lines = head.splitlines()
    status, _, reason = first.partition(" ")
    headers = Headers(
        (n.strip().lower().encode(), v.strip().encode()) for n, _, v in (x.partition(":") for x in lines)
    )
    return ResponseState(int(status), reason, headers, Body(body.encode()))


def step(section: Any, exchange: Exchange) -> None:
    """Runs a section; with these services it never suspends."""
    if section is None:
        return
    running: Coroutine[Any, Any, None] = section(exchange)
    try:
        running.send(None)
    except StopIteration:
        return
    raise AssertionError("the section waits for something")


def call(pipeline: Pipeline, exchange: Exchange) -> None:
    """The order in which a gateway runs sections, with the built-in answer before on-error."""
    try:
        for name in ("inbound", "backend", "outbound"):
            exchange.section = name
            step(getattr(pipeline, name), exchange)
    except Returned:
        return
    except PolicyFailure as failure:
        error = failure.error
        exchange.last_error = error
        exchange.errors.append(error)
        exchange.response = failure.response or ResponseState(
            error.http_status, "Internal Server Error", Headers(), Body(b"")
        )
        try:
            step(pipeline.on_error, exchange)
        except Returned:
            return


def report(exchange: Exchange, services: FakeServices) -> list[str]:
    out: list[str] = [failure(e) for e in exchange.errors]
    for method, url, headers, body in services.forwarded:
        out.append(f"backend: {method} {url}")
        out += [f"  {n.decode()}: {v.decode()}" for n, v in headers]
        if body:
            out.append(f"  body: {body.decode()}")
    response = exchange.response
    if response is not None:
        out.append(f"response: {response.status} {response.reason}")
        out += [f"  {n.decode()}: {v.decode()}" for n, v in response.headers]
        if response.body.data:
            out.append(f"  body: {response.body.data.decode()}")
    for name, value in exchange.variables.items():
        secret = " (secret)" if exchange.tainted is not None and name in exchange.tainted else ""
        out.append(f"variable {name}: {type(value).__name__} = {to_string(value)}{secret}")
    return out


def failure(error: LastError) -> str:
    place = f"{error.scope}/{error.section} {error.path}" + (
        f" id={error.policy_id}" if error.policy_id else ""
    )
    return f"error: {error.source} {error.reason} at {place}: {error.message}"
