"""Certificates with their keys, from PFX (PKCS #12) or PEM bytes. It knows no resource and no policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from aforo.errors import Invalid

MAX_BYTES = 1 << 20

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """`pem` holds the chain, the end certificate first; `key_pem` (PKCS #8, not encrypted) is a secret, "" when
    there is no key. `thumbprint` is SHA-1 in upper-case hexadecimal digits, as Azure shows it."""

    subject: str
    thumbprint: str
    expires: datetime
    pem: str
    key_pem: str = field(default="", repr=False)


def read_certificate(data: bytes, password: str | None) -> ReadCertificate:
    """Invalid, without a word of what is in it, when it is neither or the password is wrong."""
    if len(data) > MAX_BYTES:
        raise Invalid("a certificate may have 1 MiB", code="CertificateTooLarge")
    word = password.encode() if password else None
    try:
        if b"-----BEGIN " in data:
            chain = x509.load_pem_x509_certificates(data)
            key = _pem_key(data, word)
        else:
            key, chain = _pfx(data, word)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # What the library says may quote the content.
        raise Invalid(
            "this is no PFX or PEM certificate, or its password is another", code="CertificateNotRead"
        ) from error
    end = chain[0]
    if key is not None and _public(key) != _public_of(end):
        matching = [c for c in chain if _public_of(c) == _public(key)]
        if not matching:
            raise Invalid("the private key does not belong to the certificate", code="CertificateNotRead")
        end = matching[0]
        chain = [end, *(c for c in chain if c is not end)]
    return ReadCertificate(
        end.subject.rfc4514_string(),
        end.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - a name, not a proof
        end.not_valid_after_utc,
        "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in chain),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        if key is not None
        else "",
    )


def _pfx(data: bytes, word: bytes | None) -> tuple[_Key | None, list[x509.Certificate]]:
    key, end, more = pkcs12.load_key_and_certificates(data, word)
    chain = [*([end] if end is not None else []), *more]
    if not chain:
        raise ValueError("no certificate in it")
    return _usable(key), chain


def _pem_key(data: bytes, word: bytes | None) -> _Key | None:
    if b"PRIVATE KEY-----" not in data:
        return None
    begin = data.rindex(b"-----BEGIN ", 0, data.index(b"PRIVATE KEY-----"))
    encrypted = b"ENCRYPTED" in data[begin:]
    return _usable(serialization.load_pem_private_key(data[begin:], word if encrypted else None))


def _usable(key: object) -> _Key | None:
    if key is None or isinstance(key, _Key):
        return key
    raise ValueError("a key of this kind is not used in TLS")


def _public(key: _Key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _public_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
