"""The local issuer: signed tokens and the documents that let others check them. It knows no HTTP.

Shapes are those of Microsoft Entra: RS256, `kid`, and the claims iss, aud, exp, nbf,
iat, tid, appid or azp, oid, sub, ver, roles.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import orjson
from joserfc import jws
from joserfc.jwk import RSAKey

from aforo.identity.access import Principal

TOKEN_LIFETIME_S = 3600
# Azure gives managed identities 24 hours; the gateway renews at half of it.
MANAGED_IDENTITY_LIFETIME_S = 86_400


class Issuer:
    """Issues tokens of one tenant.

    `base_url` is what its name is made of and must not change while tokens live (`https://127.0.0.1:8443`).
    Version 1 tokens are from `{base_url}/{tenant}/`, version 2 from `{base_url}/{tenant}/v2.0`, as with Entra.
    """

    def __init__(
        self, key: RSAKey, tenant_id: str, base_url: str, clock: Callable[[], float] = time.time
    ) -> None:
        if not key.kid or not key.is_private:
            raise ValueError("an issuer needs a private key with a kid")
        self.tenant_id = tenant_id
        self.base_url = base_url.rstrip("/")
        self._key = key
        self._clock = clock
        self._header = {"typ": "JWT", "alg": "RS256", "kid": key.kid, "x5t": key.kid}

    @property
    def issuers(self) -> tuple[str, str]:
        """The names of this issuer in version 1 and version 2 tokens."""
        root = f"{self.base_url}/{self.tenant_id}"
        return f"{root}/", f"{root}/v2.0"

    def token(
        self,
        principal: Principal,
        audience: str,
        *,
        version: int = 1,
        lifetime_s: int = TOKEN_LIFETIME_S,
    ) -> tuple[str, int]:
        """(token, unix second in which it ends). `audience` stands in `aud` exactly as given."""
        now = int(self._clock())
        ends = now + lifetime_s
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": self.issuers[version - 1],
            "iat": now,
            "nbf": now,
            "exp": ends,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": self.tenant_id,
            "idtyp": "app",
            "uti": uuid.uuid4().hex,
            "ver": f"{version}.0",
        }
        if version == 1:
            claims["appid"] = principal.client_id
            claims["appidacr"] = "2" if principal.resource_id else "1"
        else:
            claims["azp"] = principal.client_id
            claims["azpacr"] = "2" if principal.resource_id else "1"
        if principal.roles:
            claims["roles"] = list(principal.roles)
        if principal.resource_id:
            claims["xms_mirid"] = principal.resource_id
        return jws.serialize_compact(self._header, orjson.dumps(claims), self._key, ["RS256"]), ends

    def jwks(self) -> dict[str, Any]:
        """The public keys, in the shape of `discovery/keys`."""
        public = {k: v for k, v in self._key.as_dict(private=False).items() if k in ("kty", "n", "e")}
        kid = self._key.kid
        return {"keys": [{**public, "use": "sig", "alg": "RS256", "kid": kid, "x5t": kid}]}

    def configuration(self, *, version: int, origin: str = "") -> dict[str, Any]:
        """The openid-configuration document. `origin` is where its links lead (the listener that was asked)."""
        root = f"{(origin or self.base_url).rstrip('/')}/{self.tenant_id}"
        path = "/v2.0" if version == 2 else ""
        oauth = f"{root}/oauth2{path}"
        return {
            "issuer": self.issuers[version - 1],
            "authorization_endpoint": f"{oauth}/authorize",
            "token_endpoint": f"{oauth}/token",
            "jwks_uri": f"{root}/discovery{path}/keys",
            "response_types_supported": ["token"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["client_credentials"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "scopes_supported": ["openid"],
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nbf", "tid", "oid", "roles", "ver"],
            "tenant_region_scope": None,
        }
