"""Is this token good, and who does it speak of? Signature, issuer, audience, times, required claims.

It knows JWT and JWKS; where keys come from is a `KeySource`. A refusal's code is the reason in API Management's
words (`TokenExpired`, `TokenAudienceNotAllowed`), so that every caller can answer in its own form.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from aforo.errors import Denied

Claims = dict[str, Any]
PublicKey = RSAKey | ECKey

DEFAULT_SKEW_S = 300
DEFAULT_ALGORITHMS = ("RS256",)
_MAX_TOKEN_BYTES = 16 * 1024
_REMEMBERED = 1024


class KeySource(Protocol):
    """Where public keys come from."""

    async def find(self, kid: str | None) -> list[PublicKey]:
        """The keys that may have signed: the one of that id, or all when the token names none."""


class FixedKeys:
    """The keys of a JWKS at hand."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        self._keys = read_jwks(jwks)

    async def find(self, kid: str | None) -> list[PublicKey]:
        return [key for key in self._keys if kid is None or key.kid is None or key.kid == kid]


class Verifier:
    """Verifies tokens against one set of expectations. Safe to share between calls of one event loop.

    `audiences` and `issuers` empty means "any". `required` maps a claim to the values of which it must have
    one (a list claim: hold one); an empty collection asks only for its presence. Times may differ by `skew_s`.
    Signatures that were good are remembered (by the token's hash), so that a token costs its 120 µs only once
    (5 µs afterwards); times and claims are looked at each time.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        audiences: Collection[str] = (),
        issuers: Collection[str] = (),
        required: Mapping[str, Collection[str]] | None = None,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        skew_s: int = DEFAULT_SKEW_S,
        require_expiration: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._audiences = frozenset(a.rstrip("/") for a in audiences)
        self._issuers = frozenset(issuers)
        self._required = {name: frozenset(values) for name, values in (required or {}).items()}
        self._algorithms = [a for a in algorithms if a != "none"]
        self._skew_s = skew_s
        self._require_expiration = require_expiration
        self._clock = clock
        self._remembered: OrderedDict[bytes, Claims] = OrderedDict()

    async def verify(self, token: str) -> Claims:
        """The claims of a good token. `Denied` (not authenticated) says why a bad one is not."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        claims = self._remembered.get(digest)
        if claims is None:
            claims = await self._signed_claims(token)
            self._remembered[digest] = claims
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        self._check(claims)
        return claims

    async def _signed_claims(self, token: str) -> Claims:
        if not token:
            raise _refused("TokenNotPresent", "no token was presented")
        if len(token) > _MAX_TOKEN_BYTES:
            raise _refused("JwtInvalid", "the token is longer than 16 KB")
        try:
            header = jws.extract_compact(token.encode("ascii")).headers()
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused("JwtInvalid", "the token is not a signed JWT") from error
        if header.get("alg") not in self._algorithms:
            raise _refused("TokenSignatureInvalid", "the token's algorithm is not allowed here")
        kid = header.get("kid")
        keys = await self._keys.find(kid if isinstance(kid, str) else None)
        if not keys:
            raise _refused("TokenSignatureKeyNotFound", "no key of the issuer has the token's key id")
        for key in keys:
            try:
                payload = jws.deserialize_compact(token, key, self._algorithms).payload
            except (JoseError, ValueError):
                continue  # another key of the set may fit
            try:
                return _json_object(payload)
            except ValueError as error:
                raise _refused("JwtInvalid", "the token holds no claims") from error
        raise _refused("TokenSignatureInvalid", "the token's signature is not the issuer's")

    def _check(self, claims: Claims) -> None:
        now = self._clock()
        expires, begins = _number(claims.get("exp")), _number(claims.get("nbf"))
        if expires is None and (self._require_expiration or "exp" in claims):
            raise _refused("TokenExpired", "the token does not say when it ends")
        if expires is not None and now > expires + self._skew_s:
            raise _refused("TokenExpired", "the token has expired")
        if begins is None and "nbf" in claims:
            raise _refused("JwtInvalid", "the token's nbf is not a time")
        if begins is not None and now < begins - self._skew_s:
            raise _refused("TokenNotYetValid", "the token is not valid yet")
        if self._issuers and claims.get("iss") not in self._issuers:
            raise _refused("TokenIssuerNotAllowed", "the token is from another issuer")
        if self._audiences and not self._audiences & {a.rstrip("/") for a in _texts(claims.get("aud"))}:
            raise _refused("TokenAudienceNotAllowed", "the token is for another audience")
        for name, values in self._required.items():
            if name not in claims:
                raise _refused("TokenClaimNotFound", f"the token has no claim {name}")
            if values and not values & set(_texts(claims[name])):
                raise _refused("TokenClaimValueNotAllowed", f"the token's claim {name} has another value")


def read_jwks(jwks: Mapping[str, Any]) -> list[PublicKey]:
    """The signature keys of a JWKS; keys of kinds that are not used here are left out. ValueError when malformed."""
    entries = jwks.get("keys")
    if not isinstance(entries, list):
        raise ValueError("a key set has a list of keys")
    keys: list[PublicKey] = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        # Only what makes the key: Entra's x5c chains and our own extras do not matter for a signature.
        wanted = {k: v for k, v in entry.items() if k in ("kty", "n", "e", "crv", "x", "y", "kid")}
        try:
            if entry.get("kty") == "RSA":
                keys.append(RSAKey.import_key(wanted))
            elif entry.get("kty") == "EC":
                keys.append(ECKey.import_key(wanted))
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"a key of the set cannot be read: {error}") from error
    return keys


def _json_object(data: bytes) -> dict[str, Any]:
    value = orjson.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _refused(code: str, message: str) -> Denied:
    return Denied(message, code=code, authenticated=False)
