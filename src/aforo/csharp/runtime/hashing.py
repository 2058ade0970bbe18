"""Hashes and HMACs, their names, and bytes from the system's generator of random numbers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    CryptographicException,
)
from aforo.csharp.runtime.limits import room, work
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import Declared, TypeDecl, declare, member

CRYPTO: Final = "System.Security.Cryptography"
_HASHES: Final = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}
_BLOCK: Final = {"md5": 64, "sha1": 64, "sha256": 64, "sha384": 128, "sha512": 128}


class Hash(Obj):
    """A hash or HMAC: `key` None for a plain hash. `running` is one that is fed in pieces."""

    __slots__ = ("done", "key", "name", "running")
    net_name = "System.Security.Cryptography.HashAlgorithm"

    def __init__(self, name: str, key: bytes | None) -> None:
        self.name = name
        self.key = key
        self.running: Any = None
        self.done: bytes | None = None


def hash_bytes(name: str, data: bytes | bytearray) -> bytes:
    """Charged by length: a long input takes its time, and expressions can ask again and again."""
    work(1 + (len(data) >> 8))
    return hashlib.new(name, data, usedforsecurity=False).digest()


def _start(algorithm: Hash) -> Any:
    if algorithm.key is None:
        return hashlib.new(algorithm.name, usedforsecurity=False)
    return hmac.new(algorithm.key, digestmod=algorithm.name)


def compute_hash(algorithm: Hash, data: bytearray | None) -> bytearray:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: buffer")
    if algorithm.key is None:
        digest = hash_bytes(algorithm.name, data)
    else:
        work(1 + (len(data) >> 8))
        digest = hmac.digest(algorithm.key, data, algorithm.name)
    algorithm.done = digest
    return bytearray(digest)


def part(data: bytearray | None, offset: int, size: int) -> bytearray:
    """A piece of an array, its bounds checked as .NET's hashes and ciphers do."""
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: buffer")
    if offset < 0:
        raise ArgumentOutOfRangeException("Non-negative number required.\r\nParameter name: offset")
    if size < 0 or size > len(data):
        raise ArgumentException("Value was invalid.")
    if offset > len(data) - size:
        raise ArgumentException(
            "Offset and length were out of bounds for the array or count is greater than the number of elements from index to the end of the source collection."
        )
    room(size)
    return data[offset : offset + size]


def compute_hash_part(algorithm: Hash, data: bytearray | None, offset: int, size: int) -> bytearray:
    return compute_hash(algorithm, part(data, offset, size))


def transform_block(
    algorithm: Hash, data: bytearray | None, offset: int, size: int, output: bytearray | None, to: int
) -> int:
    piece = part(data, offset, size)
    work(1 + (size >> 8))
    if algorithm.running is None:
        algorithm.running = _start(algorithm)
    algorithm.running.update(piece)
    if output is not None:
        if not 0 <= to <= len(output) - size:
            raise ArgumentException("Value was invalid.")
        output[to : to + size] = piece
    return size


def transform_final(algorithm: Hash, data: bytearray | None, offset: int, size: int) -> bytearray:
    piece = part(data, offset, size)
    transform_block(algorithm, piece, 0, size, None, 0)
    algorithm.done = algorithm.running.digest()
    algorithm.running = None
    return piece


def hash_value(algorithm: Hash) -> bytearray:
    if algorithm.done is None:
        raise CryptographicException("Hash must be finalized before the hash value is retrieved.")
    return bytearray(algorithm.done)


def hash_size(algorithm: Hash) -> int:
    return hashlib.new(algorithm.name, usedforsecurity=False).digest_size * 8


def hash_reset(algorithm: Hash) -> None:
    algorithm.running = algorithm.done = None


def dispose(_value: Any) -> None:
    """Nothing is held."""


def hash_key(algorithm: Hash) -> bytearray:
    return bytearray(algorithm.key or b"")


def set_hash_key(algorithm: Hash, key: bytearray | None) -> None:
    if key is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    if algorithm.running is not None:
        raise CryptographicException("Hash key cannot be changed after the first write to the stream.")
    room(len(key))
    algorithm.key = bytes(key)


def hash_name(algorithm: Hash) -> str:
    return algorithm.name.upper()


