"""The frozen noun between control and gateway: what a gateway must know, as data. It holds no secret in clear
but named values and credentials, which travel sealed (`sealed`), and subscription keys only as hashes.

Control builds a Bundle from the resource graph, signs and publishes it; each gateway compiles its Runtime from it.
"""

from __future__ import annotations

import msgspec

from aforo.llm.prices import Price
from aforo.policy.subject import Api, Deployment, Operation, Product, Subscription, User


class MessageLog(msgspec.Struct, frozen=True):
    """What of one message is kept. `body_bytes` None means the whole body up to the stated cap, 0 none."""

    headers: tuple[str, ...] = ()
    body_bytes: int | None = 0


class MaskRules(msgspec.Struct, frozen=True):
    """What of one direction is masked: names (headers, parameters: lower case), paths or detectors, each with its mode
    (Keep, Hash, Mask, Hide)."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    detectors: tuple[tuple[str, str], ...] = ()


class MaskPlan(msgspec.Struct, frozen=True):
    """The masking of an API's records. `body_bytes`: how much of the bodies is kept once they are masked (frontend
    request and response, backend request and response); until then they are kept whole."""

    requests: MaskRules
    responses: MaskRules
    body_bytes: tuple[int, int, int, int]
    caller_header: str = ""


class LogPlan(msgspec.Struct, frozen=True):
    """An API's diagnostic, resolved (API level over service level), with the diagnostic settings applied."""

    gateway_log: bool = False
    sampling: float = 100.0
    always_log_errors: bool = True
    log_client_ip: bool = True
    frontend_request: MessageLog = MessageLog()
    frontend_response: MessageLog = MessageLog()
    backend_request: MessageLog = MessageLog()
    backend_response: MessageLog = MessageLog()
    llm_requests: bool = False
    llm_responses: bool = False
    llm_request_bytes: int = 262_144
    llm_response_bytes: int = 262_144
    on_full: str = "refuse"  # or "count": what happens to calls when the spool cannot take a record
    verbosity: str = "information"  # what `trace` policies say is logged from this severity on
    trace_context: bool = False  # W3C: calls take part in their clients' traces
    caller_header: str = ""  # in which clients say who they are, lower case
    audit: bool = False  # that a call begins is written down before it is forwarded
    masking: MaskPlan | None = None


class Budget(msgspec.Struct, frozen=True):
    """What a product's or a subscription's calls may cost: `nano` are 10^-9 of the currency. `period` is daily, weekly,
    monthly, yearly or total."""

    owner: str  # such as `product starter`
    period: str
    nano: int
    currency: str = "USD"
    warn_percent: int = 80
    refuse: bool = True


class OperationEntry(msgspec.Struct, frozen=True):
    """An operation and its policy text, None where it has none."""

    subject: Operation
    policy: str | None = None


class ApiEntry(msgspec.Struct, frozen=True):
    """An API with everything that its calls need. `max_body_bytes` 0: what streams through has no limit."""

    subject: Api
    operations: tuple[OperationEntry, ...]
    policy: str | None
    subscription_required: bool
    key_bearer: bool
    log: LogPlan
    max_body_bytes: int = 0
    owned: bool = True  # what calls make (files, stored responses) belongs to their subscription and stays on its backend


class ProductEntry(msgspec.Struct, frozen=True):
    """A product: its APIs by id, and its policy."""

    subject: Product
    apis: tuple[str, ...]
    policy: str | None
    budgets: tuple[Budget, ...] = ()


class SubscriptionEntry(msgspec.Struct, frozen=True):
    """A subscription. `scope` is `service`, `apis`, `api:<id>` or `product:<id>`; keys as SHA-256 digests."""

    subject: Subscription
    scope: str
    state: str
    key_hashes: tuple[bytes, ...]
    user_id: str | None = None
    allow_tracing: bool = False
    budgets: tuple[Budget, ...] = ()


class NamedValueEntry(msgspec.Struct, frozen=True):
    """A named value; a secret one is sealed with the key that the gateway was given (`identity.keys`)."""

    name: str
    value: str
    secret: bool


class PoolMember(msgspec.Struct, frozen=True):
    """A backend of a pool."""

    backend_id: str
    weight: int = 1
    priority: int = 1


class BreakerRule(msgspec.Struct, frozen=True):
    """When a backend is taken out: either `count` or `percentage` of failures within `interval_s`, for `trip_s`."""

    name: str
    count: int | None
    percentage: int | None
    interval_s: float
    status_ranges: tuple[tuple[int, int], ...]
    error_reasons: tuple[str, ...]
    trip_s: float
    accept_retry_after: bool
    failure_status: int = 503  # what a client gets while it is out


