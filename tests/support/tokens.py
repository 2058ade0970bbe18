"""Tokens for tests: keys of each kind, and tokens signed or encrypted with them. It checks nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import Any

import orjson
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey, RSAKey

# 2026-07-01T12:00:00Z, the time of golden cases.
NOW = 1_782_907_200
SECRET = b"a shared secret that is long enough"
SECRET_BASE64 = base64.b64encode(SECRET).decode()


@lru_cache(maxsize=8)
def rsa_key(name: str = "one", bits: int = 2048) -> RSAKey:
    return RSAKey.import_key(RSAKey.generate_key(bits, auto_kid=False).as_pem(private=True), {"kid": name})


@lru_cache(maxsize=8)
def ec_key(name: str, curve: str = "P-256") -> ECKey:
    return ECKey.import_key(ECKey.generate_key(curve, auto_kid=False).as_pem(private=True), {"kid": name})


def public(key: RSAKey | ECKey) -> dict[str, Any]:
    """The key as a JWKS has it."""
    return {**key.as_dict(private=False), "use": "sig"}


def claims(**changed: Any) -> dict[str, Any]:
    """Claims that are good for an hour around NOW; None takes one away."""
    found: dict[str, Any] = {
        "iss": "https://issuer.example/",
        "aud": "api://calls",
        "sub": "someone",
        "nbf": NOW - 60,
        "exp": NOW + 3600,
    }
    return {k: v for k, v in {**found, **changed}.items() if v is not None}


def token(
    key: RSAKey | ECKey | OctKey | bytes, algorithm: str, said: dict[str, Any] | None = None, **header: Any
) -> str:
    """A signed token; the header names the key unless `kid` says otherwise ("" for none)."""
    used = OctKey.import_key(key) if isinstance(key, bytes) else key
    fields = {"typ": "JWT", "alg": algorithm, **({"kid": used.kid} if used.kid else {}), **header}
    if not fields.get("kid", "-"):
        del fields["kid"]
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jws.serialize_compact(
        fields, orjson.dumps(claims() if said is None else said), used, registry=registry
    )


def bare(header: dict[str, Any], said: dict[str, Any], signature: str = "") -> str:
    """A token put together by hand."""
    parts = (base64.urlsafe_b64encode(orjson.dumps(p)).rstrip(b"=").decode() for p in (header, said))
    return ".".join((*parts, signature))


def forged(secret: bytes, said: dict[str, Any], **header: Any) -> str:
    """HS256 with any bytes as the secret, a public key among them: what a library would refuse to make."""
    text = bare({"alg": "HS256", **header}, said).rstrip(".")
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def sealed(key: RSAKey | OctKey | bytes, algorithm: str, content: str, inner: str, **header: Any) -> str:
    """A token in a token."""
    used = OctKey.import_key(key) if isinstance(key, bytes) else key
    fields = {"alg": algorithm, "enc": content, "cty": "JWT", **header}
    return jwe.encrypt_compact(fields, inner.encode(), used, algorithms=[algorithm, content])
