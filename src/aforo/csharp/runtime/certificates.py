"""X509Certificate2 and what belongs to it. Chains are checked against the roots that this machine trusts."""

from __future__ import annotations

import hashlib
import re
from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import Any, Final

from aforo.csharp.runtime import dates
from aforo.csharp.runtime.dates import DateTime
from aforo.csharp.runtime.exceptions import ArgumentException, CryptographicException
from aforo.csharp.runtime.hashing import HashAlgorithmName, Oid, dispose
from aforo.csharp.runtime.limits import room, work
from aforo.csharp.runtime.names_x500 import name_text, simple_name
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.runtime.rsa import Rsa
from aforo.csharp.types import TypeDecl, declare, enumeration, member

_X509: Final = "System.Security.Cryptography.X509Certificates"


_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL
)


class X509NameType(IntEnum):
    SimpleName = 0
    EmailName = 1
    UpnName = 2
    DnsName = 3
    DnsFromAlternativeName = 4
    UrlName = 5


class X509ContentType(IntEnum):
    Unknown = 0
    Cert = 1
    SerializedCert = 2
    Pfx = 3
    SerializedStore = 4
    Pkcs7 = 5
    Authenticode = 6


class X509KeyStorageFlags(IntFlag):
    DefaultKeySet = 0
    UserKeySet = 1
    MachineKeySet = 2
    Exportable = 4
    UserProtected = 8
    PersistKeySet = 16
    EphemeralKeySet = 32


class X509Certificate(Obj):
    """A certificate of `cryptography`, and its private key where there is one."""

    __slots__ = ("cert", "chain", "der", "key")
    net_name = "System.Security.Cryptography.X509Certificates.X509Certificate2"

    def __init__(self, cert: Any, key: Any = None, chain: tuple[Any, ...] = ()) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding

        self.cert = cert
        self.key = key
        self.chain = chain
        self.der: bytes = cert.public_bytes(Encoding.DER)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, X509Certificate)
            and self.cert.serial_number == other.cert.serial_number
            and self.cert.issuer == other.cert.issuer
        )

    def __hash__(self) -> int:
        return hash(self.cert.serial_number)

    def text(self, _spec: str | None = None) -> str:
        lines = (
            ("Subject", subject(self)), ("Issuer", issuer(self)), ("Serial Number", serial(self)),
            ("Not Before", not_before(self).text()), ("Not After", not_after(self).text()),
            ("Thumbprint", thumbprint(self)),
        )  # fmt: skip
        return "\r\n\r\n".join(f"[{name}]\r\n  {text}" for name, text in lines) + "\r\n"


class DistinguishedName(Obj):
    __slots__ = ("name",)
    net_name = "System.Security.Cryptography.X509Certificates.X500DistinguishedName"

    def __init__(self, name: str) -> None:
        self.name = name


class PublicKey(Obj):
    __slots__ = ("cert",)
    net_name = "System.Security.Cryptography.X509Certificates.PublicKey"

    def __init__(self, cert: X509Certificate) -> None:
        self.cert = cert


@lru_cache(maxsize=64)
def from_pem(chain: str, key: str = "") -> X509Certificate:
    """A certificate of the service's own: its chain with the end certificate first; its key beside it or among it."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificates

    first, *rest = load_pem_x509_certificates(chain.encode())
    within = _KEY.search(chain)
    text = key or (within[0] if within is not None else "")
    private = load_pem_private_key(text.encode(), None) if text else None
    return X509Certificate(first, private, tuple(rest))


@lru_cache(maxsize=256)
def from_der(data: bytes) -> X509Certificate:
    """A certificate that a client showed."""
    from cryptography.x509 import load_der_x509_certificate

    return X509Certificate(load_der_x509_certificate(data))


def make_certificate(data: bytearray | None, password: str | None = None, _flags: int = 0) -> X509Certificate:
    """`new X509Certificate2(bytes, password)`: DER, PEM or PKCS #12."""
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

    if not data:
        raise ArgumentException("Array cannot be empty or null.\r\nParameter name: rawData")
    work(1100)
    raw = bytes(data)
    try:
        if raw.lstrip().startswith(b"-----BEGIN"):
            return from_pem(raw.decode("ascii", "replace"))
        try:
            return from_der(raw)
        except ValueError:
            pass
        # The rounds of key derivation that a PKCS #12 file asks for are its maker's choice: few bytes, much time.
        if _rounds(raw) > 600_000:
            raise CryptographicException("Cannot find the requested object.")
        store = load_pkcs12(raw, password.encode() if password is not None else None)
    except (ValueError, TypeError) as error:
        wrong_password = "password" in str(error).lower() or "mac" in str(error).lower()
        raise CryptographicException(
            "The specified network password is not correct." if wrong_password else "Cannot find the requested object."
        ) from None  # fmt: skip
    if store.cert is None:
        raise CryptographicException("Cannot find the requested object.")
    rest = tuple(each.certificate for each in store.additional_certs)
    return X509Certificate(store.cert.certificate, store.key, rest)


