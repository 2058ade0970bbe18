"""From a bundle to a runtime: policies compiled, routes laid, keys indexed. Slow work, done off the event loop.

Documents are compiled once per text: what did not change from one version to the next is taken over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from aforo.llm.catalog import wire_of
from aforo.llm.prices import PriceList
from aforo.llm.stateful import stateful_of
from aforo.model.kind import REFERENCE
from aforo.policy.compile import CompileContext, CompileResult, compile_document
from aforo.policy.named_values import NamedValue
from aforo.policy.pipeline import Document
from aforo.policy.scopes import Scope
from aforo.policy.services import Certificate
from aforo.policy.subject import Api
from aforo.snapshot.routes import Router
from aforo.snapshot.runtime import ApiRuntime, KeyHolder, LogNames, OperationRuntime, Runtime
from aforo.snapshot.schemas import schema_problems
from aforo.snapshot.snapshot import ApiEntry, BackendEntry, Bundle, LogPlan, MessageLog, ProductEntry
from aforo.source import Diagnostic, Source, has_errors
from aforo.spool.records import (
    WITHHOLD_BACKEND_REQUEST,
    WITHHOLD_BACKEND_RESPONSE,
    WITHHOLD_REQUEST,
    WITHHOLD_RESPONSE,
)

Open = Callable[[str], str]  # a sealed named value -> its text


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic with the text that it speaks of."""

    source: Source
    diagnostic: Diagnostic


@dataclass(slots=True)
class Built:
    """What became of a bundle: `runtime` is None when some document has errors."""

    runtime: Runtime | None
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Builder:
    """Builds runtimes, remembering compiled documents from one to the next."""

    open_sealed: Open
    _compiled: dict[tuple[str, str, Scope], CompileResult] = field(default_factory=dict)
    _context: CompileContext | None = None

    def build(self, bundle: Bundle) -> Built:
        """Compile everything of a bundle; every mistake of every document is in the answer."""
        named = {
            n.name: NamedValue(self.open_sealed(n.value) if n.secret else n.value, n.secret)
            for n in bundle.named_values
        }
        context = CompileContext(
            named_values=named,
            fragments=dict(bundle.fragments),
            external_cache=bundle.external_cache is not None,
            backends=frozenset(b.id for b in bundle.backends),
        )
        known = self._compiled if context == self._context else {}
        work = _Work(context, known)
        runtime = _runtime(bundle, work, named, self._certificates(bundle))
        self._context = context
        self._compiled = work.used
        failed = has_errors([p.diagnostic for p in work.problems])
        # A gateway goes on without a schema that is broken: what is to be validated by it says so. Control refuses it.
        problems = (*work.problems, *(Problem(source, d) for source, d in schema_problems(bundle)))
        return Built(None if failed else runtime, problems)

    def _certificates(self, bundle: Bundle) -> dict[str, Certificate]:
        made = [
            Certificate(c.id, c.thumbprint, c.pem, self.open_sealed(c.key) if c.key else "")
            for c in bundle.certificates
        ]
        # An id wins over another one's thumbprint.
        return {c.thumbprint.lower(): c for c in made} | {c.id.lower(): c for c in made}


class _Work:
    """One build under way."""

    def __init__(self, context: CompileContext, known: dict[tuple[str, str, Scope], CompileResult]) -> None:
        self.context = context
        self.known = known
        self.used: dict[tuple[str, str, Scope], CompileResult] = {}
        self.problems: list[Problem] = []

    def document(self, name: str, text: str | None, scope: Scope) -> Document | None:
        if text is None:
            return None
        key = (name, text, scope)
        result = self.known.get(key)
        if result is None:
            result = compile_document(Source(name, text), scope, self.context)
        self.used[key] = result
        self.problems.extend(Problem(result.source, d) for d in result.diagnostics)
        return result.document


def _runtime(
    bundle: Bundle,
    work: _Work,
    named: Mapping[str, NamedValue],
    certificates: Mapping[str, Certificate],
) -> Runtime:
    router: Router[ApiRuntime, OperationRuntime] = Router()
    fill = _filler(named)
    filled = [_filled_api(e, fill) for e in bundle.apis]
    current = {e.subject.id: e.subject for e in filled if e.subject.is_current_revision}
    products = {
        p.subject.id: (
            _with_apis(p, current),
            work.document(f"products/{p.subject.id}/policy.xml", p.policy, Scope.PRODUCT),
        )
        for p in bundle.products
    }
    for entry in filled:
        mine = [p for p in bundle.products if entry.subject.id in p.apis]
        opened = next((p.subject.id for p in mine if not p.subject.subscription_required), None)
        api = _api(entry, work, frozenset(p.subject.id for p in mine), opened)
        where = _where(entry)
        operations = []
        for o in entry.operations:
            subject = o.subject
            text = work.document(f"{where}/operations/{subject.id}/policy.xml", o.policy, Scope.OPERATION)
            runtime = OperationRuntime(
                o,
                text,
                wire_of(subject.method, subject.url_template),
                stateful_of(subject.method, subject.url_template) if entry.owned else None,
            )
            operations.append((subject.method, subject.url_template, runtime))
        router.add(api, entry.subject.path, operations)
    users = {u.id: u for u in bundle.users}
    keys = {
        digest: KeyHolder(entry, users.get(entry.user_id) if entry.user_id else None)
        for entry in bundle.subscriptions
        for digest in entry.key_hashes
    }
    backends = {b.id: _filled_backend(b, fill) for b in bundle.backends}
    return Runtime(
        bundle=bundle,
        router=router,
        keys=keys,
        products=products,
        backends=backends,
        secrets=tuple(dict.fromkeys((*_secrets(named), *_credentials(backends.values())))),
        global_document=work.document("policy.xml", bundle.global_policy, Scope.GLOBAL),
        certificates=certificates,
        prices=PriceList(bundle.prices, bundle.deployments),
        loggers=tuple(
            msgspec.structs.replace(
                e, name=fill(e.name), connection=fill(e.connection), endpoint=fill(e.endpoint)
            )
            for e in bundle.loggers
        ),
        authorizations=tuple(
            msgspec.structs.replace(
                e, client_secret=fill(e.client_secret), refresh_token=fill(e.refresh_token)
            )
            for e in bundle.authorizations
        ),
        external_cache=(
            msgspec.structs.replace(bundle.external_cache, connection=fill(bundle.external_cache.connection))
            if bundle.external_cache is not None
            else None
        ),
    )


