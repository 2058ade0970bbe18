"""A bundle made ready to serve: routes, key table, pipelines. Immutable once built, but for what it remembers.

The gateway reads it and never builds it: build.py does, off the event loop, through what `app` injects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aforo.llm.prices import PriceList
from aforo.llm.stateful import Stateful
from aforo.policy.pipeline import EMPTY, Document, Pipeline
from aforo.policy.scopes import Scope, broad_first
from aforo.policy.services import Certificate
from aforo.policy.subject import User
from aforo.snapshot.routes import Router
from aforo.snapshot.snapshot import (
    ApiEntry,
    AuthorizationEntry,
    BackendEntry,
    Bundle,
    CacheEntry,
    LoggerEntry,
    OperationEntry,
    ProductEntry,
    SubscriptionEntry,
)
from aforo.spool.records import LOG_LLM_REQUESTS, LOG_LLM_RESPONSES


@dataclass(frozen=True, slots=True)
class LogNames:
    """Header names of an API's diagnostic as the wire has them, looked up per header of a call."""

    frontend_request: frozenset[bytes]
    frontend_response: frozenset[bytes]
    backend_request: frozenset[bytes]
    backend_response: frozenset[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class OperationRuntime:
    """An operation. `wire` tells how a model's bodies are read (`chat`, ...), "" when they are not a model's."""

    entry: OperationEntry
    document: Document | None
    wire: str
    stateful: Stateful | None = None  # what it does with things that model services keep for their callers


@dataclass(frozen=True, slots=True, eq=False)
class ApiRuntime:
    """An API. Key names are lower-case bytes for headers, plain text for the query."""

    entry: ApiEntry
    document: Document | None
    key_header: bytes
    key_query: str
    products: frozenset[str]
    open_product: str | None
    log_names: LogNames
    refused_scheme: str = field(init=False)  # the one that its `protocols` leave out, "" for none
    withheld: int = 0  # `spool.records.WITHHOLD_*`: bodies that the diagnostic wants in no gateway log
    llm_flags: int = field(init=False)  # of `CallRecord.log_flags`, for calls of a model's operations

    def __post_init__(self) -> None:
        offered = self.entry.subject.protocols
        refused = next((scheme for scheme in ("http", "https") if scheme not in offered), "")
        object.__setattr__(self, "refused_scheme", refused)
        log = self.entry.log
        flags = (LOG_LLM_REQUESTS if log.llm_requests else 0) | (
            LOG_LLM_RESPONSES if log.llm_responses else 0
        )
        object.__setattr__(self, "llm_flags", flags | self.withheld)


@dataclass(frozen=True, slots=True, eq=False)
class KeyHolder:
    """Whose key it is, and what it opens."""

    entry: SubscriptionEntry
    user: User | None
    active: bool = field(init=False)
    product_id: str = field(init=False)  # "" when its scope is no product

    def __post_init__(self) -> None:
        active = self.entry.state == "active" and (self.user is None or self.user.state == "active")
        kind, _, name = self.entry.scope.partition(":")
        object.__setattr__(self, "active", active)
        object.__setattr__(self, "product_id", name if kind == "product" else "")


@dataclass(slots=True)
class Runtime:
    """Everything that serving needs, for one version of the configuration."""

    bundle: Bundle
    router: Router[ApiRuntime, OperationRuntime]
    keys: Mapping[bytes, KeyHolder]
    products: Mapping[str, tuple[ProductEntry, Document | None]]
    backends: Mapping[str, BackendEntry]
    global_document: Document | None
    certificates: Mapping[str, Certificate] = field(default_factory=dict)  # by id and thumbprint, lower case
    authorizations: tuple[AuthorizationEntry, ...] = field(
        default=(), repr=False
    )  # with their secrets in clear
    loggers: tuple[LoggerEntry, ...] = field(default=(), repr=False)  # with their credentials in clear
    external_cache: CacheEntry | None = field(default=None, repr=False)  # with its credentials in clear
    # Named values and credentials of backends that nobody may read: no record, no error and no log shows them.
    secrets: tuple[str, ...] = field(default=(), repr=False)
    prices: PriceList = field(default_factory=PriceList)
    _pipelines: dict[tuple[ApiRuntime, OperationRuntime | None, str], Pipeline] = field(default_factory=dict)
    _traced: dict[tuple[ApiRuntime, OperationRuntime | None, str], Pipeline] = field(default_factory=dict)

    def pipeline(self, api: ApiRuntime, operation: OperationRuntime | None, product_id: str) -> Pipeline:
        """The bound sections of a call; `product_id` is "" outside a product. Bound when first needed."""
        key = (api, operation, product_id)
        found = self._pipelines.get(key)
        if found is None:
            found = self._pipelines[key] = self._bind(api, operation, product_id)
        return found

    def traced_pipeline(
        self, api: ApiRuntime, operation: OperationRuntime | None, product_id: str
    ) -> tuple[Pipeline, tuple[str, ...]]:
        """The same sections in the variant that tells `Exchange.trace` what it does, compiled when first needed, and
        the secret named values that their documents may refer to."""
        found = self._traced.get((api, operation, product_id))
        if found is None:
            found = self._bind(api, operation, product_id, traced=True)
            self._traced[api, operation, product_id] = found
        secrets = {s for d in self._chain(api, operation, product_id) for s in d.secrets}
        return found, tuple(secrets)

    def has_traced(self, api: ApiRuntime, operation: OperationRuntime | None, product_id: str) -> bool:
        """Whether that takes no time."""
        return (api, operation, product_id) in self._traced

    def _chain(self, api: ApiRuntime, operation: OperationRuntime | None, product_id: str) -> list[Document]:
        """The documents of a call, broadest first."""
        product = self.products.get(product_id)
        documents = {
            Scope.GLOBAL: self.global_document,
            Scope.PRODUCT: product[1] if product is not None else None,
            Scope.API: api.document,
            Scope.OPERATION: operation.document if operation is not None else None,
        }
        return [document for _, document in broad_first(documents)]

    def _bind(
        self,
        api: ApiRuntime,
        operation: OperationRuntime | None,
        product_id: str,
        *,
        traced: bool = False,
    ) -> Pipeline:
        bound = EMPTY
        for document in self._chain(api, operation, product_id):
            bound = (document.traced() if traced else document).bind(bound)
        return replace(bound, secrets=self.secrets) if self.secrets else bound