def _rounds(data: bytes, depth: int = 0) -> int:
    """The most rounds that its readable part asks for: in DER, a number behind a salt."""
    most = 0
    at = 0
    salted = False
    while depth < 16 and at + 2 <= len(data):
        tag, size, start = data[at], data[at + 1], at + 2
        if size & 0x80:
            wide = size & 0x7F
            size = int.from_bytes(data[start : start + wide], "big")
            start += wide
        inner = data[start : start + size]
        if tag == 2 and salted:
            most = max(most, int.from_bytes(inner, "big"))
        salted = tag == 4
        if tag & 0x20 or tag == 4:
            most = max(most, _rounds(inner, depth + 1))
        at = start + size
    return most


def subject(cert: X509Certificate) -> str:
    return name_text(cert.cert.subject)


def issuer(cert: X509Certificate) -> str:
    return name_text(cert.cert.issuer)


def subject_name(cert: X509Certificate) -> DistinguishedName:
    return DistinguishedName(subject(cert))


def issuer_name(cert: X509Certificate) -> DistinguishedName:
    return DistinguishedName(issuer(cert))


def thumbprint(cert: X509Certificate) -> str:
    return hashlib.sha1(cert.der, usedforsecurity=False).hexdigest().upper()


def cert_hash(cert: X509Certificate) -> bytearray:
    return bytearray(hashlib.sha1(cert.der, usedforsecurity=False).digest())


def cert_hash_by(cert: X509Certificate, name: HashAlgorithmName) -> bytearray:
    return bytearray(hashlib.new(name.python(), cert.der, usedforsecurity=False).digest())


def cert_hash_text_by(cert: X509Certificate, name: HashAlgorithmName) -> str:
    return cert_hash_by(cert, name).hex().upper()


def serial(cert: X509Certificate) -> str:
    """As it is encoded: a leading 00 belongs to it where the first bit would be a sign."""
    number = cert.cert.serial_number
    return str(number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True).hex().upper())


def serial_bytes(cert: X509Certificate) -> bytearray:
    """`GetSerialNumber()`: least significant byte first."""
    return bytearray(reversed(bytes.fromhex(serial(cert))))


def _moment(value: Any) -> DateTime:
    return DateTime(dates.EPOCH + int(value.timestamp()) * 10_000_000, 2)


def not_before(cert: X509Certificate) -> DateTime:
    return _moment(cert.cert.not_valid_before_utc)


def not_after(cert: X509Certificate) -> DateTime:
    return _moment(cert.cert.not_valid_after_utc)


def effective_text(cert: X509Certificate) -> str:
    return not_before(cert).text()


def expiration_text(cert: X509Certificate) -> str:
    return not_after(cert).text()


def cert_version(cert: X509Certificate) -> int:
    return int(cert.cert.version.value) + 1


def friendly_name(_cert: X509Certificate) -> str:
    return ""


def raw_data(cert: X509Certificate) -> bytearray:
    room(len(cert.der))
    return bytearray(cert.der)


def raw_text(cert: X509Certificate) -> str:
    room(2 * len(cert.der))
    return cert.der.hex().upper()


def export(cert: X509Certificate, kind: int) -> bytearray:
    if kind != X509ContentType.Cert:
        raise CryptographicException("Key not valid for use in specified state.")
    return raw_data(cert)


def has_private_key(cert: X509Certificate) -> bool:
    return cert.key is not None


def name_info(cert: X509Certificate, kind: int, for_issuer: bool) -> str:
    return simple_name(cert.cert, int(kind), for_issuer)


def signature_algorithm(cert: X509Certificate) -> Oid:
    return Oid(cert.cert.signature_algorithm_oid.dotted_string)


def key_algorithm(cert: X509Certificate) -> str:
    return str(cert.cert.public_key_algorithm_oid.dotted_string)


def format_name(_cert: X509Certificate) -> str:
    return "X509"


