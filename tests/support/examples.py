"""How many examples a property test tries: all of them in the whole suite, a share in the fast one (`-m "not slow"`)."""

from __future__ import annotations

SHARE_OF_FAST = 0.4
_FEWEST = 5
_share = 1.0


def be_fast() -> None:
    """From here on a share is enough; called before tests are collected."""
    global _share
    _share = SHARE_OF_FAST


def examples(most: int) -> int:
    """For `settings(max_examples=...)`."""
    return max(min(most, _FEWEST), round(most * _share))
