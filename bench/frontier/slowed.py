"""A disk that is slow, inside the processes of one measured system and nowhere else: imported, it slows them.

What asks the kernel to bring something to the disk waits AFORO_BENCH_SYNC_MS longer; what writes into a segment of a
spool waits AFORO_BENCH_WRITE_MS longer. Only Python's own calls: what libraries in other languages write is not slowed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

SYNC, WRITE = "AFORO_BENCH_SYNC_MS", "AFORO_BENCH_WRITE_MS"


def _later(call: Callable[..., Any], wait_s: float, applies: Callable[[int], bool]) -> Callable[..., Any]:
    def slow(descriptor: int, *arguments: Any) -> Any:
        if applies(descriptor):
            time.sleep(wait_s)
        return call(descriptor, *arguments)

    return slow


def _is_segment(descriptor: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").endswith(".seg")  # noqa: PTH115 - once a record
    except OSError:
        return False


def slow_down(sync_ms: float, write_ms: float) -> None:
    """From now on, in this process."""
    if sync_ms:
        for name in ("fsync", "fdatasync"):
            setattr(os, name, _later(getattr(os, name), sync_ms / 1e3, lambda _descriptor: True))
    if write_ms:
        for name in ("write", "writev"):
            setattr(os, name, _later(getattr(os, name), write_ms / 1e3, _is_segment))


slow_down(float(os.environ.get(SYNC, "0")), float(os.environ.get(WRITE, "0")))