def public_bytes(cert: X509Certificate) -> bytearray:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = cert.cert.public_key()
    try:
        return bytearray(key.public_bytes(Encoding.DER, PublicFormat.PKCS1))
    except ValueError:
        return bytearray(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def public_text(cert: X509Certificate) -> str:
    return public_bytes(cert).hex().upper()


def public_oid(key: PublicKey) -> Oid:
    return Oid(key_algorithm(key.cert))


def rsa_public(cert: X509Certificate) -> Rsa | None:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    key = cert.cert.public_key()
    return Rsa(key, None) if isinstance(key, RSAPublicKey) else None


def rsa_private(cert: X509Certificate) -> Rsa | None:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = cert.key
    return Rsa(key.public_key(), key) if isinstance(key, RSAPrivateKey) else None


def private_key(cert: X509Certificate) -> Rsa | None:
    """As `PrivateKey` has it: null without one, an exception for a key of another kind than RSA."""
    found = rsa_private(cert)
    if found is None and cert.key is not None:
        from aforo.csharp.runtime.exceptions import NotSupportedException

        raise NotSupportedException("The certificate key algorithm is not supported.")
    return found


def public_rsa(key: PublicKey) -> Rsa:
    found = rsa_public(key.cert)
    if found is None:
        from aforo.csharp.runtime.exceptions import NotSupportedException

        raise NotSupportedException("The certificate key algorithm is not supported.")
    return found


@lru_cache(maxsize=1)
def trusted_roots() -> Any:
    """The roots that the machine trusts, as a store; None where it has none."""
    import ssl
    import warnings
    from pathlib import Path

    from cryptography.utils import CryptographyDeprecationWarning
    from cryptography.x509 import load_pem_x509_certificates
    from cryptography.x509.verification import Store

    file = ssl.get_default_verify_paths().cafile
    if file is None or not Path(file).exists():
        return None
    with warnings.catch_warnings():
        # Old roots with serial numbers that are not allowed any more: the machine trusts them all the same.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        found = load_pem_x509_certificates(Path(file).read_bytes())
    return Store(found) if found else None


def verify(cert: X509Certificate) -> bool:
    """`Verify()` and `VerifyNoRevocation()`: in its time, and a chain to a trusted root. Nothing is asked online."""
    from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, VerificationError

    work(1100)
    roots = trusted_roots()
    if roots is None:
        return False
    anything = ExtensionPolicy.permit_all()
    policy = PolicyBuilder().store(roots).extension_policies(
        ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=anything
    )  # fmt: skip
    try:
        policy.build_client_verifier().verify(cert.cert, list(cert.chain))
    except (VerificationError, ValueError):
        return False
    return True


TYPES: Final[tuple[TypeDecl, ...]] = (
    enumeration("X509NameType", X509NameType, _X509),
    enumeration("X509ContentType", X509ContentType, _X509),
    declare(
        "X509KeyStorageFlags",
        *(member(f"static X509KeyStorageFlags {v.name}", const=v) for v in (X509KeyStorageFlags.DefaultKeySet, *X509KeyStorageFlags)),
        namespace=_X509,
        kind="enum",
        python=X509KeyStorageFlags,
        default=X509KeyStorageFlags.DefaultKeySet,
    ),
    declare("X500DistinguishedName", member("string Name", attr="name"), namespace=_X509, python=DistinguishedName),
    declare(
        "PublicKey",
        member("AsymmetricAlgorithm Key", public_rsa),
        member("Oid Oid", public_oid),
        namespace=_X509,
        python=PublicKey,
    ),
    declare(
        "X509Certificate",
        member("string Subject", subject),
        member("string Issuer", issuer),
        member("byte[] GetCertHash()", cert_hash),
        member("byte[] GetCertHash(HashAlgorithmName hashAlgorithm)", cert_hash_by),
        member("string GetCertHashString()", thumbprint),
        member("string GetCertHashString(HashAlgorithmName hashAlgorithm)", cert_hash_text_by),
        member("string GetSerialNumberString()", serial),
        member("byte[] GetSerialNumber()", serial_bytes),
        member("string GetEffectiveDateString()", effective_text),
        member("string GetExpirationDateString()", expiration_text),
        member("byte[] GetRawCertData()", raw_data),
        member("string GetRawCertDataString()", raw_text),
        member("byte[] GetPublicKey()", public_bytes),
        member("string GetPublicKeyString()", public_text),
        member("string GetKeyAlgorithm()", key_algorithm),
        member("string GetName()", subject),
        member("string GetIssuerName()", issuer),
        member("string GetFormat()", format_name),
        member("byte[] Export(X509ContentType contentType)", export),
        member("void Reset()", dispose),
        member("void Dispose()", dispose),
        namespace=_X509,
        bases=("IDisposable",),
        python=X509Certificate,
    ),
    declare(
        "X509Certificate2",
        member("new(byte[] rawData)", make_certificate),
        member("new(byte[] rawData, string password)", make_certificate),
        member("new(byte[] rawData, string password, X509KeyStorageFlags keyStorageFlags)", make_certificate),
        member("string Thumbprint", thumbprint),
        member("string SerialNumber", serial),
        member("DateTime NotBefore", not_before),
        member("DateTime NotAfter", not_after),
        member("X500DistinguishedName SubjectName", subject_name),
        member("X500DistinguishedName IssuerName", issuer_name),
        member("int Version", cert_version),
        member("string FriendlyName", friendly_name),
        member("bool HasPrivateKey", has_private_key),
        member("AsymmetricAlgorithm? PrivateKey", private_key),
        member("byte[] RawData", raw_data),
        member("Oid SignatureAlgorithm", signature_algorithm),
        member("PublicKey PublicKey", PublicKey),
        member("string GetNameInfo(X509NameType nameType, bool forIssuer)", name_info),
        member("bool Verify()", verify),
        namespace=_X509,
        bases=("X509Certificate",),
        python=X509Certificate,
    ),
    declare(
        "RSACertificateExtensions",
        member("static RSA? GetRSAPrivateKey(this X509Certificate2 certificate)", rsa_private),
        member("static RSA? GetRSAPublicKey(this X509Certificate2 certificate)", rsa_public),
        namespace=_X509,
        kind="static",
    ),
    declare(
        "CertificateExtensions",
        member("static bool VerifyNoRevocation(this X509Certificate2 certificate)", verify),
        namespace="Microsoft.Azure.ApiManagement",
        kind="static",
    ),
)  # fmt: skip
