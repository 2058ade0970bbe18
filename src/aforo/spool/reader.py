"""SpoolReader: follows the segments of one writer and gives back their space. It decodes no record.

Reading needs no lock and no word with the writer: a frame that is not whole yet is simply not there. A segment
is finished when a newer one exists (or nobody holds the writer's lock); only then its damage is damage.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from aforo.spool import frame
from aforo.spool.frame import Frame
from aforo.spool.records import KIND_CONTEXT
from aforo.spool.recover import IDENTITY, load_identity, lock_folder, segments

log = logging.getLogger("aforo.spool")

_CHUNK = 1024 * 1024
_FRAMES, _LARGE_CHUNK = 8, 4 * 1024 * 1024


@dataclass(slots=True)
class _Cursor:
    """Where the reader stands in one open segment: at byte `offset + at`."""

    path: Path
    fd: int
    head: frame.SegmentHead
    expected: int  # the sequence of the next frame
    offset: int = frame.SEGMENT_HEAD_SIZE  # where `data` stands in the file
    data: bytes = b""
    at: int = 0

    def begun(self) -> bool:
        """Whether bytes of a frame stand here already."""
        return frame.wanted_size(self.data, self.at) > 0

    def refill(self) -> bool:
        """Read on, until the frame that begins here fits. False when the file has nothing new for it."""
        wanted = frame.wanted_size(os.pread(self.fd, frame.HEAD_SIZE, self.offset + self.at), 0)
        if not wanted:
            return False
        self.offset += self.at
        # Where frames are large, several: the last one is read again when it is not whole.
        self.data = os.pread(self.fd, max(_CHUNK, wanted, min(_FRAMES * wanted, _LARGE_CHUNK)), self.offset)
        self.at = 0
        return True

    def rest(self) -> bytes:
        """All bytes from here to the end of the file as it is."""
        size = os.fstat(self.fd).st_size - self.offset - self.at
        return os.pread(self.fd, max(size, 0), self.offset + self.at)

    def skip(self, size: int) -> None:
        self.offset += self.at + size
        self.data, self.at = b"", 0


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment as far as counting needs it."""

    path: Path
    first: int
    frames_before: int


