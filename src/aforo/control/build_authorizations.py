"""Connections of credential providers as gateways get them: where tokens are had, with which secrets, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.authorization import (
    ACCESS_POLICY_TYPE,
    AUTHORIZATION_TYPE,
    GRANTS,
    PROVIDER_TYPE,
)
from aforo.snapshot.snapshot import AuthorizationEntry

Carry = Callable[[str, Any], str]  # (place, secret) -> the text under which the secret travels


def authorizations_of(graph: Graph, service: Resource, carry: Carry) -> tuple[AuthorizationEntry, ...]:
    return tuple(_all(graph, service, carry))


def _all(graph: Graph, service: Resource, carry: Carry) -> Iterator[AuthorizationEntry]:
    principal = str(service.body.get("identity", {}).get("principalId", "")).lower()
    for provider in graph.children(service.id.key, PROVIDER_TYPE):
        grants = provider.properties.get("oauth2", {}).get("grantTypes", {})
        entra = str(provider.properties.get("identityProvider", "")).lower() == "aad"
        for connection in graph.children(provider.id.key, AUTHORIZATION_TYPE):
            grant: Mapping[str, Any] = grants.get(GRANTS[connection.properties["oauth2grantType"]], {})
            given: Mapping[str, Any] = connection.properties.get("parameters", {})
            refreshes = connection.properties["oauth2grantType"] == "AuthorizationCode"
            place = f"authorizations.{provider.name}.{connection.name}"
            secret = given.get("clientSecret") or grant.get("clientSecret")
            objects = tuple(
                (str(p.properties.get("tenantId", "")).lower(), str(p.properties["objectId"]).lower())
                for p in graph.children(connection.id.key, ACCESS_POLICY_TYPE)
            )
            url = str((refreshes and grant.get("refreshUrl")) or grant.get("tokenUrl") or "")
            yield AuthorizationEntry(
                provider=provider.name,
                id=connection.name,
                grant="refresh_token" if refreshes else "client_credentials",
                token_url=url,
                tenant=str(grant.get("tenantId", "")) if entra and not url else "",
                login=str(grant.get("loginUri", "")),
                client_id=str(given.get("clientId") or grant.get("clientId") or ""),
                client_secret=carry(f"{place}.secret", secret) if secret else "",
                refresh_token=carry(f"{place}.refresh", given["refreshToken"]) if refreshes else "",
                scope=_scope(grant, given, entra=entra),
                managed=bool(principal) and any(o == principal for _, o in objects),
                objects=objects,
            )


def _scope(grant: Mapping[str, Any], given: Mapping[str, Any], *, entra: bool) -> str:
    scope = str(given.get("scopes") or grant.get("scopes") or "")
    resource = str(grant.get("resourceUri") or "")
    return scope or (f"{resource.rstrip('/')}/.default" if entra and resource else "")
