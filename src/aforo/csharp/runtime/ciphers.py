"""Symmetric ciphers: SymmetricAlgorithm, its modes and paddings, and `bytes.Encrypt(...)` of policy expressions."""

from __future__ import annotations

import secrets
from enum import IntEnum
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    CryptographicException,
    NullReferenceException,
    given,
)
from aforo.csharp.runtime.hashing import CRYPTO, dispose, part
from aforo.csharp.runtime.limits import room, work
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, enumeration, member


class CipherMode(IntEnum):
    CBC = 1
    ECB = 2
    OFB = 3
    CFB = 4
    CTS = 5


class PaddingMode(IntEnum):
    Nothing = 1  # `None` in C#
    PKCS7 = 2
    Zeros = 3
    ANSIX923 = 4
    ISO10126 = 5


# Name: block and key sizes in bytes, the size of a key that is made.
_SIZES: Final = {"AES": (16, (16, 24, 32), 32), "3DES": (8, (16, 24), 24), "DES": (8, (8,), 8)}
_NAMES: Final = {
    "AES": "AES", "AESMANAGED": "AES", "AESCRYPTOSERVICEPROVIDER": "AES", "AESCNG": "AES", "RIJNDAEL": "AES",
    "RIJNDAELMANAGED": "AES", "3DES": "3DES", "TRIPLEDES": "3DES", "TRIPLE DES": "3DES",
    "TRIPLEDESCRYPTOSERVICEPROVIDER": "3DES", "DES": "DES", "DESCRYPTOSERVICEPROVIDER": "DES",
}  # fmt: skip


class Cipher(Obj):
    """A symmetric algorithm with its settings; key and IV are made when nobody gave them."""

    __slots__ = ("iv", "key", "mode", "name", "padding")
    net_name = "System.Security.Cryptography.SymmetricAlgorithm"

    def __init__(self, name: str) -> None:
        self.name = name
        self.key: bytes | None = None
        self.iv: bytes | None = None
        self.mode = CipherMode.CBC
        self.padding = PaddingMode.PKCS7


class Transform(Obj):
    """`ICryptoTransform`: one direction of a cipher with a key."""

    __slots__ = ("cipher", "encrypts", "iv", "key")
    net_name = "System.Security.Cryptography.ICryptoTransform"

    def __init__(self, cipher: Cipher, key: bytes, iv: bytes, encrypts: bool) -> None:
        self.cipher = cipher
        self.key = key
        self.iv = iv
        self.encrypts = encrypts


def create_cipher(name: str | None) -> Cipher | None:
    """`SymmetricAlgorithm.Create(name)`: null for a name that nothing has."""
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: algName")
    known = _NAMES.get(name.removeprefix("System.Security.Cryptography.").upper())
    return None if known is None else Cipher(known)


def make_aes() -> Cipher:
    return Cipher("AES")


def _key(cipher: Cipher, key: bytes | bytearray) -> bytes:
    if len(key) not in _SIZES[cipher.name][1]:
        raise CryptographicException("Specified key is not a valid size for this algorithm.")
    return bytes(key)


def _iv(cipher: Cipher, iv: bytes | bytearray) -> bytes:
    if len(iv) != _SIZES[cipher.name][0]:
        raise CryptographicException(
            "Specified initialization vector (IV) does not match the block size for this algorithm."
        )
    return bytes(iv)


def cipher_key(cipher: Cipher) -> bytearray:
    if cipher.key is None:
        cipher.key = secrets.token_bytes(_SIZES[cipher.name][2])
    return bytearray(cipher.key)


def cipher_iv(cipher: Cipher) -> bytearray:
    if cipher.iv is None:
        cipher.iv = secrets.token_bytes(_SIZES[cipher.name][0])
    return bytearray(cipher.iv)


def set_cipher_key(cipher: Cipher, key: bytearray | None) -> None:
    cipher.key = _key(cipher, given(key))


def set_cipher_iv(cipher: Cipher, iv: bytearray | None) -> None:
    cipher.iv = _iv(cipher, given(iv))


def new_cipher_key(cipher: Cipher) -> None:
    cipher.key = None
    cipher_key(cipher)


def new_cipher_iv(cipher: Cipher) -> None:
    cipher.iv = None
    cipher_iv(cipher)


def set_mode(cipher: Cipher, mode: int) -> None:
    if mode not in (CipherMode.CBC, CipherMode.ECB, CipherMode.CFB):
        raise CryptographicException("Specified cipher mode is not valid for this algorithm.")
    cipher.mode = CipherMode(mode)


def set_padding(cipher: Cipher, padding: int) -> None:
    cipher.padding = PaddingMode(padding)


