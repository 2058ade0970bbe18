"""Gives memory back to the machine that large bodies have left: the heap keeps it where smaller things came to lie above
it. It knows how much was held, and nothing of what.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

# Below this the heap may keep what it has: the next bodies want it.
WORTH_BYTES = 64 * 1024 * 1024


class Heap:
    """`most_held` says how many bytes of bodies were held at once since it was last asked. Where the C library cannot
    give memory back, nothing happens."""

    def __init__(self, most_held: Callable[[], int]) -> None:
        self._most_held = most_held

    def sweep(self) -> bool:
        """To be called now and then; whether anything was given back. 1 GB takes about 50 ms."""
        if self._most_held() < WORTH_BYTES or not sys.platform.startswith("linux"):
            return False
        # Imported here: most processes never need it.
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        return trim is not None and bool(trim(0))