class ProbePlan(msgspec.Struct, frozen=True):
    """How gateways find out by themselves whether a backend lives: GET `path` below its URL, every `interval_s`."""

    path: str
    interval_s: float
    timeout_s: float
    unhealthy_threshold: int  # failed probes in a row that take it out
    healthy_threshold: int  # good ones that let it in again
    status_ranges: tuple[tuple[int, int], ...]  # that are good


class BackendEntry(msgspec.Struct, frozen=True):
    """A backend or a pool of them. Credentials are added to each request; values may name `{{named values}}`.

    `models` are of a server that speaks OpenAI, which knows no deployments: (deployment, its model); None of any other.
    """

    id: str
    url: str
    headers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    query: tuple[tuple[str, tuple[str, ...]], ...] = ()
    authorization: tuple[str, str] | None = None  # (scheme, parameter)
    managed_identity: tuple[str, str | None] | None = None  # (resource, client id)
    validate_chain: bool = True
    validate_name: bool = True
    members: tuple[PoolMember, ...] = ()
    breakers: tuple[BreakerRule, ...] = ()
    failure_status: int = 503  # of a pool: what a client gets when no member can be called
    certificate: str = ""  # id or thumbprint of the client certificate that it is shown
    models: tuple[tuple[str, str], ...] | None = None
    proxy: tuple[str, str, str] | None = None  # on the way there: (URL, user name, password)
    probe: ProbePlan | None = None
    affinity_cookie: str = ""  # of a pool: the cookie that keeps a session on its member


class CertificateEntry(msgspec.Struct, frozen=True):
    """A certificate of the service. `key` is its PEM key, sealed like a secret named value; "" without one."""

    id: str
    thumbprint: str
    pem: str
    key: str = ""


class LoggerEntry(msgspec.Struct, frozen=True):
    """A logger that policies send events to. `name` is the event hub; it is reached by `connection` (a connection string,
    which may name `{{named values}}`) or by `endpoint` with the identity `identity_client`."""

    id: str
    kind: str  # file, eventhub
    name: str = ""
    connection: str = ""
    endpoint: str = ""
    identity_client: str = ""


class AuthorizationEntry(msgspec.Struct, frozen=True):
    """A connection of a credential provider. Its secrets travel as names of hidden named values.

    Tokens are had at `token_url`, or for a tenant of Entra (`tenant`) at its authority, `login` where that is named.
    `objects` are the (tenant, object id) pairs that may use it with a token of their own; `managed` says that the
    service's identity may.
    """

    provider: str
    id: str
    grant: str  # client_credentials, refresh_token
    token_url: str
    tenant: str
    login: str
    client_id: str
    client_secret: str
    refresh_token: str
    scope: str
    managed: bool
    objects: tuple[tuple[str, str], ...] = ()


class CacheEntry(msgspec.Struct, frozen=True):
    """The external cache of this gateway's region. `connection` is its connection string, which may name
    `{{named values}}`."""

    id: str
    connection: str


class Bundle(msgspec.Struct, frozen=True):
    """Everything a gateway must know. `version` counts up with each published change."""

    version: int
    deployment: Deployment
    resource_id: str
    workspaces: dict[str, list[str]]  # diagnostic settings: category -> workspace ids
    apis: tuple[ApiEntry, ...]
    products: tuple[ProductEntry, ...]
    subscriptions: tuple[SubscriptionEntry, ...]
    users: tuple[User, ...]
    named_values: tuple[NamedValueEntry, ...]
    fragments: tuple[tuple[str, str], ...]  # (id, text)
    backends: tuple[BackendEntry, ...]
    global_policy: str | None
    trusted_proxies: tuple[str, ...] = ()
    egress_private: tuple[str, ...] = ()  # private ranges (CIDR) that the operator allows
    local_identity: bool = True  # tokens come from the local issuer; else from what the environment offers
    log: LogPlan = LogPlan()  # of calls that match no API: the service's own diagnostic
    tenant_id: str = ""  # whose tokens the local issuer gives
    certificates: tuple[CertificateEntry, ...] = ()
    loggers: tuple[LoggerEntry, ...] = ()
    authorizations: tuple[AuthorizationEntry, ...] = ()
    client_cas: tuple[str, ...] = ()  # PEM: whose certificates clients may show
    external_cache: CacheEntry | None = None
    prices: tuple[Price, ...] = ()  # of the configuration; the shipped ones are the gateway's own
    deployments: dict[str, str] = {}  # (backend/)deployment, lower case: its model with version


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Bundle)


def encode(bundle: Bundle) -> bytes:
    """The bundle as bytes (MessagePack)."""
    return _encoder.encode(bundle)


def decode(data: bytes) -> Bundle:
    """The bundle of those bytes; msgspec.ValidationError when they are none."""
    return _decoder.decode(data)
