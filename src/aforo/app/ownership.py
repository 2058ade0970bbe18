"""Who owns a data directory: one system, of one generation. Folders are made here, and locked."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from aforo.errors import Conflict, Unavailable
from aforo.settings import Layout

log = logging.getLogger("aforo.supervisor")

# What processes whose supervisor was killed may take to end: a gateway lets its calls end.
ORPHANS_S = 35.0


@contextlib.contextmanager
def owned(layout: Layout) -> Iterator[int]:
    """The directory is ours while the block runs. Gives a descriptor that all processes of the system inherit.

    Conflict when another system runs there; Unavailable when the directory cannot be written. The processes of a
    system whose supervisor was killed are waited for: their lock is on the inherited descriptor.
    """
    with translated(layout.root):
        for folder in (layout.root, layout.run, layout.logs, layout.spool, layout.tables, layout.snapshots):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        family = -1
        try:
            if not _take(lock):
                raise Conflict(
                    f"{layout.root} is in use by another system; stop that one, or name another directory with --data",
                    code="DataInUse",
                )
            family = os.open(layout.run / "processes.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _wait_for_orphans(family, layout)
            yield family
        finally:
            if family >= 0:
                os.close(family)
            os.close(lock)


@contextlib.contextmanager
def translated(root: Path) -> Iterator[None]:
    """A disk that says no becomes one sentence."""
    try:
        yield
    except OSError as error:
        what = os.fsdecode(error.filename) if error.filename else str(root)
        raise Unavailable(
            f"the data directory {root} cannot be used: {what}: {error.strerror or error}",
            code="DataUnusable",
        ) from error


def _wait_for_orphans(family: int, layout: Layout) -> None:
    until = time.monotonic() + ORPHANS_S
    told = False
    while not _take(family):
        if not told:
            log.warning("processes of an earlier system are still ending; waiting for them")
            told = True
        if time.monotonic() > until:
            raise Conflict(
                f"processes of an earlier system on {layout.root} do not end; end them and start again",
                code="DataInUse",
            )
        time.sleep(0.05)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
