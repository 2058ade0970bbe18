"""A large frame while it is written: beside the segments, a slice at a time, under a name that no reader looks at.

When it is whole its writer makes it the first frame of a segment (`SpoolWriter.publish`): frames never interleave, and
what a kill leaves of one was never a frame.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path
from typing import Final

from aforo.errors import Unavailable
from aforo.spool import frame
from aforo.spool.parts import slices

SUFFIX: Final = ".aside"
# What one step writes: 0.3 to 1.5 ms.
SLICE_BYTES: Final = 512 * 1024


class Aside:
    """Made by `SpoolWriter.begin_aside`. `step` until it says True, then `SpoolWriter.publish`."""

    __slots__ = ("_left", "crc", "fd", "file_size", "kind", "parts", "path", "sequence", "size", "start")

    def __init__(
        self, path: Path, fd: int, file_size: int, start: int, kind: int, parts: list[bytes]
    ) -> None:
        self.path = path
        self.fd = fd
        self.file_size = file_size
        self.start = start  # where the frame begins
        self.kind = kind
        self.parts = parts
        self.size = sum(map(len, parts))
        self.crc = 0  # of what is written of the payload
        self.sequence = 0  # once it has its place
        self._left = slices(parts, SLICE_BYTES)
        os.lseek(fd, start + frame.HEAD_SIZE, os.SEEK_SET)

    def step(self) -> bool:
        """Write the next slice; True when nothing is left. Unavailable: the disk took it not, and it is gone."""
        if self.fd < 0:
            return True
        for piece in self._left:
            self.crc = zlib.crc32(piece, self.crc)
            try:
                while piece:
                    piece = piece[os.write(self.fd, piece) :]
            except OSError as error:
                self.drop()
                raise Unavailable(
                    f"spool {self.path.parent} cannot be written: {error.strerror}", code="SpoolFull"
                ) from error
            return False
        return True

    def placed(self, sequence: int) -> None:
        """It is a frame now, and its file its writer's."""
        self.sequence = sequence
        self.fd = -1
        self.parts = []
        self._left = iter(())

    def drop(self) -> None:
        """Nothing of it stays."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self._left = iter(())
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
