"""The local certificate authority: an EC P-256 CA and one leaf certificate for this machine's names.

It knows certificates and files; who listens with them is `app`'s affair. Clients trust `ca.pem` alone.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aforo.identity.tls_files import TlsFiles
from aforo.private_files import read_or_create, read_private, write_private

CA_LIFETIME = timedelta(days=3650)
# Apple's TLS refuses server certificates that live longer than 825 days, whoever signed them.
LEAF_LIFETIME = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
# A certificate that starts in the past survives clocks that differ a little.
_BACKDATE = timedelta(minutes=5)

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def ensure_tls(directory: Path, names: Iterable[str] = (), now: datetime | None = None) -> TlsFiles:
    """CA and leaf, made where missing. The leaf is made anew when it ends within 30 days, when its names no
    longer cover `names` (host names or addresses; this machine's own are always in) or when another CA signed it.

    `directory` must exist and be private. The CA is made once; its key never leaves `ca-key.pem`.
    """
    now = now or datetime.now(UTC)
    wanted = tuple(dict.fromkeys((*LOCAL_NAMES, socket.gethostname(), *names)))
    files = TlsFiles.below(directory)
    ca_key = _load_key(read_or_create(directory / "ca-key.pem", _new_key_pem))
    ca_pem = read_or_create(files.ca, lambda: _pem(_make_ca(ca_key, now)))
    ca = x509.load_pem_x509_certificate(ca_pem)
    if not _leaf_is_good(files, ca, wanted, now):
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        leaf = _make_leaf(ca, ca_key, leaf_key, wanted, now)
        # Key and certificate change together only for a process that reads both again: key first, so that a
        # reader between the two writes sees a pair that does not match (refused at load) and tries again.
        write_private(files.key, _key_pem(leaf_key))
        write_private(files.certificate, _pem(leaf) + ca_pem)
    return files


def _leaf_is_good(files: TlsFiles, ca: x509.Certificate, wanted: tuple[str, ...], now: datetime) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(read_private(files.certificate))
        key = _load_key(read_private(files.key))
    except (FileNotFoundError, ValueError):
        return False
    if leaf.not_valid_after_utc - now < RENEW_BEFORE or leaf.public_key() != key.public_key():
        return False
    try:
        leaf.verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 - the library raises three unrelated classes; each means "not ours"
        return False
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {_general_name(n) for n in wanted} <= set(names)


def _make_ca(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Aforo"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Aforo local CA ({socket.gethostname()[:40]})"),
        ]
    )
    usage = _key_usage(sign_certificates=True)
    return (
        _builder(name, name, key.public_key(), now, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _make_leaf(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    now: datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    lifetime = min(LEAF_LIFETIME, ca.not_valid_after_utc - now)
    return (
        _builder(subject, ca.subject, key.public_key(), now, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False)
        .add_extension(authority, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _new_key_pem() -> bytes:
    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic-curve key")
    return key