def key_size(cipher: Cipher) -> int:
    return 8 * len(cipher_key(cipher))


def set_key_size(cipher: Cipher, bits: int) -> None:
    if bits % 8 or bits // 8 not in _SIZES[cipher.name][1]:
        raise CryptographicException("Specified key is not a valid size for this algorithm.")
    cipher.key = secrets.token_bytes(bits // 8)


def block_size(cipher: Cipher) -> int:
    return 8 * _SIZES[cipher.name][0]


def set_block_size(cipher: Cipher, bits: int) -> None:
    if bits != block_size(cipher):
        raise CryptographicException("Specified block size is not valid for this algorithm.")


def encryptor(cipher: Cipher) -> Transform:
    return Transform(cipher, bytes(cipher_key(cipher)), bytes(cipher_iv(cipher)), True)


def decryptor(cipher: Cipher) -> Transform:
    return Transform(cipher, bytes(cipher_key(cipher)), bytes(cipher_iv(cipher)), False)


def _with(cipher: Cipher, key: bytearray | None, iv: bytearray | None, encrypts: bool) -> Transform:
    real_key = _key(cipher, given(key, "rgbKey"))
    if iv is None and cipher.mode is CipherMode.ECB:
        return Transform(cipher, real_key, b"", encrypts)
    return Transform(cipher, real_key, _iv(cipher, given(iv, "rgbIV")), encrypts)


def encryptor_with(cipher: Cipher, key: bytearray | None, iv: bytearray | None) -> Transform:
    return _with(cipher, key, iv, True)


def decryptor_with(cipher: Cipher, key: bytearray | None, iv: bytearray | None) -> Transform:
    return _with(cipher, key, iv, False)


def _context(transform: Transform) -> Any:
    # 10 MB of a gateway's memory, for those whose policies encrypt.
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.decrepit.ciphers.modes import CFB8
    from cryptography.hazmat.primitives.ciphers import Cipher as Made
    from cryptography.hazmat.primitives.ciphers import algorithms, modes

    cipher = transform.cipher
    key = transform.key
    algorithm: Any
    if cipher.name == "AES":
        algorithm = algorithms.AES(key)
    else:
        # DES is 3DES with one key thrice; 16 bytes are 3DES with the first key again.
        algorithm = TripleDES(key * 3 if len(key) == 8 else key + key[:8] if len(key) == 16 else key)
    mode: Any
    if cipher.mode is CipherMode.ECB:
        mode = modes.ECB()  # noqa: S305 - what the policy asks for
    elif cipher.mode is CipherMode.CFB:
        mode = CFB8(transform.iv)
    else:
        mode = modes.CBC(transform.iv)
    made = Made(algorithm, mode)
    return made.encryptor() if transform.encrypts else made.decryptor()


def run_transform(transform: Transform, data: bytearray) -> bytearray:
    """All of a message, padded or its padding taken off."""
    cipher = transform.cipher
    block = 1 if cipher.mode is CipherMode.CFB else _SIZES[cipher.name][0]
    work(1 + (len(data) >> (3 if block == 1 else 7)))
    room(2 * len(data) + 2 * block)
    if transform.encrypts:
        data = _pad(data, block, cipher.padding)
    elif len(data) % block:
        raise CryptographicException("Length of the data to decrypt is invalid.")
    context = _context(transform)
    out = bytearray(context.update(bytes(data)) + context.finalize())
    return out if transform.encrypts else _unpad(out, block, cipher.padding)


def _pad(data: bytearray, block: int, padding: PaddingMode) -> bytearray:
    missing = block - len(data) % block
    if padding is PaddingMode.Nothing:
        if missing != block:
            raise CryptographicException("Length of the data to encrypt is invalid.")
        return data
    if padding is PaddingMode.Zeros:
        return data if missing == block else data + bytes(missing)
    if padding is PaddingMode.PKCS7:
        return data + bytes([missing]) * missing
    filling = secrets.token_bytes(missing - 1) if padding is PaddingMode.ISO10126 else bytes(missing - 1)
    return data + filling + bytes([missing])


def _unpad(data: bytearray, block: int, padding: PaddingMode) -> bytearray:
    if padding in (PaddingMode.Nothing, PaddingMode.Zeros):
        return data
    wrong = CryptographicException("Padding is invalid and cannot be removed.")
    if not data:
        return data
    count = data[-1]
    if not 1 <= count <= block:
        raise wrong
    filling = data[-count:-1]
    if padding is PaddingMode.PKCS7 and filling != bytes([count]) * (count - 1):
        raise wrong
    if padding is PaddingMode.ANSIX923 and filling != bytes(count - 1):
        raise wrong
    del data[-count:]
    return data


def transform_final(transform: Transform, data: bytearray | None, offset: int, size: int) -> bytearray:
    return run_transform(transform, part(data, offset, size))


# --- `bytes.Encrypt(...)` and `bytes.Decrypt(...)` ------------------------------------------------------------------


def _named(name: str | None) -> Cipher:
    found = create_cipher(name)
    if found is None:
        raise NullReferenceException
    return found


def _usable(cipher: Cipher | None) -> Cipher:
    if cipher is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: alg")
    return cipher


def encrypt(data: bytearray, name: str | None, key: bytearray | None, iv: bytearray | None) -> bytearray:
    return run_transform(_with(_named(name), key, iv, True), data)


def decrypt(data: bytearray, name: str | None, key: bytearray | None, iv: bytearray | None) -> bytearray:
    return run_transform(_with(_named(name), key, iv, False), data)


def encrypt_by(data: bytearray, cipher: Cipher | None) -> bytearray:
    return run_transform(encryptor(_usable(cipher)), data)


def decrypt_by(data: bytearray, cipher: Cipher | None) -> bytearray:
    return run_transform(decryptor(_usable(cipher)), data)


def encrypt_with(
    data: bytearray, cipher: Cipher | None, key: bytearray | None, iv: bytearray | None
) -> bytearray:
    return run_transform(_with(_usable(cipher), key, iv, True), data)


def decrypt_with(
    data: bytearray, cipher: Cipher | None, key: bytearray | None, iv: bytearray | None
) -> bytearray:
    return run_transform(_with(_usable(cipher), key, iv, False), data)


TYPES: Final[tuple[TypeDecl, ...]] = (
    enumeration("CipherMode", CipherMode, CRYPTO),
    declare(
        "PaddingMode",
        *(member(f"static PaddingMode {'None' if v is PaddingMode.Nothing else v.name}", const=v) for v in PaddingMode),
        namespace=CRYPTO,
        kind="enum",
        python=PaddingMode,
        default=PaddingMode.Nothing,
    ),
    declare(
        "SymmetricAlgorithm",
        member("static SymmetricAlgorithm? Create(string algName)", create_cipher),
        member("byte[] Key", cipher_key, store=set_cipher_key),
        member("byte[] IV", cipher_iv, store=set_cipher_iv),
        member("CipherMode Mode", attr="mode", store=set_mode),
        member("PaddingMode Padding", attr="padding", store=set_padding),
        member("int KeySize", key_size, store=set_key_size),
        member("int BlockSize", block_size, store=set_block_size),
        member("void GenerateKey()", new_cipher_key),
        member("void GenerateIV()", new_cipher_iv),
        member("ICryptoTransform CreateEncryptor()", encryptor),
        member("ICryptoTransform CreateEncryptor(byte[] rgbKey, byte[] rgbIV)", encryptor_with),
        member("ICryptoTransform CreateDecryptor()", decryptor),
        member("ICryptoTransform CreateDecryptor(byte[] rgbKey, byte[] rgbIV)", decryptor_with),
        member("void Clear()", dispose),
        member("void Dispose()", dispose),
        namespace=CRYPTO,
        bases=("IDisposable",),
        python=Cipher,
    ),
    declare("Aes", member("static Aes Create()", make_aes), member("static SymmetricAlgorithm? Create(string algorithmName)", create_cipher), namespace=CRYPTO, bases=("SymmetricAlgorithm",), python=Cipher),
    *(
        declare(name, member("new()", make_aes), namespace=CRYPTO, bases=("Aes",), python=Cipher)
        for name in ("AesManaged", "AesCryptoServiceProvider", "RijndaelManaged")
    ),
    declare(
        "ICryptoTransform",
        member("byte[] TransformFinalBlock(byte[] inputBuffer, int inputOffset, int inputCount)", transform_final),
        member("void Dispose()", dispose),
        namespace=CRYPTO,
        kind="interface",
        bases=("IDisposable",),
        python=Transform,
    ),
    declare(
        "Encryption",
        *(
            member(f"static byte[] {name}(this byte[] input, {parameters})", run)
            for name, by_name, by_alg, by_all in (
                ("Encrypt", encrypt, encrypt_by, encrypt_with), ("Decrypt", decrypt, decrypt_by, decrypt_with),
            )
            for parameters, run in (
                ("string alg, byte[] key, byte[] iv", by_name),
                ("SymmetricAlgorithm alg", by_alg),
                ("SymmetricAlgorithm alg, byte[] key, byte[] iv", by_all),
            )
        ),
        namespace="Microsoft.Azure.ApiManagement",
        kind="static",
    ),
)  # fmt: skip
