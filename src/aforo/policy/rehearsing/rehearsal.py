"""One policy document against one request in wire form, with scripted backends: what `aforo policy try` runs.

Texts in, a plain result out. Files, terminals and real connections are not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aforo.errors import Invalid
from aforo.messages import Headers, Url, parse_url
from aforo.policy import masking
from aforo.policy.compile import CompileContext, CompileResult, compile_document
from aforo.policy.exchange import Body, Exchange, RequestState, ResponseState
from aforo.policy.masking import MASK, Secrets
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.rehearsing import trial
from aforo.policy.rehearsing.scripted import ScriptedServices, ScriptedTokens, answer_200, empty_200
from aforo.policy.scopes import Scope
from aforo.policy.services import OutboundRequest
from aforo.policy.subject import Api, Operation, Product, Subscription
from aforo.policy.tracing import records as trace_records
from aforo.policy.tracing import trace
from aforo.source import Source

# What a service has that nobody gave a global policy: without it nothing would be forwarded.
_GLOBAL: Final = (
    "<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>"
)


@dataclass(frozen=True, slots=True)
class Script:
    """What the call meets. `backends` are responses of the attempts, the last one stays; `answers` are those to requests
    of policies, by (method or "", URL)."""

    request: bytes
    backends: Sequence[bytes] = ()
    answers: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    api_path: str = ""  # what of the path is the API's and not sent to the backend
    product: str = ""
    subscription: str = "try"
    client_ip: str = "127.0.0.1"


class _AnyTokens(ScriptedTokens):
    """A gateway's identity that gets a token for everything."""

    __slots__ = ()

    def cached(self, resource: str, client_id: str | None) -> str | None:
        return f"token-of-{client_id or 'the-gateway'}-for-{resource}"


async def rehearse(
    result: CompileResult, context: CompileContext, script: Script, *, traced: bool
) -> dict[str, Any]:
    """Run a document that compiles; what came of it as JSON-like values. Invalid says what is wrong with a message."""
    document = result.document
    assert document is not None
    pipeline = EMPTY
    if document.scope is not Scope.GLOBAL:
        base = compile_document(Source("global.xml", _GLOBAL), Scope.GLOBAL, context).document
        assert base is not None
        pipeline = (base.traced() if traced else base).bind(EMPTY)
    bound: Pipeline = (document.traced() if traced else document).bind(pipeline)
    services = _services(script)
    exchange = _exchange(script, services)
    if traced:
        trace.start(exchange, document.secrets)
    secrets = Secrets(document.secrets)
    masking.gather(exchange, secrets)
    await trial.run(bound, exchange, services)
    masking.gather(exchange, secrets)
    out = _told(exchange, services, secrets)
    if traced:
        out["trace"] = trace.document(exchange)
    return out


# --- messages in wire form ---------------------------------------------------------------------------------------


def read_request(data: bytes) -> tuple[str, Url, Headers, bytes]:
    """`METHOD target [HTTP/1.1]`, header lines, an empty line, the body; the target may be an absolute URL."""
    first, headers, body = _message(data, "a request")
    method, _, rest = first.partition(" ")
    target = rest.strip()
    for version in ("HTTP/1.1", "HTTP/1.0", "HTTP/2"):
        target = target.removesuffix(version).strip()
    if not method.isalpha() or not target:
        raise Invalid(f"a request begins with `METHOD path`, not with {first[:60]!r}")
    if target.startswith("/"):
        host = (headers.get(b"host") or b"localhost").decode("latin-1")
        target = f"https://{host}{target}"
    try:
        return method.upper(), parse_url(target), headers, body
    except ValueError as error:
        raise Invalid(f"the URL of the request is not good: {error}") from error


def read_response(data: bytes) -> ResponseState:
    """`[HTTP/1.1] 200 OK`, header lines, an empty line, the body."""
    first, headers, body = _message(data, "a response")
    words = first.split(None, 2)
    if words and words[0].upper().startswith("HTTP/"):
        words = words[1:]
    code, reason = words[0] if words else "", " ".join(words[1:])
    if not (code.isdecimal() and len(code) == 3):
        raise Invalid(f"a response begins with `HTTP/1.1 200 OK`, not with {first[:60]!r}")
    return ResponseState(int(code), reason, headers, Body(body))


def _message(data: bytes, what: str) -> tuple[str, Headers, bytes]:
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    lines: list[str] = []
    while True:
        line, found, text = text.partition(b"\n")
        plain = line.rstrip(b"\r").decode("utf-8", "replace")
        if not plain.strip():
            break
        # Editors for such files have comments before the first line.
        if lines or not plain.startswith(("#", "//")):
            lines.append(plain)
        if not found:
            break
    if not lines:
        raise Invalid(f"{what} has a first line, this has none")
    headers = Headers()
    for line_text in lines[1:]:
        name, colon, value = line_text.partition(":")
        if not colon or not name.strip() or name != name.strip():
            raise Invalid(f"{line_text[:60]!r} is no header line of {what}")
        headers.append(name.lower().encode("latin-1", "replace"), value.strip().encode())
    length = headers.get(b"content-length")
    if length is not None and length.isdigit():
        return lines[0].strip(), headers, text[: int(length)]
    # The line end that an editor leaves at the end of a file.
    return lines[0].strip(), headers, text.removesuffix(b"\n").removesuffix(b"\r")


