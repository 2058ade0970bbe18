"""`validate-azure-ad-token`: lets only calls with a good token of Entra, or of this system's own issuer, go on."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Child, Element, Text
from aforo.policy.validating import token_syntax as syntax

if TYPE_CHECKING:
    from aforo.policy.validating.token_check import Asked

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,250}")
# Tenants that stand for many.
_MANY = frozenset(("common", "organizations", "consumers"))
_CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"


def make_asked(make: Callable[..., Asked]) -> Callable[..., Asked]:
    """What is asked of the token at hand: whose configuration says its keys depends on the token's version and tenant."""
    from aforo.errors import Denied
    from aforo.identity import jwt

    def asked(
        x: Exchange, token: str | None, tenant: str | None, endpoint: str | None, backends: tuple[str | None, ...],
        audiences: tuple[str | None, ...], **rest: Any,
    ) -> Asked:  # fmt: skip
        try:
            # Not true yet: it only chooses between addresses of the same authority.
            claims = jwt.read((token or "").strip()).claims
        except Denied:
            claims = {}
        named = (tenant or "").strip()
        if named.startswith(("https://", "http://")):
            scheme, _, place = named.partition("://")
            host, _, path = place.partition("/")
            endpoint, named = endpoint or f"{scheme}://{host}", path.partition("/")[0]
        tid = claims.get("tid")
        authority = (endpoint or "").strip().rstrip("/") or x.services.signing_keys.authority(named)
        if named.lower() in _MANY and isinstance(tid, str) and _GUID.fullmatch(tid):
            own = x.services.signing_keys.authority(tid)
            if not endpoint and own != authority:
                authority, named = own, tid
        if authority and "://" not in authority:
            authority = f"https://{authority}"
        # Version 1 tokens name another issuer, which stands in a configuration of its own.
        version = "" if claims.get("ver") == "1.0" else "/v2.0"
        url = (
            f"{authority}/{named}{version}/.well-known/openid-configuration"
            if _DOMAIN.fullmatch(named)
            else ""
        )
        wanted = (*audiences, *(a for b in backends if b for a in (b.strip(), f"api://{b.strip()}")))
        # `organizations` are all tenants but the one of personal accounts.
        allowed = named.lower() != "organizations" or tid != _CONSUMERS
        return make(configs=(url,), audiences=wanted, tenant_allowed=allowed, **rest)

    return asked


def write(use: Use, emit: Emitter) -> None:
    from aforo.policy.validating.token_check import Asked, TokenCheck

    token = syntax.token_of(use, emit, "Authorization")
    tenant, endpoint = emit.value(use, "tenant-id"), emit.value(use, "authentication-endpoint")
    clients = syntax.texts_of(use, emit, "client-application-ids", "application-id")
    backends = syntax.texts_of(use, emit, "backend-application-ids", "application-id")
    audiences = syntax.texts_of(use, emit, "audiences", "audience")
    claims, claim_values = syntax.claims_of(use, emit)
    decryption, decryption_values = syntax.keys_of(use, emit, "decryption-keys")
    if token is None or tenant is None:
        return
    code, values = token
    values = syntax.flat(values, [tenant], clients, backends, audiences, claim_values, decryption_values)
    values += [endpoint] if endpoint is not None else []
    held = emit.local("token")
    asked = emit.expr(
        "MAKE(x, TOKEN, TENANT, ENDPOINT, BACKENDS, AUDIENCES, claims=CLAIMS, decryption=KEYS, applications=CLIENTS)",
        MAKE=make_asked(Asked),
        TOKEN=ast.Name(held, ast.Load()),
        TENANT=tenant,
        ENDPOINT=endpoint,
        BACKENDS=syntax.built(tuple(backends), emit),
        AUDIENCES=syntax.built(tuple(audiences), emit),
        CLAIMS=syntax.built(claims, emit),
        KEYS=syntax.built(decryption, emit),
        CLIENTS=syntax.built(tuple(clients), emit),
    )
    syntax.write_check(use, emit, TokenCheck(), (emit.expr(f"({held} := T)", T=code), values), asked, [])


_IDS = (Child("application-id", "An application's id.", many=True, text=Text("The id.", "name")),)

ELEMENT = Element(
    "validate-azure-ad-token",
    "Lets a call go on only with a token of Microsoft Entra for a tenant, or of this system's own issuer for its own "
    "tenant. Who called stands in the gateway's log from there on (`CallerClaims`).",
    write,
    sections=INBOUND,
    attributes=(
        Attribute(
            "tenant-id",
            "The tenant: its id or domain, or `common`, `organizations` or `consumers`.",
            "name",
            required=True,
        ),
        *syntax.ATTRIBUTES,
        Attribute(
            "authentication-endpoint",
            "The authority, for clouds of their own (`https://login.microsoftonline.us`).",
        ),
    ),
    children=(
        Child(
            "client-application-ids",
            "The applications that may call: the token's `appid` or `azp`.",
            children=_IDS,
        ),
        Child(
            "backend-application-ids",
            "Applications that the token may be for, beside the audiences: as `id` or `api://id`.",
            children=_IDS,
        ),
        syntax.AUDIENCES,
        syntax.REQUIRED_CLAIMS,
        syntax.DECRYPTION_KEYS,
    ),
)
