"""RSA keys: signing, verifying, encrypting, with the paddings that .NET names."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime.exceptions import CryptographicException, given
from aforo.csharp.runtime.hashing import CRYPTO, HashAlgorithmName, dispose, hash_bytes
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, member

# A signature of a 4096-bit key takes 5 ms: the clock is looked at for each.
_WORK: Final = 1100


class Rsa(Obj):
    """A key of `cryptography`; `private` None for a public one."""

    __slots__ = ("private", "public")
    net_name = "System.Security.Cryptography.RSA"

    def __init__(self, public: Any, private: Any) -> None:
        self.public = public
        self.private = private


class SignaturePadding(Obj):
    __slots__ = ("mode",)
    net_name = "System.Security.Cryptography.RSASignaturePadding"

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def text(self, _spec: str | None = None) -> str:
        return self.mode

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SignaturePadding) and self.mode == other.mode

    def __hash__(self) -> int:
        return hash(self.mode)


class EncryptionPadding(Obj):
    __slots__ = ("hash",)
    net_name = "System.Security.Cryptography.RSAEncryptionPadding"

    def __init__(self, algorithm: str) -> None:
        self.hash = algorithm  # of OAEP; empty for PKCS #1

    def text(self, _spec: str | None = None) -> str:
        return f"OaepSHA{self.hash[3:]}" if self.hash else "Pkcs1"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncryptionPadding) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)


def _hash(name: str) -> Any:
    from cryptography.hazmat.primitives import hashes

    known: dict[str, Any] = {
        "md5": hashes.MD5, "sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384,
        "sha512": hashes.SHA512,
    }  # fmt: skip
    return known[name]()


def _signature_padding(padding: SignaturePadding | None, name: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import padding as p

    if given(padding, "padding").mode == "Pkcs1":
        return p.PKCS1v15()
    # .NET's PSS: the mask's hash is the signature's, the salt as long as it.
    return p.PSS(p.MGF1(_hash(name)), p.PSS.DIGEST_LENGTH)


def _private(key: Rsa) -> Any:
    if key.private is None:
        raise CryptographicException("Key does not exist.")
    work(_WORK)
    return key.private


def sign_hash(
    key: Rsa, digest: bytearray | None, name: HashAlgorithmName, padding: SignaturePadding | None
) -> bytearray:
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    algorithm = name.python()
    data = given(digest, "hash")
    if len(data) != _hash(algorithm).digest_size:
        raise CryptographicException("Bad Hash.")
    try:
        made = _private(key).sign(bytes(data), _signature_padding(padding, algorithm), Prehashed(_hash(algorithm)))  # fmt: skip
    except ValueError as error:
        raise CryptographicException(str(error)[:120]) from None
    return bytearray(made)


def sign_data(
    key: Rsa, data: bytearray | None, name: HashAlgorithmName, padding: SignaturePadding | None
) -> bytearray:
    digest = hash_bytes(name.python(), given(data, "data"))
    return sign_hash(key, bytearray(digest), name, padding)


def verify_hash(
    key: Rsa,
    digest: bytearray | None,
    signature: bytearray | None,
    name: HashAlgorithmName,
    padding: SignaturePadding | None,
) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    algorithm = name.python()
    shown = bytes(given(signature, "signature"))
    data = bytes(given(digest, "hash"))
    if len(data) != _hash(algorithm).digest_size:
        return False
    work(_WORK // 8)
    try:
        key.public.verify(shown, data, _signature_padding(padding, algorithm), Prehashed(_hash(algorithm)))
    except InvalidSignature:
        return False
    return True


def verify_data(
    key: Rsa,
    data: bytearray | None,
    signature: bytearray | None,
    name: HashAlgorithmName,
    padding: SignaturePadding | None,
) -> bool:
    digest = hash_bytes(name.python(), given(data, "data"))
    return verify_hash(key, bytearray(digest), signature, name, padding)


def _encryption_padding(padding: EncryptionPadding | None) -> Any:
    from cryptography.hazmat.primitives.asymmetric import padding as p

    name = given(padding, "padding").hash
    return p.OAEP(p.MGF1(_hash(name)), _hash(name), None) if name else p.PKCS1v15()


def rsa_encrypt(key: Rsa, data: bytearray | None, padding: EncryptionPadding | None) -> bytearray:
    work(_WORK // 8)
    try:
        return bytearray(key.public.encrypt(bytes(given(data, "data")), _encryption_padding(padding)))
    except ValueError:
        raise CryptographicException("Bad Length.") from None


def rsa_decrypt(key: Rsa, data: bytearray | None, padding: EncryptionPadding | None) -> bytearray:
    try:
        return bytearray(_private(key).decrypt(bytes(given(data, "data")), _encryption_padding(padding)))
    except ValueError:
        raise CryptographicException("The parameter is incorrect.") from None


def rsa_key_size(key: Rsa) -> int:
    return int(key.public.key_size)


def encryption_oaep(name: HashAlgorithmName) -> EncryptionPadding:
    return EncryptionPadding(name.python())


def key_exchange(_key: Rsa) -> str:
    return "RSA"


_DATA: Final = "byte[] data, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding"
_HASH: Final = "byte[] hash, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding"

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "AsymmetricAlgorithm",
        member("int KeySize", rsa_key_size),
        member("string SignatureAlgorithm", key_exchange),
        member("string KeyExchangeAlgorithm", key_exchange),
        member("void Clear()", dispose),
        member("void Dispose()", dispose),
        namespace=CRYPTO,
        bases=("IDisposable",),
        python=Rsa,
    ),
    declare(
        "RSA",
        member(f"byte[] SignData({_DATA})", sign_data),
        member(f"byte[] SignHash({_HASH})", sign_hash),
        member(f"bool VerifyData({_DATA.replace('data,', 'data, byte[] signature,', 1)})", verify_data),
        member(f"bool VerifyHash({_HASH.replace('hash,', 'hash, byte[] signature,', 1)})", verify_hash),
        member("byte[] Encrypt(byte[] data, RSAEncryptionPadding padding)", rsa_encrypt),
        member("byte[] Decrypt(byte[] data, RSAEncryptionPadding padding)", rsa_decrypt),
        namespace=CRYPTO,
        bases=("AsymmetricAlgorithm",),
        python=Rsa,
    ),
    *(declare(name, namespace=CRYPTO, bases=("RSA",), python=Rsa) for name in ("RSACng", "RSACryptoServiceProvider")),
    declare(
        "RSASignaturePadding",
        member("static RSASignaturePadding Pkcs1", const=SignaturePadding("Pkcs1")),
        member("static RSASignaturePadding Pss", const=SignaturePadding("Pss")),
        namespace=CRYPTO,
        python=SignaturePadding,
    ),
    declare(
        "RSAEncryptionPadding",
        member("static RSAEncryptionPadding Pkcs1", const=EncryptionPadding("")),
        *(
            member(f"static RSAEncryptionPadding OaepSHA{n}", const=EncryptionPadding(f"sha{n}"))
            for n in (1, 256, 384, 512)
        ),
        member("static RSAEncryptionPadding CreateOaep(HashAlgorithmName hashAlgorithm)", encryption_oaep),
        namespace=CRYPTO,
        python=EncryptionPadding,
    ),
)  # fmt: skip
