"""What is written instead of a masked value: the mask, a keyed hash that is stable in an installation, or nothing.

It finds nothing. Equal values have equal hashes however they were written (case, blanks, separators of numbers), so
that rows can be joined by them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b32encode
from typing import Final

from aforo.policy.masking import MASK

KEEP: Final = "Keep"
MASKED: Final = "Mask"
HASHED: Final = "Hash"
HIDDEN: Final = "Hide"
# What is stricter wins where two rules meet.
STRICTER: Final = (KEEP, HASHED, MASKED, HIDDEN)
PURPOSE: Final = "data-masking"
_SEPARATED: Final = re.compile(r"^\+?[0-9A-Z][0-9A-Z .()/+\u00a0\u2009\u202f\u2011-]*$", re.IGNORECASE)
_SEPARATORS: Final = str.maketrans("", "", " .()/+-\u00a0\u2009\u202f\u2011")


class Marks:
    """Makes the texts that stand instead. `key` is the installation's own for this purpose (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def instead(self, mode: str, value: str) -> str:
        """What to write for a value; "" where it is to be hidden."""
        if mode == MASKED:
            return MASK
        if mode == HASHED:
            return self.hashed(value)
        return value if mode == KEEP else ""

    def hashed(self, value: str) -> str:
        """`hash:` and 16 letters (80 bits): no shape that a detector would find again."""
        plain = value.strip().casefold()
        if _SEPARATED.match(plain) and any("0" <= c <= "9" for c in plain):
            # Numbers that people write in groups: 4111 1111 ..., +49 (170) ..., DE89 3704 ...
            plain = plain.translate(_SEPARATORS)
        digest = hmac.new(self._key, plain.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return f"hash:{b32encode(digest[:10]).decode().lower()}"


def stricter(one: str, other: str) -> str:
    return max(one, other, key=STRICTER.index)
