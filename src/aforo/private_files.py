"""Files that only the service user may read, replaced as a whole. It knows paths and bytes, not what they mean.

Creation is atomic and first-writer-wins: two processes that start at once end with the same secret.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600


def private_directory(path: Path) -> Path:
    """Make the directory, or take group and others out of an existing one."""
    path.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    if stat.S_IMODE(path.stat().st_mode) != _PRIVATE_DIRECTORY:
        path.chmod(_PRIVATE_DIRECTORY)
    return path


def read_private(path: Path) -> bytes:
    """The file's bytes; a mode that is too wide is narrowed first. FileNotFoundError as usual."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(_PRIVATE_FILE)
    return path.read_bytes()


def write_private(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace the file atomically; readers see the old or the new bytes, never a part.

    `durable` waits for the disk: for all that must outlive a power cut, and not for what a start makes anew.
    """
    draft = _draft(path, data, durable)
    try:
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        _sync_directory(path.parent)


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's bytes; when it does not exist, `make()` says them and the first creator wins."""
    try:
        return read_private(path)
    except FileNotFoundError:
        pass
    draft = _draft(path, make(), durable=True)
    try:
        os.link(draft, path)  # unlike a rename it fails when somebody else was faster
        _sync_directory(path.parent)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return read_private(path)


def _draft(path: Path, data: bytes, durable: bool) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
    except OSError:  # a full disk leaves no drafts behind
        draft.unlink(missing_ok=True)
        raise
    return draft


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