def _plain(name: str) -> Callable[[], Hash]:
    def make() -> Hash:
        return Hash(name, None)

    make.__qualname__ = f"make_{name}"
    return make


def _keyed(name: str) -> Callable[[bytearray | None], Hash]:
    def make(key: bytearray | None) -> Hash:
        if key is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: key")
        room(len(key))
        return Hash(name, bytes(key))

    make.__qualname__ = f"make_hmac_{name}"
    return make


def _random_key(name: str) -> Callable[[], Hash]:
    def make() -> Hash:
        return Hash(name, secrets.token_bytes(_BLOCK[name]))

    make.__qualname__ = f"make_hmac_{name}_with_a_key"
    return make


def _by_name(text: str | None) -> tuple[str, bool] | None:
    """The hash that a name of .NET's means, and whether it is an HMAC."""
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: name")
    short = text.rpartition(".")[2].upper().replace("-", "")
    for suffix in ("CRYPTOSERVICEPROVIDER", "MANAGED", "CNG"):
        short = short.removesuffix(suffix)
    keyed = short.startswith("HMAC")
    short = {"SHA": "SHA1"}.get(short.removeprefix("HMAC"), short.removeprefix("HMAC"))
    found = _HASHES.get(short)
    return None if found is None else (found, keyed)


def create_hash(name: str | None) -> Hash | None:
    """`HashAlgorithm.Create(name)`: null for a name that nothing has."""
    found = _by_name(name)
    if found is None:
        return None
    return _random_key(found[0])() if found[1] else Hash(found[0], None)


def create_keyed(name: str | None) -> Hash | None:
    found = _by_name(name)
    return _random_key(found[0])() if found is not None and found[1] else None


# --- HashAlgorithmName, Oid, random bytes -------------------------------------------------------------------------


class HashAlgorithmName(Obj):
    __slots__ = ("name",)
    net_name = "System.Security.Cryptography.HashAlgorithmName"

    def __init__(self, name: str | None) -> None:
        self.name = name

    def text(self, _spec: str | None = None) -> str:
        return self.name or ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HashAlgorithmName) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def python(self) -> str:
        """Its name in hashlib and in the files beside this one."""
        if not self.name:
            raise ArgumentException("The hash algorithm name cannot be null or empty.\r\nParameter name: hashAlgorithm")  # fmt: skip
        known = _HASHES.get(self.name.upper())
        if known is None:
            raise CryptographicException(f"'{self.name}' is not a known hash algorithm.")
        return known


class Oid(Obj):
    """An object identifier; both of its names may be unknown."""

    __slots__ = ("friendly", "value")
    net_name = "System.Security.Cryptography.Oid"

    def __init__(self, value: str | None = None, friendly: str | None = None) -> None:
        named = next((v for v, n in _OIDS.items() if n == value), None)
        self.value = named or value
        self.friendly = friendly if friendly is not None else _OIDS.get(self.value or "")


_OIDS: Final = {
    "1.2.840.113549.1.1.1": "RSA", "1.2.840.113549.1.1.5": "sha1RSA", "1.2.840.113549.1.1.11": "sha256RSA",
    "1.2.840.113549.1.1.12": "sha384RSA", "1.2.840.113549.1.1.13": "sha512RSA", "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.10045.2.1": "ECC", "1.2.840.10045.4.3.2": "sha256ECDSA", "1.2.840.10045.4.3.3": "sha384ECDSA",
    "1.2.840.10045.4.3.4": "sha512ECDSA", "1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512", "1.2.840.113549.2.5": "md5",
    "2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "S", "2.5.4.10": "O", "2.5.4.11": "OU",
}  # fmt: skip


class RandomNumbers(Obj):
    __slots__ = ()
    net_name = "System.Security.Cryptography.RNGCryptoServiceProvider"


def random_numbers() -> RandomNumbers:
    return RandomNumbers()


def _target(data: bytearray | None) -> bytearray:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: data")
    work(1 + (len(data) >> 8))
    return data


def fill_random(_source: RandomNumbers, data: bytearray | None) -> None:
    target = _target(data)
    target[:] = secrets.token_bytes(len(target))


