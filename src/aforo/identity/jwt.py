"""Tokens of any issuer, taken apart and checked against keys: RS, PS, ES and HS, and encrypted ones. It fetches nothing
and knows no policy. A refusal's code is the reason in API Management's words.

Which algorithms a key may serve is decided by the key, never by the token: an RSA key checks RS and PS signatures, a
shared secret HS ones and nothing else, so a public key cannot be taken for a shared secret.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey

from aforo.errors import Denied

MAX_TOKEN_BYTES: Final = 16 * 1024
MIN_SECRET_BYTES: Final = 16
MIN_RSA_BITS: Final = 2048

_FAMILIES: Final = {"RSA": ("RS", "PS"), "EC": ("ES",), "oct": ("HS",)}
_SIGNATURES: Final = frozenset(
    f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)
)
# No PBES2 (its cost is the token's choice) and no RSA1_5 (its padding tells too much).
_WRAPPINGS: Final = ("dir", "RSA-OAEP", "RSA-OAEP-256", "A128KW", "A192KW", "A256KW")
_CONTENT: Final = ("A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*\Z")

# Issuers put fields of their own into headers (Entra's `nonce`); a critical one is refused in `read`.
_signed: Final = jws.JWSRegistry(algorithms=sorted(_SIGNATURES), strict_check_header=False)
_sealed: Final = jwe.JWERegistry(algorithms=[*_WRAPPINGS, *_CONTENT], strict_check_header=False)
for _registry in (_signed, _sealed):
    for _limit in [name for name in dir(_registry) if name.startswith("max_") and name.endswith("_length")]:
        setattr(_registry, _limit, MAX_TOKEN_BYTES)  # the library's own are below what groups in a token take

Match = Literal["named", "unnamed", "other"]


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A key with what is said of it: `kid` and `x5t` are "" where nothing is. `kind` is RSA, EC or oct."""

    kind: str
    value: RSAKey | ECKey | OctKey
    kid: str = ""
    x5t: str = ""

    def serves(self, algorithm: str) -> bool:
        return algorithm in _SIGNATURES and algorithm[:2] in _FAMILIES[self.kind]

    def match(self, header: Mapping[str, Any]) -> Match:
        """Whether a token's header names this key, could mean it (one of both says no name), or means another."""
        kid, x5t = header.get("kid"), header.get("x5t")
        if not (isinstance(kid, str) or isinstance(x5t, str)) or not (self.kid or self.x5t):
            return "unnamed"
        named = (kid and kid in (self.kid, self.x5t)) or (x5t and x5t in (self.x5t, self.kid))
        return "named" if named else "other"


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was read; nothing in it is true before its signature is."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def algorithm(self) -> str:
        value = self.header.get("alg")
        return value if isinstance(value, str) else ""

    @property
    def is_unsigned(self) -> bool:
        """`none`, and no signature: what a token that says it has none must look like."""
        return self.algorithm == "none" and self.text.endswith(".")

    def signed_by(self, key: Key) -> bool:
        """Whether that key made the signature (40 to 150 µs)."""
        if not key.serves(self.algorithm):
            return False
        try:
            jws.deserialize_compact(self.text, key.value, registry=_signed)
        except (JoseError, ValueError):
            return False
        return True


def is_encrypted(text: str) -> bool:
    return text.count(".") == 4


def read(text: str) -> Token:
    """A token's parts. `Denied` with `JwtInvalid` when it is none."""
    if len(text) > MAX_TOKEN_BYTES:
        raise refused("JwtInvalid", "The token is longer than 16 KB.")
    parts = text.split(".")
    if len(parts) != 3:
        raise refused("JwtInvalid", "The token is not a JWT: it has not three parts.")
    header, claims = _object(parts[0], "header"), _object(parts[1], "payload")
    if "crit" in header:
        raise refused("JwtInvalid", "The token names header fields as critical that are not known here.")
    if not _BASE64URL.match(parts[2]):
        raise refused("JwtInvalid", "The token's signature is not base64url.")
    return Token(text, header, claims)


