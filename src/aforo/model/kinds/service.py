"""API Management services. What a new service comes with (groups, the all-access subscription) is said here."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aforo.model.declare import LOCATION, TAGS, anything, listing, record, refused, text, whole
from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId
from aforo.model.kind import Body, Kind, Mint, NameRule, Problem, Resource, View
from aforo.model.kinds.budgets import MODEL_PRICES, prices_have_days

SERVICE_TYPE = "Microsoft.ApiManagement/service"
MASTER = "master"
_NETWORK = "network isolation is the machine's and the cluster's business here"


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, mint: Mint) -> None:
    identity = body.get("identity")
    if identity and "SystemAssigned" in identity.get("type", ""):
        # Derived, not random: the same file gives the same principal, so role assignments keep their meaning.
        body["identity"] = {
            **identity,
            "principalId": mint.guid("identity", rid.key),
            "tenantId": mint.tenant_id,
        }


def _companions(service: Resource) -> Iterable[tuple[ResourceId, Body]]:
    for name, title, note in (
        ("administrators", "Administrators", "Those who manage this service."),
        ("developers", "Developers", "Those who have signed up."),
        ("guests", "Guests", "Everybody else."),
    ):
        yield (
            service.id.child("groups", name),
            {"properties": {"displayName": title, "description": note, "builtIn": True, "type": "system"}},
        )
    yield (
        service.id.child("subscriptions", MASTER),
        {
            "properties": {
                "scope": service.id.text,
                "displayName": "Built-in all-access subscription",
                "state": "active",
            }
        },
    )


def _ranges_are_ranges(service: Resource, _view: View) -> Iterable[Problem]:
    for name in ("trustedProxies", "privateEgress"):
        for index, entry in enumerate(service.properties.get(name, ())):
            if name == "privateEgress" and entry.startswith("unix:/"):
                continue
            # An address with a port is a narrower leave: `127.0.0.1:11434`, `[::1]:8000`.
            address = re.sub(r"^\[|\](:\d+)?$", "", entry)
            if "." in address:
                address = address.partition(":")[0]
            try:
                ipaddress.ip_network(address, strict=False)
            except ValueError:
                yield Problem(
                    ("properties", name, index), f"{entry!r} is neither an address nor a range (CIDR)"
                )


def trusted_cas(service: Resource) -> tuple[str, ...]:
    """The CAs of client certificates, as PEM; those that cannot be read are left out."""
    found = (_pem(str(c.get("encodedCertificate", ""))) for c in service.properties.get("certificates", ()))
    return tuple(pem for pem in found if pem)


def _pem(encoded: str) -> str:
    """ "" when it is no certificate. A key beside it is none of our business: it is refused too."""
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
        if b"-----BEGIN " not in data:
            return x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM).decode()
        if b"PRIVATE KEY" in data:
            return ""
        chain = x509.load_pem_x509_certificates(data)
        return "".join(c.public_bytes(Encoding.PEM).decode() for c in chain)
    except ValueError:
        return ""


def _cas_are_readable(service: Resource, _view: View) -> Iterable[Problem]:
    for index, each in enumerate(service.properties.get("certificates", ())):
        if not _pem(str(each.get("encodedCertificate", ""))):
            place = ("properties", "certificates", index, "encodedCertificate")
            yield Problem(place, "a certificate (PEM or DER) in base64 is expected, without a key")


SERVICE = Kind(
    name="service",
    type=SERVICE_TYPE,
    parent=RESOURCE_GROUP_TYPE,
    yaml="services",
    envelope=(
        LOCATION,
        TAGS,
        record(
            "sku",
            text(
                "name",
                required=True,
                values=(
                    "Developer",
                    "Basic",
                    "Standard",
                    "Premium",
                    "Consumption",
                    "BasicV2",
                    "StandardV2",
                    "PremiumV2",
                    "Isolated",
                ),
                doc="Kept and shown; no feature depends on it.",
            ),
            whole("capacity", 0, 100, default=1),
            required=True,
        ),
        record(
            "identity",
            text("type", required=True, values=("None", "SystemAssigned")),
            text("principalId", readonly=True),
            text("tenantId", readonly=True),
        ),
        refused("zones", "one machine has no zones"),
    ),
    properties=(
        text("publisherEmail", required=True, maximum=100),
        text("publisherName", required=True, maximum=100),
        text("notificationSenderEmail", maximum=100),
        text("gatewayUrl", readonly=True),
        text("managementApiUrl", readonly=True),
        text("portalUrl", readonly=True),
        text("provisioningState", readonly=True),
        text("targetProvisioningState", readonly=True),
        text("createdAtUtc", readonly=True),
        text("platformVersion", readonly=True),
        text("publicNetworkAccess", values=("Enabled",)),
        listing("trustedProxies", text("cidr"), doc="Addresses (CIDR) whose X-Forwarded-For counts."),
        listing(
            "privateEgress",
            text("cidr"),
            doc="Private ranges (CIDR) that policies and backends may reach; for a cache also `unix:/path` of its socket.",
        ),
        MODEL_PRICES,
        anything("customProperties", doc="Azure's protocol switches; kept and shown."),
        refused("disableGateway", "stop the system instead"),
        refused("virtualNetworkType", _NETWORK),
        refused("virtualNetworkConfiguration", _NETWORK),
        refused("additionalLocations", "run one system per region"),
        refused("hostnameConfigurations", "give the certificate to `aforo up`"),
        listing(
            "certificates",
            record(
                "certificate",
                text(
                    "encodedCertificate",
                    required=True,
                    minimum=1,
                    doc="A CA's certificate (PEM or DER) in base64.",
                ),
                text("storeName", required=True, values=("Root", "CertificateAuthority")),
                refused("certificatePassword", "give the CA's certificate alone, without its key"),
                record(
                    "certificate",
                    text("subject"),
                    text("thumbprint"),
                    text("expiry"),
                    readonly=True,
                ),
            ),
            maximum=10,
            doc="CAs whose certificates clients may show at the https listener; others are refused in the handshake.",
        ),
        refused("apiVersionConstraint", "every ARM api-version is accepted"),
        refused("restore", "there is no deleted service to restore"),
    ),
    names=NameRule(r"^[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?$", 50, "letters, digits and -, a letter first"),
    rules=(_ranges_are_ranges, _cas_are_readable, prices_have_days),
    fill=_fill,
    companions=_companions,
)
