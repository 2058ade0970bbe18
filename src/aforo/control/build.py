"""The resource graph made into a bundle for gateways. It compiles nothing and knows no file.

Entries of unchanged resources are kept from build to build, so that a change among 100,000 subscriptions is
published in a fraction of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from aforo.control.build_authorizations import authorizations_of
from aforo.control.build_backends import backends_of
from aforo.control.build_cache import external_cache_of
from aforo.control.build_contract import contract_of, schemas_of
from aforo.control.build_costs import budgets_of, deployments_of, prices_of
from aforo.control.build_log import log_plan, workspaces_of
from aforo.control.live import Live, resolve_text
from aforo.control.samples import text_of
from aforo.identity.seal import Sealer
from aforo.model.graph import Graph
from aforo.model.kind import REFERENCE, Resource
from aforo.model.kinds.account import ACCOUNT_TYPE, served
from aforo.model.kinds.api import API_TYPE, split_revision
from aforo.model.kinds.certificate import CERTIFICATE_TYPE, read_content
from aforo.model.kinds.group import GROUP_TYPE
from aforo.model.kinds.logger import EVENT_HUB, FILE, LOGGER_TYPE
from aforo.model.kinds.named_value import NAMED_VALUE_TYPE
from aforo.model.kinds.policy import FRAGMENT_TYPE
from aforo.model.kinds.product import PRODUCT_TYPE
from aforo.model.kinds.schema import API_SCHEMA_TYPE, SCHEMA_TYPE
from aforo.model.kinds.service import SERVICE_TYPE, trusted_cas
from aforo.model.kinds.subscription import SUBSCRIPTION_TYPE
from aforo.model.kinds.user import USER_TYPE
from aforo.model.secret import Secret
from aforo.policy.subject import Api, Deployment, Example, Group, Operation, Product, Subscription, User
from aforo.snapshot.sealed import seal_value
from aforo.snapshot.snapshot import (
    ApiEntry,
    Bundle,
    CertificateEntry,
    LoggerEntry,
    NamedValueEntry,
    OperationEntry,
    ProductEntry,
    SubscriptionEntry,
)

KEY_HEADER = "Ocp-Apim-Subscription-Key"
KEY_QUERY = "subscription-key"
# What a service of API Management does that nobody gave a global policy.
DEFAULT_POLICY = (
    "<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>"
)
_HIDDEN = "aforo.credential."


class BundleBuilder:
    """Builds bundles of one installation, one after the other; secret named values need a sealer."""

    def __init__(self, live: Live, sealer: Sealer | None, tenant_id: str = "") -> None:
        self.live = live
        self._tenant_id = tenant_id
        self._sealer = sealer
        self._subscriptions: dict[str, tuple[Resource, SubscriptionEntry]] = {}
        self._sealed: dict[str, tuple[bytes, str]] = {}
        self._certificates: dict[str, tuple[Resource, CertificateEntry]] = {}

    def build(self, graph: Graph, version: int) -> Bundle:
        service = next(graph.of_type(SERVICE_TYPE), None)
        if service is None:
            return Bundle(version, Deployment("", "", ""), "", {}, (), (), (), (), (), (), (), None)
        key = service.id.key
        # Sorted, here and below: what a policy sees does not tell in which order it was configured.
        groups = {
            r.id.key: Group(r.name, _text(r, "displayName"))
            for r in sorted(graph.children(key, GROUP_TYPE), key=lambda r: r.id.key)
        }
        hidden: list[NamedValueEntry] = []
        backends = backends_of(graph, service, self.live, lambda p, v: self._carried(p, v, hidden))
        loggers = self._loggers(graph, key, hidden)
        authorizations = authorizations_of(graph, service, lambda p, v: self._carried(p, v, hidden))
        cache = external_cache_of(graph, service, lambda p, v: self._carried(p, v, hidden))
        named = [self._named_value(r, graph) for r in graph.children(key, NAMED_VALUE_TYPE)]
        return Bundle(
            version=version,
            deployment=Deployment(
                service.name,
                service.name,
                str(service.body.get("location", "")),
                schemas=schemas_of(graph, key, SCHEMA_TYPE),
            ),
            resource_id=service.id.text,
            workspaces=workspaces_of(service, graph),
            apis=tuple(self._api(r, graph, service) for r in graph.children(key, API_TYPE)),
            products=tuple(self._product(r, graph, groups) for r in graph.children(key, PRODUCT_TYPE)),
            subscriptions=self._all_subscriptions(graph, key),
            users=_users(graph, key, groups),
            named_values=(*named, *hidden),
            fragments=tuple((r.name, _text(r, "value")) for r in graph.children(key, FRAGMENT_TYPE)),
            backends=backends,
            global_policy=_policy(graph, key, SERVICE_TYPE) or DEFAULT_POLICY,
            trusted_proxies=tuple(service.properties.get("trustedProxies", ())),
            egress_private=self._private_egress(service, graph),
            # Without the local account its issuer's tokens are good for nothing: the machine's own identity counts.
            local_identity=served(graph.of_type(ACCOUNT_TYPE)) is not None,
            log=log_plan(None, service, graph),
            tenant_id=self._tenant_id,
            certificates=self._all_certificates(graph, key),
            loggers=loggers,
            authorizations=authorizations,
            client_cas=trusted_cas(service),
            external_cache=cache,
            prices=prices_of(service),
            deployments=deployments_of(graph, service),
        )

    def _all_certificates(self, graph: Graph, service_key: str) -> tuple[CertificateEntry, ...]:
        kept: dict[str, tuple[Resource, CertificateEntry]] = {}
        for resource in graph.children(service_key, CERTIFICATE_TYPE):
            known = self._certificates.get(resource.id.key)
            if known is None or known[0] is not resource:
                read = read_content(resource.properties)
                if read is None:
                    continue
                key = (
                    self._seal(f"aforo.certificate.{resource.name}", Secret(read.key_pem))
                    if read.key_pem
                    else ""
                )
                known = (resource, CertificateEntry(resource.name, read.thumbprint, read.pem, key))
            kept[resource.id.key] = known
        self._certificates = kept
        return tuple(entry for _, entry in kept.values())

    def _private_egress(self, service: Resource, graph: Graph) -> tuple[str, ...]:
        """The operator's list, and the local account: it is ours, and mostly on loopback."""
        listed = tuple(service.properties.get("privateEgress", ()))
        if served(graph.of_type(ACCOUNT_TYPE)) is None:
            return listed
        account = urlsplit(self.live.account_endpoint)
        host = f"[{account.hostname}]" if ":" in (account.hostname or "") else account.hostname
        return (*listed, f"{host}:{account.port or 80}")

    def _api(self, api: Resource, graph: Graph, service: Resource) -> ApiEntry:
        properties = api.properties
        base, _ = split_revision(api.name)
        names = properties.get("subscriptionKeyParameterNames", {})
        path = str(properties.get("path", ""))
        version = str(properties.get("apiVersion", ""))
        revision = str(properties.get("apiRevision", "1"))
        current = bool(properties.get("isCurrent", True))
        if version:
            path = f"{path}/{version}".strip("/")
        if not current:
            # Other revisions are called by their own path, as on Azure: /openai;rev=2/...
            path = f"{path};rev={revision}"
        subject = Api(
            id=base,
            name=_text(api, "displayName"),
            path=path,
            revision=revision,
            version=version,
            service_url=resolve_text(str(properties.get("serviceUrl", "")), graph, self.live),
            is_current_revision=current,
            protocols=tuple(properties.get("protocols", ("https",))),
            key_header=str(names.get("header", KEY_HEADER)),
            key_query=str(names.get("query", KEY_QUERY)),
            schemas=schemas_of(graph, api.id.key, API_SCHEMA_TYPE),
        )
        operations_type = f"{API_TYPE}/operations"
        operations = tuple(
            OperationEntry(
                Operation(
                    op.name,
                    _text(op, "displayName"),
                    _text(op, "method").upper(),
                    _text(op, "urlTemplate"),
                    _examples(op),
                    contract_of(op),
                ),
                _policy(graph, op.id.key, operations_type),
            )
            for op in graph.children(api.id.key, operations_type)
        )
        return ApiEntry(
            subject=subject,
            operations=operations,
            policy=_policy(graph, api.id.key, API_TYPE),
            subscription_required=bool(properties.get("subscriptionRequired", True)),
            key_bearer=names.get("bearer") == "enabled",
            log=log_plan(api, service, graph),
            max_body_bytes=int(properties.get("maxBodyBytes", 0)),
            owned=properties.get("statefulCalls", "owned") == "owned",
        )

    @staticmethod
    def _product(product: Resource, graph: Graph, groups: Mapping[str, Group]) -> ProductEntry:
        properties = product.properties
        service_key = product.id.parent_key
        members = (
            groups.get(f"{service_key}/groups/{r.name.lower()}")
            for r in sorted(graph.children(product.id.key, f"{PRODUCT_TYPE}/groups"), key=lambda r: r.id.key)
        )
        subject = Product(
            id=product.name,
            name=_text(product, "displayName"),
            state="Published" if properties.get("state") == "published" else "NotPublished",
            subscription_required=bool(properties.get("subscriptionRequired", True)),
            approval_required=bool(properties.get("approvalRequired", False)),
            subscriptions_limit=properties.get("subscriptionsLimit"),
            groups=tuple(g for g in members if g is not None),
        )
        # The link's name may differ from the API's in case: gateways compare exactly.
        linked = (
            graph.get(f"{service_key}/apis/{link.name}")
            for link in graph.children(product.id.key, f"{PRODUCT_TYPE}/apis")
        )
        apis = tuple(sorted({split_revision(api.name)[0] for api in linked if api is not None}))
        policy = _policy(graph, product.id.key, PRODUCT_TYPE)
        return ProductEntry(subject, apis, policy, budgets_of(product, "product"))

    def _all_subscriptions(self, graph: Graph, service_key: str) -> tuple[SubscriptionEntry, ...]:
        kept: dict[str, tuple[Resource, SubscriptionEntry]] = {}
        for resource in graph.children(service_key, SUBSCRIPTION_TYPE):
            known = self._subscriptions.get(resource.id.key)
            if known is None or known[0] is not resource:
                known = (resource, _subscription(resource, graph))
            kept[resource.id.key] = known
        self._subscriptions = kept
        return tuple(entry for _, entry in kept.values())

    def _named_value(self, value: Resource, graph: Graph) -> NamedValueEntry:
        name = _text(value, "displayName")
        content = value.properties.get("value", "")
        if isinstance(content, Secret):
            return NamedValueEntry(name, self._seal(name, content), True)
        return NamedValueEntry(name, resolve_text(str(content), graph, self.live), False)

    def _seal(self, name: str, secret: Secret) -> str:
        """The sealed value; the same text as long as the value is the same."""
        known = self._sealed.get(name)
        if known is None or known[0] != secret.digest:
            if self._sealer is None:
                raise ValueError("a bundle with secrets needs a sealer")
            known = self._sealed[name] = (secret.digest, seal_value(self._sealer, secret.reveal()))
        return known[1]

    def _carried(self, place: str, value: Any, hidden: list[NamedValueEntry]) -> str:
        """A credential as it travels: a text that names named values, or the name of a hidden one."""
        clear = value.reveal() if isinstance(value, Secret) else str(value)
        if REFERENCE.search(clear):
            return clear
        name = f"{_HIDDEN}{re.sub(r'[^A-Za-z0-9._-]', '_', place)}"
        hidden.append(NamedValueEntry(name, self._seal(name, Secret(clear)), True))
        return f"{{{{{name}}}}}"

    def _loggers(
        self, graph: Graph, service_key: str, hidden: list[NamedValueEntry]
    ) -> tuple[LoggerEntry, ...]:
        """Those that policies can send events to."""
        out = []
        for logger in graph.children(service_key, LOGGER_TYPE):
            kind = logger.properties.get("loggerType")
            credentials = logger.properties.get("credentials", {})
            endpoint = str(credentials.get("endpointAddress", ""))
            if kind == FILE or (kind == EVENT_HUB and endpoint.lower().startswith("file:")):
                out.append(LoggerEntry(logger.name, "file"))
            elif kind == EVENT_HUB:
                secret = credentials.get("connectionString", "")
                out.append(
                    LoggerEntry(
                        logger.name,
                        "eventhub",
                        str(credentials.get("name", "")),
                        self._carried(f"loggers.{logger.name}", secret, hidden) if secret else "",
                        endpoint,
                        str(credentials.get("identityClientId", "SystemAssigned")),
                    )
                )
        return tuple(out)