def _with_apis(entry: ProductEntry, current: Mapping[str, Api]) -> ProductEntry:
    """A product that knows its APIs, as `context.Product.Apis` shows them."""
    apis = tuple(current[name] for name in entry.apis if name in current)
    return msgspec.structs.replace(entry, subject=msgspec.structs.replace(entry.subject, apis=apis))


def _where(entry: ApiEntry) -> str:
    """How documents of an API are named; control finds the resource by it (`commit._documents`)."""
    subject = entry.subject
    revision = "" if subject.is_current_revision else f";rev={subject.revision}"
    return f"apis/{subject.id}{revision}"


def _filled_api(entry: ApiEntry, fill: Callable[[str], str]) -> ApiEntry:
    """The API with the named values in its address."""
    url = fill(entry.subject.service_url)
    if url == entry.subject.service_url:
        return entry
    return msgspec.structs.replace(entry, subject=msgspec.structs.replace(entry.subject, service_url=url))


def _api(entry: ApiEntry, work: _Work, products: frozenset[str], opened: str | None) -> ApiRuntime:
    subject = entry.subject
    log = entry.log
    return ApiRuntime(
        entry=entry,
        document=work.document(f"{_where(entry)}/policy.xml", entry.policy, Scope.API),
        key_header=subject.key_header.lower().encode("latin-1"),
        key_query=subject.key_query,
        products=products,
        open_product=opened,
        log_names=LogNames(
            _names(log.frontend_request),
            _names(log.frontend_response),
            _names(log.backend_request),
            _names(log.backend_response),
        ),
        withheld=_withheld(log),
    )


def _withheld(log: LogPlan) -> int:
    """The bodies that are kept for the messages' log alone, because the diagnostic wants none in the gateway's."""
    parts = (
        (log.frontend_request, WITHHOLD_REQUEST),
        (log.frontend_response, WITHHOLD_RESPONSE),
        (log.backend_request, WITHHOLD_BACKEND_REQUEST),
        (log.backend_response, WITHHOLD_BACKEND_RESPONSE),
    )
    return sum(bit for part, bit in parts if part.body_bytes == 0)


def _names(log: MessageLog) -> frozenset[bytes]:
    return frozenset(name.lower().encode("latin-1", "replace") for name in log.headers)


_LIKE_KEY = re.compile(r"key|token|secret|auth|pass|cred|sig|code", re.IGNORECASE)


def _secrets(named: Mapping[str, NamedValue]) -> list[str]:
    return [v.value for v in named.values() if v.secret and v.value]


def _credentials(backends: Iterable[BackendEntry]) -> Iterator[str]:
    """What backends are shown of us, as it stands in the configuration. Not every header that they want is a credential."""
    for entry in backends:
        for name, values in (*entry.headers, *entry.query):
            if _LIKE_KEY.search(name) is not None:
                yield from values
        if entry.authorization is not None:
            yield entry.authorization[1]
        if entry.proxy is not None and entry.proxy[2]:
            yield entry.proxy[2]


def _filler(named: Mapping[str, NamedValue]) -> Callable[[str], str]:
    """Puts named values into a text; a name that nobody has stays as it is (control refuses it)."""

    def value_of(match: re.Match[str]) -> str:
        known = named.get(match[1])
        return match[0] if known is None else known.value

    return lambda text: REFERENCE.sub(value_of, text)


def _filled_backend(backend: BackendEntry, fill: Callable[[str], str]) -> BackendEntry:
    """The backend with the named values in its address and its credentials."""

    def fill_all(pairs: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple((name, tuple(fill(v) for v in values)) for name, values in pairs)

    authorization = backend.authorization
    return msgspec.structs.replace(
        backend,
        url=fill(backend.url),
        headers=fill_all(backend.headers),
        query=fill_all(backend.query),
        authorization=None if authorization is None else (authorization[0], fill(authorization[1])),
        certificate=fill(backend.certificate),
        proxy=None
        if backend.proxy is None
        else (fill(backend.proxy[0]), fill(backend.proxy[1]), fill(backend.proxy[2])),
    )
