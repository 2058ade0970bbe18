"""Which configuration gateways have in force: each says so in a small file, and control waits for it before it answers.

The files lie beside the snapshot (`in-force-<index>`). Whose process is gone is not waited for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from aforo.private_files import write_private

# Longer than any gateway takes that lives; what it does not get in force it tells in its own log.
PATIENCE_S = 2.0
_POLL_S = 0.005
_PREFIX = "in-force-"


class InForce(msgspec.Struct, frozen=True):
    """A configuration that was published: its revision, and when its file was made (ns)."""

    revision: int
    published_ns: int

    def covers(self, other: InForce) -> bool:
        """Whether this one is as new: a file's time has a grain, and a restart publishes a revision again."""
        return self.revision >= other.revision and self.published_ns >= other.published_ns


class _Said(msgspec.Struct, frozen=True):
    pid: int
    has: InForce


class Acknowledgement:
    """A gateway's own file. One per process."""

    def __init__(self, folder: Path, index: int) -> None:
        self._path = folder / f"{_PREFIX}{index}"
        self._gone = False

    def say(self, has: InForce) -> None:
        """This configuration is in force from here on. OSError when the disk does not take it."""
        if self._gone:
            return
        write_private(self._path, msgspec.json.encode(_Said(os.getpid(), has)), durable=False)

    def withdraw(self) -> None:
        """This process serves no more. Another one may have taken its place, and said so."""
        self._gone = True
        said = _read(self._path)
        if said is not None and said.pid == os.getpid():
            self._path.unlink(missing_ok=True)


def revisions(folder: Path) -> dict[int, tuple[int, int]]:
    """(process id, revision in force) of each living gateway, by its index."""
    out: dict[int, tuple[int, int]] = {}
    for path in folder.glob(f"{_PREFIX}*"):
        said = _read(path)
        number = path.name.removeprefix(_PREFIX)
        if said is not None and number.isdigit() and _lives(said.pid):
            out[int(number)] = said.pid, said.has.revision
    return dict(sorted(out.items()))


async def in_force(folder: Path, wanted: InForce, *, patience_s: float = PATIENCE_S) -> bool:
    """Wait until every living gateway has it in force; False when one has not after that time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    while not all(said.has.covers(wanted) for said in _living(folder)):
        if loop.time() > until:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def stated(folder: Path) -> dict[int, InForce]:
    """What the living gateways say that they have in force, by process."""
    return {said.pid: said.has for said in _living(folder)}


def _living(folder: Path) -> Iterator[_Said]:
    for path in folder.glob(f"{_PREFIX}*"):
        said = _read(path)
        if said is not None and _lives(said.pid):
            yield said


def _read(path: Path) -> _Said | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Said)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of somebody else that got the number of a dead gateway
        return False
    return True
