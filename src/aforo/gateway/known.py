"""What a gateway remembers of the calls it has served: where a target leads, and whom a key lets in.

Valid under one configuration and thrown away with it (`Proxy.swap`). It knows no policy and no socket.
"""

# A key that was let in is remembered as it was shown, so that its digest is not made for each call
# (docs/decisions/0090-keys-that-were-let-in-are-remembered.md). Guesses are not: they take the whole way, always.

from __future__ import annotations

from typing import Protocol

from aforo.gateway import keys
from aforo.gateway.usage import api_version_of
from aforo.messages import Headers
from aforo.policy.pipeline import Pipeline
from aforo.policy.subject import Product, Subscription, User
from aforo.snapshot.routes import Match
from aforo.snapshot.runtime import ApiRuntime, KeyHolder, OperationRuntime, Runtime

# What the gateway answers itself, before every API's wildcard and parameter: probes must hear of the gateway, not of
# a backend. An operation that is written out for such a path is meant, and wins.
PROBE_PATH = "/status-0123456789abcdef"
OWN_PATHS = frozenset(("/livez", "/readyz", PROBE_PATH))

# Entries of each kind; a flood of targets empties the memory, it does not grow it.
MAX_REMEMBERED = 4096
# Longer ones are worked out each time.
MAX_REMEMBERED_LENGTH = 1024


class Shows(Protocol):
    """Who says how a target may be written down: the recorder."""

    def shown(self, target: str, key_name: str) -> str: ...


class Target:
    """A method and request target that lead to an operation. `shown` has no key in it."""

    __slots__ = (
        "api",
        "api_id",
        "api_revision",
        "api_version",
        "deployment",
        "match",
        "operation",
        "operation_id",
        "path",
        "query",
        "shown",
    )

    def __init__(
        self, match: Match[ApiRuntime, OperationRuntime], path: str, query: str, target: str, shows: Shows
    ) -> None:
        self.match = match
        self.api = match.api
        self.operation = match.operation
        self.api_id = match.api.entry.subject.id
        self.api_revision = match.api.entry.subject.revision
        self.operation_id = match.operation.entry.subject.id
        self.deployment = match.parameters.get("deployment-id", "")
        self.path = path
        self.query = query
        self.shown = shows.shown(target, match.api.key_query)
        # For the llm log.
        self.api_version = api_version_of(query) if match.operation.wire else ""


class Prepare(Protocol):
    """Who puts before the sections what is done for a call before its policies (beforehand.py)."""

    def __call__(
        self,
        pipeline: Pipeline,
        runtime: Runtime,
        api: ApiRuntime,
        operation: OperationRuntime,
        product_id: str,
        holder: KeyHolder | None,
    ) -> Pipeline: ...


class Admission:
    """Who calls an operation, and what is run for that: made from what `keys.admit` says."""

    __slots__ = (
        "pipeline",
        "product",
        "product_id",
        "subscription",
        "subscription_id",
        "user",
        "user_id",
        "whose",
    )

    def __init__(self, runtime: Runtime, target: Target, admitted: keys.Admitted) -> None:
        holder = admitted.holder
        product_id = admitted.product_id
        self.whose = target.api, target.operation, product_id, holder
        self.pipeline: Pipeline = runtime.pipeline(target.api, target.operation, product_id)
        self.product: Product | None = runtime.products[product_id][0].subject if product_id else None
        self.subscription: Subscription | None = holder.entry.subject if holder is not None else None
        self.user: User | None = holder.user if holder is not None else None
        self.product_id = self.product.id if self.product is not None else ""
        self.subscription_id = self.subscription.id if self.subscription is not None else ""
        self.user_id = self.user.id if self.user is not None else ""


class Known:
    """The memory of one configuration. `targets` and `admissions` are read where they are needed, and filled here."""

    __slots__ = ("_made", "_prepare", "_runtime", "_shows", "admissions", "targets")

    def __init__(self, runtime: Runtime, shows: Shows, prepare: Prepare | None = None) -> None:
        self._prepare = prepare
        self._runtime = runtime
        self._shows = shows
        self._made: dict[tuple[OperationRuntime, KeyHolder | None, str], Admission] = {}
        # By method and target.
        self.targets: dict[tuple[str, str], Target] = {}
        # By what is called, and the key as it was shown.
        self.admissions: dict[tuple[OperationRuntime, bytes], Admission] = {}

    def target(self, method: str, target: str) -> Target | None:
        """Where a target leads; None when it is no operation's."""
        path, _, query = target.partition("?")
        match = self._runtime.router.match(method, path)
        if match is None or (path in OWN_PATHS and not _is_literal(match.operation)):
            return None
        found = Target(match, path, query, target, self._shows)
        if len(target) <= MAX_REMEMBERED_LENGTH:
            if len(self.targets) >= MAX_REMEMBERED:
                self.targets.clear()
            self.targets[method, target] = found
        return found

    def admit(self, target: Target, headers: Headers) -> Admission | keys.Refused:
        """Whom the key of this request lets in."""
        api = target.api
        shown = headers.fields.get(api.key_header)
        admitted = keys.admit(self._runtime, api, headers, target.query)
        if isinstance(admitted, keys.Refused):
            return admitted
        made = target.operation, admitted.holder, admitted.product_id
        admission = self._made.get(made)
        if admission is None:
            # As many as there are operations, subscriptions and products: configuration bounds them.
            admission = self._made[made] = Admission(self._runtime, target, admitted)
            if self._prepare is not None:
                admission.pipeline = self._prepare(admission.pipeline, self._runtime, *admission.whose)
        # Only what the API's own header shows: another place may hold another key next time.
        if type(shown) is bytes and shown and admitted.holder is not None:
            if len(self.admissions) >= MAX_REMEMBERED:
                self.admissions.clear()
            self.admissions[target.operation, shown] = admission
        return admission


def _is_literal(operation: OperationRuntime) -> bool:
    template = operation.entry.subject.url_template.partition("?")[0]
    return "{" not in template and "*" not in template
