"""Sealing of secrets at rest and on their way to gateways: AES-256-GCM. It knows no file and no store.

A sealed text is: one version byte, 12 bytes of nonce, ciphertext with its 16-byte tag.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aforo.errors import Invalid

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12


def subkey(master: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (HKDF-SHA256): who holds it cannot open what was sealed for another.

    Purposes in use: `store` (control's secrets), `snapshot` (named values and credentials on their way to
    gateways), `snapshot-signature`, `gateway-tokens` (a gateway's managed-identity tokens), `debug-credentials`,
    `session-affinity` (cookies that keep a session on a backend), `data-masking` (hashes of masked values),
    `deliveries` (credentials of places that logs are delivered to).
    """
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"aforo/" + purpose.encode()).derive(master)


class Sealer:
    """Seals and opens bytes under one key. `context` must be the same on both sides (a name, a path)."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a sealing key has {KEY_BYTES} bytes, this one has {len(key)}")
        self._aead = AESGCM(key)

    def seal(self, data: bytes, context: bytes = b"") -> bytes:
        """The data encrypted and authenticated, together with its context."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, data, context)

    def open(self, sealed: bytes, context: bytes = b"") -> bytes:
        """What was sealed; `Invalid` when the text was changed, or sealed under another key or context."""
        if sealed[:1] != _VERSION:
            raise Invalid("this is not a sealed text of a known version", code="SealBroken")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, body, context)
        except (InvalidTag, ValueError) as error:
            raise Invalid(
                "a sealed text cannot be opened: it was changed, or belongs to another key or place",
                code="SealBroken",
            ) from error

    def __repr__(self) -> str:
        return "Sealer(...)"