def _examples(operation: Resource) -> tuple[Example, ...]:
    """What the operation's responses show of their bodies, in the order of the description."""
    found: list[Example] = []
    for response in operation.properties.get("responses", ()):
        status = response.get("statusCode") if isinstance(response, Mapping) else None
        if not isinstance(status, int):
            continue
        representations = response.get("representations")
        for each in representations if isinstance(representations, list) else ():
            if not isinstance(each, Mapping):
                continue
            kind = str(each.get("contentType", ""))
            shown = [e.get("value") for e in _named(each.get("examples"))]
            # `sample` is what older versions of the API called it.
            shown += [each["sample"]] if not shown and each.get("sample") is not None else []
            found += [Example(status, kind, text_of(value)) for value in shown if value is not None]
    return tuple(found)


def _named(examples: Any) -> Iterable[Mapping[str, Any]]:
    if not isinstance(examples, Mapping):
        return ()
    return (e for e in examples.values() if isinstance(e, Mapping))


def unix(text: str | None) -> int | None:
    """An ISO 8601 time as unix seconds."""
    return None if text is None else int(datetime.fromisoformat(text).timestamp())


def _subscription(resource: Resource, graph: Graph) -> SubscriptionEntry:
    properties = resource.properties
    owner = properties.get("ownerId")
    user = graph.get(owner) if owner else None
    hashes = (properties.get("primaryKey"), properties.get("secondaryKey"))
    return SubscriptionEntry(
        subject=Subscription(
            resource.name,
            str(properties.get("displayName", resource.name)),
            unix(properties.get("createdDate")) or 0,
            unix(properties.get("startDate")),
            unix(properties.get("endDate") or properties.get("expirationDate")),
        ),
        scope=_scope(str(properties.get("scope", "")), resource.id.parent_key, graph),
        state=str(properties.get("state", "submitted")),
        key_hashes=tuple(key.digest for key in hashes if isinstance(key, Secret)),
        user_id=user.name if user is not None else None,
        allow_tracing=bool(properties.get("allowTracing", False)),
        budgets=budgets_of(resource, "subscription"),
    )


