"""Room on the disk for a spool's files: reserved before it is written, within the bound of the folder, and never the last
of the disk. It knows no frame.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path

from aforo.errors import Unavailable
from aforo.spool.aside import SUFFIX

# What stays free on the disk behind a new segment (or two of its size): who takes records out of the spool must write
# them down first, often on the same disk. Without it a full spool could never be emptied again.
_KEPT_FREE_BYTES = 64 * 1024 * 1024
_COUNTED = (".seg", SUFFIX)


class Space:
    """The files of one folder."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def reserve(self, name: str, size: int) -> Path:
        """A file of `size` zero bytes whose blocks exist. Unavailable: the disk or `max_bytes` says no."""
        used = sum(e.stat().st_size for e in os.scandir(self._folder) if e.name.endswith(_COUNTED))
        if used + size > self._max_bytes:
            raise Unavailable(
                f"spool {self._folder} is full: {used} bytes wait to be stored, {self._max_bytes} are allowed",
                code="SpoolFull",
            )
        path = self._folder / name
        path.unlink(missing_ok=True)
        try:
            if _free(self._folder) < size + min(2 * size, _KEPT_FREE_BYTES):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                _reserve(fd, size)
            finally:
                os.close(fd)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise self.full(error) from error
        return path

    def full(self, error: OSError) -> Unavailable:
        """How a refusal of the disk is told."""
        return Unavailable(f"spool {self._folder} cannot be written: {error.strerror}", code="SpoolFull")


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """All of it, however much the kernel takes at once."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _free(folder: Path) -> int:
    """Bytes that may still be written to its disk."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _reserve(fd: int, size: int) -> None:
    """Make the file `size` zero bytes long, with its blocks where the platform can promise them."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    if hasattr(fcntl, "F_PREALLOCATE"):
        # macOS: fstore_t {flags F_ALLOCATEALL, position mode F_PEOFPOSMODE, offset, length, bytes allocated}
        fcntl.fcntl(fd, fcntl.F_PREALLOCATE, struct.pack("=IiqqQ", 4, 3, 0, size, 0))
    os.ftruncate(fd, size)