class SpoolReader:
    """Frames of one spool folder in order, from the oldest that is still there.

    `damaged` counts frames that were accepted and whose bytes are no longer sound. `writer` is the folder of the
    process that writes, where the segments are read in another one (links of the same files).
    """

    def __init__(self, folder: Path, writer: Path | None = None) -> None:
        self.folder = folder
        self._writer = writer or folder  # whose lock tells whether segments still grow
        self.damaged = 0
        self._cursor: _Cursor | None = None
        self._after = 0  # frames up to this sequence are not wanted
        self._last = 0  # the last sequence read
        self._parts: dict[str, _Part] = {}
        self._tail = ("", 0, 0)  # counting: newest segment, offset behind its last known frame, frames
        self._kept: set[str] = set()  # segments with damage: put aside instead of deleted
        self._id = ""
        self._identity_stamp = (0, 0)  # of the identity's file as last looked at

    @property
    def spool_id(self) -> str:
        """32 hexadecimal digits, "" while the folder has never been opened by a writer."""
        if not self._id:
            identity = load_identity(self.folder)
            if identity is not None:
                self._id = identity.spool
            else:
                self._id = next((h.spool.hex() for p in segments(self.folder) if (h := _head(p))), "")
        return self._id

    def is_replaced(self) -> bool:
        """Whether the folder is another spool by now: somebody deleted it and a writer made it anew."""
        if not self._id:
            return False
        try:
            stat = (self.folder / IDENTITY).stat()
        except FileNotFoundError:
            return False
        stamp = (stat.st_ino, stat.st_ctime_ns)  # numbers of inodes are used again
        if stamp == self._identity_stamp:
            return False
        identity = load_identity(self.folder)
        self._identity_stamp = stamp
        return identity is not None and identity.spool != self._id

    @property
    def last(self) -> int:
        """The sequence of the last frame that was read (or stepped over as damaged)."""
        return self._last

    def seek(self, after: int) -> None:
        """Go on behind a sequence. Context frames of that segment are given again, whatever their number."""
        self._close_cursor()
        self._after = after
        self._last = after

    def read(self, max_frames: int = 2_000, max_bytes: int = 16 * 1024 * 1024) -> list[Frame]:
        """The next frames, at most that many; [] when there are none yet."""
        out: list[Frame] = []
        size = 0
        while len(out) < max_frames and size < max_bytes:
            if self._cursor is None and not self._open_next():
                break
            cursor = self._cursor
            assert cursor is not None
            finished = self._is_finished(cursor)  # asked before reading: what it wrote until then is seen
            while len(out) < max_frames and size < max_bytes:
                found = self._next_frame(cursor, finished=finished)
                if found is None:
                    break
                if found.sequence > self._after or found.kind == KIND_CONTEXT:
                    out.append(found)
                    size += len(found.payload)
                self._last = max(self._last, found.sequence)
            else:
                break
            if not finished or not self._open_next():
                break
        return out

    def can_discard(self, upto: int) -> bool:
        """Whether `discard` would delete anything."""
        parts = self._list()
        return len(parts) > 1 and self._is_done(parts[0], parts[1], upto)

    def discard(self, upto: int) -> int:
        """Delete segments whose frames all have a sequence up to `upto`; the newest one stays. How many went."""
        gone = 0
        parts = self._list()
        for part, newer in pairwise(parts):
            if not self._is_done(part, newer, upto):
                break
            if part.path.name in self._kept:
                part.path.rename(part.path.with_suffix(".damaged"))
            else:
                part.path.unlink(missing_ok=True)
            self._parts.pop(part.path.name, None)
            gone += 1
        return gone

    def accepted(self) -> int:
        """How many frames the spool has ever accepted, as the files say."""
        parts = self._list()
        if not parts:
            identity = load_identity(self.folder)
            return identity.frames if identity else 0
        return parts[-1].frames_before + self._count_tail(parts[-1])

    def before(self) -> int:
        """How many frames were accepted before the oldest segment that is still there."""
        parts = self._list()
        return parts[0].frames_before if parts else 0

    def count(self, upto: int) -> int:
        """How many frames were accepted up to and with that sequence, over all sessions."""
        parts = self._list()
        for number, part in enumerate(reversed(parts)):
            if part.first <= upto:
                behind = parts[len(parts) - number].frames_before if number else self.accepted()
                return min(part.frames_before + upto - part.first + 1, behind)
        return parts[0].frames_before if parts and upto else 0

    def close(self) -> None:
        self._close_cursor()

    # -- segments --------------------------------------------------------------------------------------

    def _list(self) -> list[_Part]:
        parts = []
        for path in segments(self.folder):
            part = self._parts.get(path.name)
            if part is None:
                head = _head(path)
                if head is None:
                    if path.exists() and path.name not in self._kept:
                        self._kept.add(path.name)
                        log.error("spool %s: %s has no sound head and is left aside", self.folder, path.name)
                    continue
                part = self._parts[path.name] = _Part(path, head.first, head.frames_before)
            parts.append(part)
        return parts

    def _is_done(self, part: _Part, newer: _Part, upto: int) -> bool:
        """Whether no frame behind `upto` is in a segment, and nobody reads it."""
        if self._cursor is not None and self._cursor.path == part.path:
            return False
        return upto + 1 >= newer.first or upto >= part.first + newer.frames_before - part.frames_before - 1

    def _is_finished(self, cursor: _Cursor) -> bool:
        newest = segments(self.folder)[-1:]
        return newest != [cursor.path]

    def _open_next(self) -> bool:
        """Open the segment behind the current one (at first: the one in which the wanted frames begin)."""
        parts = self._list()
        if self._cursor is not None:
            following = [p for p in parts if p.first > self._cursor.head.first]
        else:
            begun = [p for p in parts if p.first <= self._after + 1]
            following = parts[max(len(begun) - 1, 0) :]
        if not following:
            return False
        part = following[0]
        try:
            fd = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        head = frame.decode_segment_head(os.pread(fd, frame.SEGMENT_HEAD_SIZE, 0))
        if head is None:  # damaged since it was listed
            os.close(fd)
            self._parts.pop(part.path.name, None)
            return False
        if self._cursor is not None:
            behind = self._cursor
            read = behind.head.frames_before + behind.expected - behind.head.first
            self.damaged += max(head.frames_before - read, 0)
            self._last = (
                max(self._last, head.first - 1) if head.session == behind.head.session else self._last
            )
            self._close_cursor()
        self._cursor = _Cursor(part.path, fd, head, head.first)
        return True

    def _close_cursor(self) -> None:
        if self._cursor is not None:
            os.close(self._cursor.fd)
            self._cursor = None

    # -- frames ----------------------------------------------------------------------------------------

    def _next_frame(self, cursor: _Cursor, *, finished: bool) -> Frame | None:
        found = _decode(cursor)
        if found is not None:
            return found
        if not finished and not cursor.begun():
            return None
        rest = cursor.rest()
        if frame.is_blank(rest, 0):
            return None
        # Frames are written one after the other: a sound one behind this place proves that this one is damaged.
        resumed = frame.find_next(rest, 0, cursor.expected)
        if resumed is None:
            if finished or self._writer_is_gone():
                self._note_damage(cursor, len(rest), 0)
                cursor.skip(len(rest))
            return None
        start, sequence = resumed
        lost = sequence - cursor.expected
        self._note_damage(cursor, start, lost)
        self.damaged += lost
        cursor.skip(start)
        cursor.expected = sequence
        return _decode(cursor)

    def _note_damage(self, cursor: _Cursor, size: int, lost: int) -> None:
        self._kept.add(cursor.path.name)
        log.error(
            "spool %s: %d bytes at %d of %s are no frame (%d frames lost); the file will be kept as .damaged",
            self.folder,
            size,
            cursor.offset + cursor.at,
            cursor.path.name,
            lost,
        )

    def _writer_is_gone(self) -> bool:
        lock = lock_folder(self._writer)
        if lock is None:
            return False
        os.close(lock)
        return True

    def _count_tail(self, part: _Part) -> int:
        """Frames in the newest segment. Goes on where the last count ended."""
        name, offset, frames = self._tail
        if name != part.path.name:
            name, offset, frames = part.path.name, frame.SEGMENT_HEAD_SIZE, 0
        try:
            with part.path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return frames
        at = 0
        while True:
            found = frame.decode(data, at)
            if found is not None and found[0].sequence == part.first + frames:
                frames, at = frames + 1, found[1]
                continue
            # Damage, if sound frames stand behind it; else the end as far as it is written.
            resumed = frame.find_next(data, at, part.first + frames) if frame.wanted_size(data, at) else None
            if resumed is None:
                break
            at, frames = resumed[0], resumed[1] - part.first
        self._tail = (name, offset + at, frames)
        return frames


def _head(path: Path) -> frame.SegmentHead | None:
    try:
        with path.open("rb") as file:
            return frame.decode_segment_head(file.read(frame.SEGMENT_HEAD_SIZE))
    except FileNotFoundError:
        return None


def _decode(cursor: _Cursor) -> Frame | None:
    """The sound frame that is expected here, None where there is none (yet)."""
    found = frame.decode(cursor.data, cursor.at)
    if found is None and cursor.refill():
        found = frame.decode(cursor.data, cursor.at)
    if found is None or found[0].sequence != cursor.expected:
        return None
    cursor.at = found[1]
    cursor.expected += 1
    return found[0]
