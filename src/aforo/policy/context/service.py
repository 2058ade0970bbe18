"""What `context` says of the service and of who calls: API, operation, product, subscription, user, deployment.

Keys and access tokens carry the label `secret`: what an expression makes of them is one too.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256
from typing import Any, Final

from aforo.csharp.runtime import certificates as net
from aforo.csharp.runtime import dates
from aforo.csharp.runtime.certificates import X509Certificate
from aforo.csharp.runtime.collections import Dictionary
from aforo.csharp.runtime.dates import DateTime
from aforo.csharp.runtime.exceptions import CryptographicException, KeyNotFoundException, given
from aforo.csharp.runtime.json_build import shape
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import Declared, TypeDecl, declare, enumeration, member
from aforo.policy.context.values import api_url
from aforo.policy.exchange import Exchange, LastError
from aforo.policy.services import Authorization, Certificate, Certificates
from aforo.policy.subject import Api, Group, Product, Subscription, User

APIM: Final = "Microsoft.Azure.ApiManagement"


class ProductState(IntEnum):
    NotPublished = 0
    Published = 1


class BackendType(IntEnum):
    Single = 0
    Pool = 1


# --- API, product, user ---------------------------------------------------------------------------------------------


def product_state(product: Product) -> ProductState:
    return ProductState.Published if product.state.lower() == "published" else ProductState.NotPublished


def groups(owner: Product | User) -> list[Group]:
    return list(owner.groups)


def product_apis(product: Product) -> list[Api]:
    return list(product.apis)


def protocols(api: Api) -> list[str]:
    return list(api.protocols)


def identities(user: User) -> list[tuple[str, str]]:
    return list(user.identities)


def identity_provider(identity: tuple[str, str]) -> str:
    return identity[0]


def identity_id(identity: tuple[str, str]) -> str:
    return identity[1]


def user_registered(user: User) -> DateTime:
    return dates.from_unix(user.registered)


# --- subscription -----------------------------------------------------------------------------------------------------


def subscription_created(subscription: Any) -> DateTime:
    return dates.from_unix(subscription.created)


def subscription_start(subscription: Any) -> DateTime | None:
    return None if subscription.start is None else dates.from_unix(subscription.start)


def subscription_end(subscription: Any) -> DateTime | None:
    return None if subscription.end is None else dates.from_unix(subscription.end)


def shown_key(_subscription: Subscription, x: Exchange) -> str | None:
    """The key that the call showed. A gateway holds hashes of keys: it knows no other one."""
    key = x.shown_key
    return None if key is None else key[0].decode("latin-1")


def _shown_as(x: Exchange, at: int) -> str | None:
    key = x.shown_key
    if key is None or at >= len(key[1]) or sha256(key[0]).digest() != key[1][at]:
        return None
    return key[0].decode("latin-1")


def primary_key(_subscription: Subscription, x: Exchange) -> str | None:
    """The primary key where the call showed it, else null."""
    return _shown_as(x, 0)


def secondary_key(_subscription: Subscription, x: Exchange) -> str | None:
    return _shown_as(x, 1)


# --- deployment and certificates --------------------------------------------------------------------------------------


def managed(value: Any) -> bool:
    return bool(value.gateway_id == "managed")


def nothing(_value: Any) -> None:
    """What exists in Azure and never here, where null is an answer."""


class CertificateValues(Obj):
    """`context.Deployment.Certificates`: by id; a thumbprint finds them too."""

    __slots__ = ("port",)

    def __init__(self, port: Certificates) -> None:
        self.port = port

    def pairs(self) -> list[tuple[str, X509Certificate]]:
        return [(c.id, _own(c)) for c in self.port.all()]


def _own(certificate: Certificate) -> X509Certificate:
    try:
        return net.from_pem(certificate.pem, certificate.key_pem)
    except (ValueError, TypeError):
        raise CryptographicException("Cannot find the requested object.") from None


def deployment_certificates(_deployment: Any, x: Exchange) -> CertificateValues:
    return CertificateValues(x.services.certificates)


def certificate_at(values: CertificateValues, key: str | None) -> X509Certificate:
    found = values.port.find(given(key, "key"))
    if found is None:
        raise KeyNotFoundException
    return _own(found)


def certificate_or(values: CertificateValues, key: str | None, default: Any = None) -> Any:
    found = values.port.find(given(key, "key"))
    return default if found is None else _own(found)


def certificate_get(values: CertificateValues, key: str | None) -> tuple[bool, X509Certificate | None]:
    found = certificate_or(values, key)
    return found is not None, found


def certificate_has(values: CertificateValues, key: str | None) -> bool:
    return values.port.find(given(key, "key")) is not None


def certificate_names(values: CertificateValues) -> list[str]:
    return [name for name, _ in values.pairs()]


def certificate_values(values: CertificateValues) -> list[X509Certificate]:
    return [value for _, value in values.pairs()]


def certificate_count(values: CertificateValues) -> int:
    return len(values.port.all())


def client_certificate(x: Exchange) -> X509Certificate | None:
    """What the client showed: DER bytes, or PEM with its chain."""
    shown = x.request.certificate
    if shown is None or isinstance(shown, X509Certificate):
        return shown
    if isinstance(shown, Certificate):
        return _own(shown)
    return net.from_der(shown) if isinstance(shown, bytes) else net.from_pem(shown)


# --- backend ----------------------------------------------------------------------------------------------------------


def backend(x: Exchange) -> Exchange | None:
    """Null until a backend is chosen."""
    return x if x.backend_id or x.backend_used else None


def backend_id(x: Exchange) -> str:
    return x.backend_used or x.backend_id or ""


def backend_type(x: Exchange) -> BackendType:
    """A backend that was chosen by another name than its own is a member of a pool."""
    pool = x.backend_id and x.backend_used and x.backend_id != x.backend_used
    return BackendType.Pool if pool else BackendType.Single


def foundry(x: Exchange) -> Exchange | None:
    """Null where the operation names no deployment of a model."""
    return x if "deployment-id" in x.request.matched else None


def foundry_deployment(x: Exchange) -> str:
    return x.request.matched["deployment-id"]


# --- credentials of the credential manager ----------------------------------------------------------------------------


def authorization_claims(authorization: Authorization) -> Dictionary:
    made = Dictionary()
    made.update(authorization.claims)
    return made


shape(Group, ("Id", "id"), ("Name", "name"))
shape(
    LastError,
    ("Source", "source"), ("Reason", "reason"), ("Message", "message"), ("Scope", "scope"),
    ("Section", "section"), ("Path", "path"), ("PolicyId", "policy_id"),
)  # fmt: skip


def plain(*names: tuple[str, str]) -> tuple[Declared, ...]:
    """Properties that are attributes: (C# declaration, Python attribute)."""
    return tuple(member(signature, attr=attr) for signature, attr in names)


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "IApi",
        *plain(
            ("string Id", "id"), ("string Name", "name"), ("string Path", "path"), ("string? Revision", "revision"),
            ("string? Version", "version"), ("bool IsCurrentRevision", "is_current_revision"),
        ),
        member("IUrl? ServiceUrl", api_url),
        member("IEnumerable<string> Protocols", protocols),
        member("ISubscriptionKeyParameterNames SubscriptionKeyParameterNames", attr=""),
        namespace=APIM,
    ),
    declare("ISubscriptionKeyParameterNames", *plain(("string Header", "key_header"), ("string Query", "key_query")), namespace=APIM),
    declare(
        "IOperation",
        *plain(("string Id", "id"), ("string Name", "name"), ("string Method", "method"), ("string UrlTemplate", "url_template")),
        namespace=APIM,
    ),
    enumeration("ProductState", ProductState, APIM),
    declare(
        "IProduct",
        *plain(
            ("string Id", "id"), ("string Name", "name"), ("bool SubscriptionRequired", "subscription_required"),
            ("bool ApprovalRequired", "approval_required"), ("int? SubscriptionsLimit", "subscriptions_limit"),
            ("int? SubscriptionLimit", "subscriptions_limit"),
        ),
        member("ProductState State", product_state),
        member("IEnumerable<IGroup> Groups", groups),
        member("IEnumerable<IApi> Apis", product_apis),
        namespace=APIM,
    ),
    declare("IGroup", *plain(("string Id", "id"), ("string Name", "name")), namespace=APIM),
    declare(
        "ISubscription",
        *plain(("string Id", "id"), ("string Name", "name")),
        member("string? Key", shown_key, root=True, effects=("secret",)),
        member("string? PrimaryKey", primary_key, root=True, effects=("secret",)),
        member("string? SecondaryKey", secondary_key, root=True, effects=("secret",)),
        member("DateTime CreatedDate", subscription_created),
        member("DateTime? StartDate", subscription_start),
        member("DateTime? EndDate", subscription_end),
        namespace=APIM,
    ),
    declare(
        "IUser",
        *plain(
            ("string Id", "id"), ("string Email", "email"), ("string FirstName", "first_name"),
            ("string LastName", "last_name"), ("string? Note", "note"),
        ),
        member("DateTime RegistrationDate", user_registered),
        member("IEnumerable<IGroup> Groups", groups),
        member("IEnumerable<IUserIdentity> Identities", identities),
        namespace=APIM,
    ),
    declare("IUserIdentity", member("string Id", identity_id), member("string Provider", identity_provider), namespace=APIM),
    declare(
        "IDeployment",
        *plain(("string Region", "region"), ("string ServiceId", "service_id"), ("string ServiceName", "service_name"), ("string GatewayId", "gateway_id")),
        member("IGateway Gateway", attr=""),
        member("ICertificates Certificates", deployment_certificates, root=True),
        member("ISustainabilityInfo? SustainabilityInfo", nothing),
        namespace=APIM,
    ),
    declare(
        "IGateway",
        *plain(("string Id", "gateway_id"), ("string InstanceId", "gateway_id")),
        member("bool IsManaged", managed),
        namespace=APIM,
    ),
    declare(
        "ICertificates",
        member("X509Certificate2 this[string key]", certificate_at),
        member("bool ContainsKey(string key)", certificate_has),
        member("bool TryGetValue(string key, out X509Certificate2 value)", certificate_get),
        member("X509Certificate2? GetValueOrDefault(string key)", certificate_or),
        member("X509Certificate2? GetValueOrDefault(string key, X509Certificate2 defaultValue)", certificate_or),
        member("IEnumerable<string> Keys", certificate_names),
        member("IEnumerable<X509Certificate2> Values", certificate_values),
        member("int Count", certificate_count),
        namespace=APIM,
        kind="interface",
        bases=("IReadOnlyDictionary<string, X509Certificate2>",),
        python=CertificateValues,
    ),
    declare("ISustainabilityInfo", member("string? CurrentCarbonIntensity", nothing), namespace=APIM),
    enumeration("BackendType", BackendType, APIM),
    declare(
        "IBackend",
        member("string Id", backend_id),
        member("BackendType Type", backend_type),
        member("string? AzureRegion", nothing),
        namespace=APIM,
    ),
    declare("IWorkspace", member("string? Id", nothing), member("string? Name", nothing), namespace=APIM),
    declare("IGraphQLDataObject", member("object? this[string key]", nothing), namespace=APIM),
    declare(
        "IGraphQL",
        member("IGraphQLDataObject? GraphQLArguments", nothing),
        member("IGraphQLDataObject? Parent", nothing),
        namespace=APIM,
    ),
    declare("IFoundry", member("string Deployment", foundry_deployment), namespace=APIM),
    declare(
        "IPrivateEndpointConnection",
        *(member(f"string? {name}", nothing) for name in ("Name", "GroupId", "MemberName")),
        namespace=APIM,
    ),
    declare(
        "Authorization",
        member("string AccessToken", attr="access_token", effects=("secret",)),
        member("IReadOnlyDictionary<string, object> Claims", authorization_claims),
        namespace=APIM,
        python=Authorization,
    ),
)  # fmt: skip
