"""Credential providers, their connections, and who may use those: what `get-authorization-context` gets tokens from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import listing, record, text
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mint, Problem, Resource, View
from aforo.model.kinds.api import URL
from aforo.model.kinds.service import SERVICE_TYPE

PROVIDER_TYPE = f"{SERVICE_TYPE}/authorizationProviders"
AUTHORIZATION_TYPE = f"{PROVIDER_TYPE}/authorizations"
ACCESS_POLICY_TYPE = f"{AUTHORIZATION_TYPE}/accessPolicies"
_GENERIC = ("oauth2", "oauth2pkce")
# The grant of a connection, and where its provider describes it.
GRANTS = {"ClientCredentials": "clientCredentials", "AuthorizationCode": "authorizationCode"}


def _says_where(provider: Resource, _view: View) -> Iterable[Problem]:
    kind = str(provider.properties.get("identityProvider", "")).lower()
    grants = provider.properties.get("oauth2", {}).get("grantTypes", {})
    place = ("properties", "oauth2", "grantTypes")
    if not grants:
        yield Problem(place, "a provider needs 'clientCredentials' or 'authorizationCode'")
    for name, grant in grants.items():
        if kind == "aad":
            if not grant.get("tenantId"):
                yield Problem((*place, name), "'tenantId' has to say whose tokens they are")
            if not grant.get("resourceUri") and not grant.get("scopes"):
                yield Problem((*place, name), "'resourceUri' or 'scopes' has to say what tokens are for")
        elif not grant.get("tokenUrl"):
            hint = () if kind in _GENERIC else (f"the addresses of {kind!r} are not known here",)
            yield Problem((*place, name), "'tokenUrl' has to say where tokens are had", hint)


def _fits_provider(connection: Resource, view: View) -> Iterable[Problem]:
    provider = view.get(connection.id.parent_key)
    grant = str(connection.properties.get("oauth2grantType", ""))
    if provider is None:
        return
    described = provider.properties.get("oauth2", {}).get("grantTypes", {}).get(GRANTS[grant])
    parameters = connection.properties.get("parameters", {})
    if described is None:
        what = f"the provider {provider.name!r} does not describe the grant {GRANTS[grant]!r}"
        yield Problem(("properties", "oauth2grantType"), what)
    elif grant == "AuthorizationCode":
        if "refreshToken" not in parameters:
            what = "consent by a login link is not run by this version: give a 'refreshToken' that was had elsewhere"
            yield Problem(("properties", "parameters"), what, code="NotSupported")
        if not (parameters.get("clientId") or described.get("clientId")):
            yield Problem(("properties", "parameters"), "'clientId' is missing, here and at the provider")
    else:
        for name in ("clientId", "clientSecret"):
            if name not in parameters:
                yield Problem(("properties", "parameters"), f"{name!r} is required for this grant")


AUTHORIZATION_PROVIDER = Kind(
    name="authorization provider",
    type=PROVIDER_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text("displayName", maximum=300),
        text(
            "identityProvider",
            required=True,
            minimum=1,
            doc="`aad`, or `oauth2` with a token URL; others only with a token URL of their own.",
        ),
        record(
            "oauth2",
            text("redirectUrl"),
            record(
                "grantTypes",
                *(
                    record(
                        name,
                        text("tokenUrl", pattern=URL, doc="An absolute http or https URL is expected."),
                        text("refreshUrl", pattern=URL, doc="An absolute http or https URL is expected."),
                        text("authorizationUrl"),
                        text(
                            "loginUri",
                            pattern=URL,
                            doc="The authority of Entra (`https://login.microsoftonline.us`).",
                        ),
                        text(
                            "tenantId",
                            pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$",
                            doc="A tenant's id or domain is expected.",
                        ),
                        text("resourceUri"),
                        text("scopes"),
                        text("clientId"),
                        text("clientSecret", secret=True),
                    )
                    for name in GRANTS.values()
                ),
            ),
            required=True,
        ),
    ),
    rules=(_says_where,),
    nested_secrets=True,
)

AUTHORIZATION = Kind(
    name="authorization",
    type=AUTHORIZATION_TYPE,
    parent=PROVIDER_TYPE,
    properties=(
        text("authorizationType", values=("OAuth2",), default="OAuth2"),
        text("oauth2grantType", required=True, values=tuple(GRANTS)),
        record(
            "parameters",
            text("clientId"),
            text("clientSecret", secret=True),
            text("scopes"),
            text("refreshToken", secret=True),
        ),
        text("status", readonly=True),
        record("error", text("code"), text("message"), readonly=True),
    ),
    rules=(_fits_provider,),
    nested_secrets=True,
)


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, _id: ResourceId, mint: Mint) -> None:
    body["properties"].setdefault("tenantId", mint.tenant_id)


ACCESS_POLICY = Kind(
    name="access policy",
    type=ACCESS_POLICY_TYPE,
    parent=AUTHORIZATION_TYPE,
    properties=(
        text("tenantId", doc="This system's own tenant unless it says another."),
        text("objectId", required=True, minimum=1, doc="Whose: the object id of a principal."),
        listing("appIds", text("appId")),
    ),
    fill=_fill,
)