# --- the call ----------------------------------------------------------------------------------------------------


def _services(script: Script) -> ScriptedServices:
    services = ScriptedServices(tokens=_AnyTokens())
    backends = list(script.backends)

    def backend(exchange: Exchange) -> ResponseState:
        if not backends:
            return answer_200(exchange)
        return read_response(backends.pop(0) if len(backends) > 1 else backends[0])

    def answer(request: OutboundRequest) -> ResponseState:
        url = f"{request.backend_id}:{request.url}" if request.backend_id else request.url
        found = script.answers.get((request.method.upper(), url)) or script.answers.get(("", url))
        return empty_200(request) if found is None else read_response(found)

    for each in (*backends, *script.answers.values()):
        read_response(each)  # what is wrong with them is told before anything runs
    services.backend, services.answer = backend, answer
    return services


def _exchange(script: Script, services: ScriptedServices) -> Exchange:
    method, url, headers, body = read_request(script.request)
    prefix = "/" + script.api_path.strip("/") if script.api_path.strip("/") else ""
    path = url.path[len(prefix) :] if url.path.startswith(prefix) else url.path
    request = RequestState(method, url, headers, Body(body), script.client_ip, path or "/", url.query)
    request.headers.remove(b"host")
    exchange = Exchange("0123456789abcdef0123456789abcdef", request, services)
    exchange.api = Api(
        "api",
        "API",
        prefix.lstrip("/"),
        "1",
        "",
        "https://api",
        True,
        ("https",),
        "Ocp-Apim-Subscription-Key",
        "subscription-key",
    )
    exchange.operation = Operation("operation", "Operation", method, path)
    if script.product:
        exchange.product = Product(script.product, script.product, "Published", True, False, None, ())
    if script.subscription:
        exchange.subscription = Subscription(script.subscription, script.subscription, 0, None, None)
    return exchange


# --- what came of it ---------------------------------------------------------------------------------------------


def _told(exchange: Exchange, services: ScriptedServices, secrets: Secrets) -> dict[str, Any]:
    response = exchange.response or empty_200(None)
    tainted = exchange.tainted or set()

    def fields(headers: Sequence[tuple[bytes, bytes]]) -> list[list[str]]:
        return [
            [
                n.decode("latin-1"),
                MASK if masking.is_credential(exchange, n.decode("latin-1")) else secrets.mask(_plain(v)),
            ]
            for n, v in headers
        ]

    return {
        "response": {
            "status": response.status,
            "reason": response.reason,
            "headers": [[n.decode("latin-1"), _plain(v)] for n, v in response.headers],
            "body": _plain(response.body.data or b""),
        },
        "errors": [
            {
                "source": e.source,
                "reason": e.reason,
                "message": e.message,
                "scope": e.scope,
                "section": e.section,
                "path": e.path,
                "policyId": e.policy_id,
            }
            for e in exchange.errors
        ],
        "backendRequests": [
            {
                "method": method,
                "url": secrets.mask(url),
                "headers": fields(headers),
                "body": secrets.mask(_plain(body or b"")),
            }
            for method, url, headers, body in services.forwarded
        ],
        "policyRequests": [
            {
                "method": sent.method,
                "url": secrets.mask(f"{sent.backend_id}:{sent.url}" if sent.backend_id else sent.url),
                "headers": fields(sent.headers),
                "body": secrets.mask(_plain(sent.body)),
            }
            for sent in services.sent
        ],
        "events": [
            {"logger": logger, "partition": partition, "body": secrets.mask(_plain(data))}
            for logger, partition, data in services.events.sent
        ],
        "metrics": [
            {"namespace": namespace, "name": name, "value": value, "dimensions": dimensions}
            for namespace, name, value, dimensions in services.metrics.emitted
        ],
        "messages": [
            {"source": source, "severity": severity, "message": message, "metadata": metadata}
            for _, source, severity, message, metadata in trace_records.shown(exchange, "verbose")
        ],
        "variables": {
            name: MASK if name in tainted else _masked(secrets, value)
            for name, value in exchange.variables.items()
        },
    }


def _masked(secrets: Secrets, value: Any) -> str | None:
    if isinstance(value, ResponseState):
        return f"response {value.status} {value.reason}".strip()
    text = masking.shown(value)
    return None if text is None else secrets.mask(text)


def _plain(data: bytes) -> str:
    return data.decode("utf-8", "replace")
