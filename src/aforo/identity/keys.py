"""The secrets of an installation: made on first start, kept in DIR/secrets, the same for ever after.

It knows files and key material. Values come out only through properties that say what they are; nothing here
prints, logs or represents one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from aforo.identity.seal import KEY_BYTES, Sealer, subkey
from aforo.identity.tls_files import TlsFiles
from aforo.private_files import private_directory, read_or_create, read_private

if TYPE_CHECKING:
    # A gateway reads keys but signs nothing: the library (6 MB) is loaded where somebody does.
    from joserfc.jwk import RSAKey

RSA_BITS = 2048


def hash_key(key: str) -> bytes:
    """The digest (SHA-256, 32 bytes) under which a gateway or account key is known outside of control.

    Keys are random (128 bits and more), so a fast hash without salt is as good as a slow one.
    """
    return _digest(key)


def same_secret(presented: str | bytes, expected: str | bytes) -> bool:
    """Equality in a time that does not tell where the texts differ, whatever their lengths."""
    return hmac.compare_digest(_digest(presented), _digest(expected))


def new_key() -> str:
    """A key as Azure writes them: 32 hexadecimal digits, 128 bits of chance."""
    return secrets.token_hex(16)


def new_identity_header() -> str:
    """The value of `X-IDENTITY-HEADER` for one gateway process: `app` makes one at each start."""
    return secrets.token_urlsafe(32)


class Secrets:
    """What lies in DIR/secrets (0700; files 0600). `ensure()` first; then each property reads its file once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._cache: dict[str, bytes] = {}
        self._signing_key: RSAKey | None = None

    def ensure(self, names: Iterable[str] = ()) -> Secrets:
        """Make whatever is missing. `names` are further host names or addresses for the certificate.

        Takes a few milliseconds, and once the time of an RSA key of 2048 bits. Safe when two processes do it
        at once.
        """
        private_directory(self.root)
        read_or_create(self.root / "master-key", lambda: secrets.token_bytes(KEY_BYTES))
        read_or_create(self.admin_token_path, lambda: secrets.token_urlsafe(32).encode() + b"\n")
        read_or_create(self.root / "signing-key.pem", _new_signing_key)
        # A gateway, which finds all of it made, need not load what makes certificates.
        from aforo.identity.ca import ensure_tls

        ensure_tls(self.root, names)
        return self

    @property
    def admin_token_path(self) -> Path:
        return self.root / "admin-token"

    @property
    def subscription_key_path(self) -> Path:
        """Where `app` writes the lab's subscription key for people to find."""
        return self.root / "subscription-key"

    @property
    def master_key(self) -> bytes:
        """32 bytes; sub-keys are derived from it (`subkey`), it seals nothing itself."""
        return self._read("master-key")

    @property
    def admin_token(self) -> str:
        """The bootstrap credential of the control plane."""
        return self._read("admin-token").decode().strip()

    @property
    def signing_key(self) -> RSAKey:
        """The issuer's key pair, with `kid`, `use` and `alg` set."""
        if self._signing_key is None:
            from joserfc.jwk import RSAKey

            key = RSAKey.import_key(self._read("signing-key.pem"))
            kid = key.thumbprint()
            pem = self._read("signing-key.pem")
            self._signing_key = RSAKey.import_key(pem, {"kid": kid, "use": "sig", "alg": "RS256"})
        return self._signing_key

    @property
    def tls(self) -> TlsFiles:
        """CA and leaf of this machine; `ensure()` made or renewed them."""
        return TlsFiles.below(self.root)

    def sealer(self, purpose: str) -> Sealer:
        """The sealer for one purpose (see `seal.subkey`)."""
        return Sealer(subkey(self.master_key, purpose))

    def is_admin_token(self, presented: str) -> bool:
        """Whether this is the admin token; takes the same time whatever was presented."""
        return same_secret(presented, self.admin_token)

    def _read(self, name: str) -> bytes:
        if name not in self._cache:
            self._cache[name] = read_private(self.root / name)
        return self._cache[name]

    def __repr__(self) -> str:
        return f"Secrets({str(self.root)!r})"


def _new_signing_key() -> bytes:
    from joserfc.jwk import RSAKey

    return RSAKey.generate_key(RSA_BITS, auto_kid=False).as_pem(private=True)


def _digest(value: str | bytes) -> bytes:
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return hashlib.sha256(data).digest()