def fill_random_part(source: RandomNumbers, data: bytearray | None, offset: int, size: int) -> None:
    piece = part(data, offset, size)
    fill_random(source, piece)
    assert data is not None
    data[offset : offset + size] = piece


def fill_non_zero(_source: RandomNumbers, data: bytearray | None) -> None:
    target = _target(data)
    for at in range(len(target)):
        if at & 255 == 0:
            work(64)
        target[at] = 1 + secrets.randbelow(255)


def _names(owner: str, run: Any) -> tuple[Declared, ...]:
    return (member(f"static {owner}? Create(string algorithmName)", run),)


_NO_HASH: Final = HashAlgorithmName(None)

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "HashAlgorithm",
        *_names("HashAlgorithm", create_hash),
        member("byte[] ComputeHash(byte[] buffer)", compute_hash),
        member("byte[] ComputeHash(byte[] buffer, int offset, int count)", compute_hash_part),
        member("int TransformBlock(byte[] inputBuffer, int inputOffset, int inputCount, byte[] outputBuffer, int outputOffset)", transform_block),
        member("byte[] TransformFinalBlock(byte[] inputBuffer, int inputOffset, int inputCount)", transform_final),
        member("byte[] Hash", hash_value),
        member("int HashSize", hash_size),
        member("void Initialize()", hash_reset),
        member("void Clear()", dispose),
        member("void Dispose()", dispose),
        namespace=CRYPTO,
        bases=("IDisposable",),
        python=Hash,
    ),
    declare(
        "KeyedHashAlgorithm",
        *_names("KeyedHashAlgorithm", create_keyed),
        member("byte[] Key", hash_key, store=set_hash_key),
        namespace=CRYPTO,
        bases=("HashAlgorithm",),
        python=Hash,
    ),
    declare(
        "HMAC",
        *_names("HMAC", create_keyed),
        member("string HashName", hash_name),
        namespace=CRYPTO,
        bases=("KeyedHashAlgorithm",),
        python=Hash,
    ),
    *(
        declare(
            net,
            member(f"static {net} Create()", _plain(name)),
            *_names(net, create_hash),
            namespace=CRYPTO,
            bases=("HashAlgorithm",),
            python=Hash,
        )
        for net, name in _HASHES.items()
    ),
    *(
        declare(f"{net}{kind}", member("new()", _plain(name)), namespace=CRYPTO, bases=(net,), python=Hash)
        for net, name in _HASHES.items()
        for kind in ("Managed", "CryptoServiceProvider", "Cng")
        if (net, kind) != ("MD5", "Managed")
    ),
    *(
        declare(
            f"HMAC{net}",
            member("new()", _random_key(name)),
            member("new(byte[] key)", _keyed(name)),
            namespace=CRYPTO,
            bases=("HMAC",),
            python=Hash,
        )
        for net, name in _HASHES.items()
    ),
    declare(
        "HashAlgorithmName",
        member("new(string name)", HashAlgorithmName),
        *(member(f"static HashAlgorithmName {n}", const=HashAlgorithmName(n)) for n in _HASHES),
        member("string? Name", attr="name"),
        namespace=CRYPTO,
        kind="struct",
        python=HashAlgorithmName,
        default=_NO_HASH,
    ),
    declare(
        "Oid",
        member("new()", Oid),
        member("new(string oid)", Oid),
        member("new(string value, string friendlyName)", Oid),
        member("string? Value", attr="value"),
        member("string? FriendlyName", attr="friendly"),
        namespace=CRYPTO,
        python=Oid,
    ),
    declare(
        "RandomNumberGenerator",
        member("void GetBytes(byte[] data)", fill_random),
        member("void GetBytes(byte[] data, int offset, int count)", fill_random_part),
        member("void GetNonZeroBytes(byte[] data)", fill_non_zero),
        member("void Dispose()", dispose),
        namespace=CRYPTO,
        bases=("IDisposable",),
        python=RandomNumbers,
    ),
    declare(
        "RNGCryptoServiceProvider",
        member("new()", random_numbers),
        namespace=CRYPTO,
        bases=("RandomNumberGenerator",),
        python=RandomNumbers,
    ),
)  # fmt: skip