def decrypt(text: str, keys: Iterable[Key]) -> str:
    """What an encrypted token holds: a signed token, or bare claims put into the form of an unsigned one."""
    if len(text) > MAX_TOKEN_BYTES:
        raise refused("JwtInvalid", "The token is longer than 16 KB.")
    header = _object(text.partition(".")[0], "header")
    if header.get("alg") not in _WRAPPINGS or header.get("enc") not in _CONTENT or "zip" in header:
        raise refused("JwtInvalid", "The token is encrypted in a way that is not supported here.")
    order = {"named": 0, "unnamed": 1, "other": 2}
    for key in sorted(keys, key=lambda k: order[k.match(header)]):
        if (key.kind == "RSA") != str(header["alg"]).startswith("RSA"):
            continue
        try:
            plain = jwe.decrypt_compact(text, key.value, registry=_sealed).plaintext
        except (JoseError, ValueError, binascii.Error):
            continue
        inner = (plain or b"").decode("utf-8", "replace").strip()
        if not inner.startswith("{"):
            return inner
        payload = base64.urlsafe_b64encode(inner.encode()).rstrip(b"=").decode()
        return f"{_UNSIGNED}.{payload}."
    raise refused("JwtInvalid", "The token cannot be decrypted with the keys at hand.")


_UNSIGNED: Final = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()


# --- keys ----------------------------------------------------------------------------------------------------------


def secret_key(encoded: str, kid: str = "") -> Key:
    """A shared secret from base64 (either alphabet). ValueError when it is none, or too short to be one."""
    data = "".join(encoded.split()).replace("-", "+").replace("_", "/").rstrip("=")
    secret = base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(f"a signing key has at least {MIN_SECRET_BYTES} bytes")
    return Key("oct", OctKey.import_key(secret), kid)


def rsa_key(modulus: str, exponent: str, kid: str = "") -> Key:
    """An RSA public key from its numbers in base64url. ValueError when they make none."""
    n, e = (int.from_bytes(_bytes(part.strip()), "big") for part in (modulus, exponent))
    return _public(rsa.RSAPublicNumbers(e, n).public_key(), kid, "")


def certificate_key(pem: str, kid: str = "") -> Key:
    """The public key of a certificate (the first of a chain). ValueError when there is none to be used."""
    return _of_certificate(x509.load_pem_x509_certificate(pem.encode()), kid)


def private_key(pem: str, kid: str = "") -> Key:
    """A private key, for decryption. ValueError when it is none that can."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_RSA_BITS:
        raise ValueError("only an RSA key of 2048 bits and more decrypts tokens")
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Key("RSA", RSAKey.import_key(data), kid)


def key_set(entries: Iterable[Mapping[str, Any]]) -> list[Key]:
    """The keys of a JWKS that can have signed; those of unknown kinds, and what cannot be read, are left out.

    A shared secret has no place in a set that anybody can read: it is left out too.
    """
    keys: list[Key] = []
    for entry in entries:
        if entry.get("use", "sig") != "sig":
            continue
        kid, x5t = (str(entry.get(name) or "") for name in ("kid", "x5t"))
        try:
            if entry.get("kty") == "RSA" and "n" in entry:
                n, e = (int.from_bytes(_bytes(str(entry[name])), "big") for name in ("n", "e"))
                keys.append(_public(rsa.RSAPublicNumbers(e, n).public_key(), kid, x5t))
            elif entry.get("kty") == "EC":
                wanted = {k: v for k, v in entry.items() if k in ("kty", "crv", "x", "y")}
                keys.append(Key("EC", ECKey.import_key(wanted), kid, x5t))
            elif entry.get("x5c"):
                der = base64.b64decode(str(entry["x5c"][0]))
                found = _of_certificate(x509.load_der_x509_certificate(der), kid)
                keys.append(Key(found.kind, found.value, kid, x5t or found.x5t))
        except (JoseError, ValueError, KeyError, TypeError, IndexError):
            continue
    return keys


def _of_certificate(certificate: x509.Certificate, kid: str) -> Key:
    from cryptography.hazmat.primitives.hashes import SHA1

    # The digest that `x5t` is by its definition (RFC 7515 4.1.7): a name, not a proof.
    digest = certificate.fingerprint(SHA1())  # noqa: S303
    x5t = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return _public(certificate.public_key(), kid, x5t)


def _public(key: Any, kid: str, x5t: str) -> Key:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise ValueError(f"an RSA key has at least {MIN_RSA_BITS} bits")
        kind = "RSA"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        kind = "EC"
    else:
        raise ValueError("the key is neither RSA nor EC")
    data = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    value = RSAKey.import_key(data) if kind == "RSA" else ECKey.import_key(data)
    return Key(kind, value, kid, x5t)


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(_bytes(part))
    except ValueError as error:
        raise refused("JwtInvalid", f"The token is not a JWT: its {what} cannot be read.") from error
    if not isinstance(value, dict):
        raise refused("JwtInvalid", f"The token is not a JWT: its {what} is no object.")
    return value


def _bytes(part: str) -> bytes:
    body = part.rstrip("=")
    if not _BASE64URL.match(body):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def refused(code: str, message: str) -> Denied:
    return Denied(message, code=code, authenticated=False)