def _scope(scope: str, service_key: str, graph: Graph) -> str:
    rest = scope.lower().removeprefix(service_key)
    if rest in ("", "/"):
        return "service"
    if rest == "/apis":
        return "apis"
    target = graph.get(scope)
    name = split_revision(target.name if target is not None else scope.rpartition("/")[2])[0]
    return f"{'product' if rest.startswith('/products/') else 'api'}:{name}"


def _users(graph: Graph, service_key: str, groups: Mapping[str, Group]) -> tuple[User, ...]:
    member_of: dict[str, list[Group]] = {}
    for key, group in groups.items():
        for link in graph.children(key, f"{GROUP_TYPE}/users"):
            member_of.setdefault(link.name.lower(), []).append(group)
    return tuple(_user(r, member_of) for r in graph.children(service_key, USER_TYPE))


def _user(user: Resource, member_of: Mapping[str, Iterable[Group]]) -> User:
    properties = user.properties
    return User(
        id=user.name,
        email=_text(user, "email"),
        first_name=_text(user, "firstName"),
        last_name=_text(user, "lastName"),
        note=_text(user, "note"),
        registered=unix(properties.get("registrationDate")) or 0,
        groups=tuple(member_of.get(user.name.lower(), ())),
        identities=tuple((i["provider"], i["id"]) for i in properties.get("identities", ())),
        state=str(properties.get("state", "active")),
    )


def policy_of(graph: Graph, key: str, full_type: str) -> Resource | None:
    """The policy of a resource of that type."""
    return next(iter(graph.children(key, f"{full_type}/policies")), None)


def _policy(graph: Graph, key: str, full_type: str) -> str | None:
    policy = policy_of(graph, key, full_type)
    return None if policy is None else _text(policy, "value")


def _text(resource: Resource, name: str) -> str:
    return str(resource.properties.get(name, ""))
