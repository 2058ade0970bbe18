"""A secret value: it can be revealed on purpose and in no other way. It knows no key and no file.

Printing, formatting, pickling and JSON encoding show nothing; equality takes constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import NoReturn

MASK = "***"


class Secret:
    """A secret text. `unseal` is called at most once, when the value is first needed."""

    __slots__ = ("_digest", "_unseal", "_value")

    def __init__(self, value: str) -> None:
        self._value: str | None = value
        self._unseal: Callable[[], str] | None = None
        self._digest: bytes | None = None

    @classmethod
    def lazy(cls, unseal: Callable[[], str]) -> Secret:
        """A secret that is still sealed."""
        out = cls.__new__(cls)
        out._value, out._unseal, out._digest = None, unseal, None
        return out

    def reveal(self) -> str:
        """The value in clear: for the one who has the right to it, never for a log."""
        if self._value is None:
            assert self._unseal is not None
            self._value = self._unseal()
        return self._value

    @property
    def digest(self) -> bytes:
        """SHA-256 of the value (32 bytes)."""
        if self._digest is None:
            self._digest = hashlib.sha256(self.reveal().encode()).digest()
        return self._digest

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self is other or hmac.compare_digest(self.digest, other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled; seal it")
