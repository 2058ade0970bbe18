"""Which backends each gateway has taken out: a small file beside the snapshot (`backends-<index>`), for whoever asks how
the system fares. Nobody's work depends on it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from aforo.private_files import write_private

PREFIX = "backends-"


class HeldBackend(msgspec.Struct, frozen=True):
    """A backend that one worker does not call. `until` is unix seconds, 0 where nobody knows it."""

    worker: int
    backend: str
    why: str  # BreakerOpen, ProbeFailed
    rule: str
    until: float


class _Said(msgspec.Struct, frozen=True):
    pid: int
    held: list[HeldBackend]


def say(folder: Path, index: int, held: list[HeldBackend]) -> None:
    """What this process has taken out from here on. OSError when the disk does not take it."""
    write_private(folder / f"{PREFIX}{index}", msgspec.json.encode(_Said(os.getpid(), held)), durable=False)


def withdraw(folder: Path, index: int) -> None:
    """This process calls nobody any more."""
    (folder / f"{PREFIX}{index}").unlink(missing_ok=True)


def held_backends(folder: Path) -> list[HeldBackend]:
    """What living gateways have taken out now, by backend and worker."""
    now = time.time()
    out: list[HeldBackend] = []
    for path in folder.glob(f"{PREFIX}*"):
        try:
            said = msgspec.json.decode(path.read_bytes(), type=_Said)
            os.kill(said.pid, 0)
        except (FileNotFoundError, msgspec.MsgspecError, ProcessLookupError, OverflowError):
            continue
        except PermissionError:
            continue  # a process of somebody else that got the number of a dead gateway
        out += [h for h in said.held if not h.until or h.until > now]
    return sorted(out, key=lambda h: (h.backend, h.worker))
