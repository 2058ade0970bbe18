"""SpoolWriter: one process appends frames to segments of one folder. It knows nothing of tables or readers.

A frame is in the kernel when `append` returns: killing the process loses nothing. What a power cut can take is
bounded by `sync` (every 100 ms). Space is reserved before it is needed, so that a call which was admitted
(`has_room`) can also be written down when the disk fills meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from aforo.errors import Conflict, Invalid, Unavailable
from aforo.spool import frame
from aforo.spool.aside import SUFFIX, Aside
from aforo.spool.records import (
    KIND_AMEND,
    KIND_BEGIN,
    KIND_CALL,
    KIND_CONTEXT,
    KIND_ROWS,
    AmendRecord,
    BeginRecord,
    CallRecord,
    ContextRecord,
    RowsRecord,
)
from aforo.spool.recover import lock_folder, recover, save_identity
from aforo.spool.space import Space, write_all
from aforo.spool.sync import datasync, sync_folder

log = logging.getLogger("aforo.spool")

_SPARE = "next.spare"
_BUFFER_BYTES = 64 * 1024
_RETRY_S = 0.05
# What a larger record made of the buffer goes with it: it may have been the only one of its kind.
_LARGE_RECORD_BYTES = 512 * 1024


class SpoolWriter:
    """Appends frames for one writer. One thread appends; `sync` may run in another.

    segment_bytes: size at which a new segment starts (a larger frame gets a segment of its own).
    max_bytes: bound of the whole folder; reserve_bytes: what must be free for `has_room` to say yes.
    sync_interval_s: a daemon thread syncs that often; 0 means that the owner calls `sync`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = 32 * 1024 * 1024,
        max_bytes: int = 8 * 1024 * 1024 * 1024,
        reserve_bytes: int = 4 * 1024 * 1024,
        sync_interval_s: float = 0.1,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._space = Space(folder, max_bytes)
        self._reserve = min(reserve_bytes, segment_bytes // 2)
        self._clock_ns = clock_ns
        lock = lock_folder(folder, patience_s=0.5)
        if lock is None:
            raise Conflict(f"spool {folder} is in use by another process", target=str(folder))
        self._lock_fd = lock
        self._buffer = bytearray(_BUFFER_BYTES)
        self._encode_into = msgspec.msgpack.Encoder().encode_into
        self._encode = msgspec.msgpack.Encoder().encode
        self._guard = threading.Lock()  # between rotation and sync; never taken by an append within a segment
        self._retired: list[int] = []  # descriptors of sealed segments that are not yet synced
        self._asides: set[Aside] = set()  # frames that are being written beside the segments
        self._named = 0  # how many there were
        self._fd = -1
        self._size = 0  # of the current segment's file; the next frame stands at _size - _left
        self._left = 0
        self._spare: Path | None = None
        self._exhausted = False  # the last try to reserve a segment was refused
        self._retry_at = 0.0  # until then nobody but the owner asks again
        self._dirty = False
        self._renamed = False  # a segment has a name that the disk may not have
        self._closed = False
        try:
            for left in folder.glob("*" + SUFFIX):
                # Frames that a kill cut off: their calls were never told that they had ended.
                left.unlink()
            state = recover(folder)
            self._id = state.spool
            self._contexts: dict[int, ContextRecord] = state.contexts
            self._frames = state.frames
            session = state.session + 1
            self._sequence = frame.first_sequence(session) - 1
            self._session = session
            save_identity(folder, self._id, session, self._frames)
            self._rotate(0)
            # The identity's name too: a session's number is never used twice.
            sync_folder(folder)
        except BaseException:
            os.close(lock)
            raise
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if sync_interval_s > 0:
            self._thread = threading.Thread(
                target=self._sync_loop, args=(sync_interval_s,), name="spool-sync", daemon=True
            )
            self._thread.start()

    # -- what is written -------------------------------------------------------------------------------

    def append(self, kind: int, payload: bytes) -> int:
        """Write one frame, return its sequence. Unavailable: no space is left, nothing was written."""
        total = frame.HEAD_SIZE + len(payload)
        if total > self._left:
            self._rotate(total)
        sequence = self._sequence + 1
        head = frame.encode_head(sequence, kind, payload)
        try:
            written = os.writev(self._fd, (head, payload))
        except OSError as error:
            raise self._torn(error) from error
        if written != total:
            self._finish(head + payload, written)
        self._left -= total
        self._sequence = sequence
        self._frames += 1
        self._dirty = True
        return sequence

    def append_call(self, record: CallRecord) -> int:
        """Write a call. The gateway's hot path: one encode into a reused buffer, one checksum, one write."""
        buffer = self._buffer
        self._encode_into(record, buffer, frame.HEAD_SIZE)
        total = len(buffer)
        if total > self._left:
            self._rotate(total)
        sequence = self._sequence + 1
        frame.seal(buffer, sequence, KIND_CALL)
        try:
            written = os.write(self._fd, buffer)
        except OSError as error:
            raise self._torn(error) from error
        if written != total:
            self._finish(bytes(buffer), written)
        if total > _LARGE_RECORD_BYTES:
            self._buffer = bytearray(_BUFFER_BYTES)
        self._left -= total
        self._sequence = sequence
        self._frames += 1
        self._dirty = True
        return sequence

    def append_parts(self, kind: int, parts: list[bytes]) -> int:
        """`append` of a payload in parts, which are not put together (spool/parts.py)."""
        total = frame.HEAD_SIZE + sum(map(len, parts))
        if total > self._left:
            self._rotate(total)
        sequence = self._sequence + 1
        crc = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
        head = frame.head_of_checked(sequence, kind, total - frame.HEAD_SIZE, crc)
        try:
            written = os.writev(self._fd, (head, *parts))
        except OSError as error:
            raise self._torn(error) from error
        if written != total:
            self._finish(head + b"".join(parts), written)
        self._left -= total
        self._sequence = sequence
        self._frames += 1
        self._dirty = True
        return sequence

    def begin_aside(self, kind: int, parts: list[bytes]) -> Aside:
        """Begin a large frame beside the segments: who appends small ones meanwhile does not wait for it.

        Unavailable: no space is left for a segment that begins with it; `append_parts` may find room yet.
        """
        total = frame.HEAD_SIZE + sum(map(len, parts))
        if total > frame.MAX_PAYLOAD:
            raise Invalid(f"a record of {total} bytes is larger than a frame may be")
        with self._guard:
            if self._closed:
                raise Unavailable(f"spool {self.folder} is closed")
            start = len(self._start()[0])
            size = max(self._segment_bytes, start + total)
            self._named += 1
            path = self._space.reserve(f"{self._named}{SUFFIX}", size)
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            except OSError as error:
                path.unlink(missing_ok=True)
                raise self._space.full(error) from error
            aside = Aside(path, fd, size, start, kind, parts)
            self._asides.add(aside)
            return aside

    def publish(self, aside: Aside) -> int:
        """Make a whole one the first frame of a new segment, in which the next frames follow; return its sequence.

        Unavailable: it could not be, or was dropped before; nothing of it is in the spool.
        """
        if aside.sequence:
            return aside.sequence
        self._asides.discard(aside)
        if aside.fd < 0:
            raise Unavailable(f"spool {self.folder} could not keep a large record", code="SpoolFull")
        with self._guard:
            if self._closed:
                aside.drop()
                raise Unavailable(f"spool {self.folder} is closed")
            start, sequence = self._start()
            path = self.folder / f"{self._sequence + 1:020d}.seg"
            # Where a context came meanwhile it has no room before the frame; a name is taken by a segment without any.
            if len(start) == aside.start and not path.exists():
                sequence += 1
                start += frame.head_of_checked(sequence, aside.kind, aside.size, aside.crc)
                try:
                    os.pwrite(aside.fd, start, 0)
                    aside.path.rename(path)
                except OSError as error:
                    aside.drop()
                    raise self._space.full(error) from error
                self._go_on(aside.fd, aside.file_size, len(start) + aside.size, sequence)
                aside.placed(sequence)
                return sequence
        parts = aside.parts
        aside.drop()
        return self.append_parts(aside.kind, parts)

    def append_rows(self, record: RowsRecord) -> int:
        return self.append(KIND_ROWS, self._encode(record))

    def append_begin(self, record: BeginRecord) -> int:
        return self.append(KIND_BEGIN, self._encode(record))

    def append_amend(self, record: AmendRecord) -> int:
        return self.append(KIND_AMEND, self._encode(record))

    def context(
        self,
        resource_id: str,
        region: str,
        workspaces: dict[str, list[str]],
        *,
        llm_request_bytes: int = 262_144,
        llm_response_bytes: int = 262_144,
        prices: Sequence[dict[str, Any]] = (),
        deployments: Mapping[str, str] | None = None,
    ) -> int:
        """The index of a context with these fields; it is written where the spool does not know it yet."""
        index = max(self._contexts, default=0) + 1
        record = ContextRecord(
            index,
            resource_id,
            region,
            workspaces,
            llm_request_bytes,
            llm_response_bytes,
            list(prices),
            dict(deployments or {}),
        )
        for known in self._contexts.values():
            if known == msgspec.structs.replace(record, index=known.index):
                return known.index
        self.append(KIND_CONTEXT, self._encode(record))
        self._contexts[index] = record
        return index

    # -- what is known ---------------------------------------------------------------------------------

    @property
    def accepted(self) -> int:
        """Frames that this spool has ever accepted, over all its sessions."""
        return self._frames

    @property
    def spool_id(self) -> str:
        return self._id.hex()

    def has_room(self) -> bool:
        """Whether a call that is admitted now can be recorded; cheap enough to ask before each call."""
        return self._left >= self._reserve or self._spare is not None or self._roll()

    def _roll(self) -> bool:
        """Reserve a segment at once: more came since the owner last looked after it than what was reserved.

        Where the disk says no, the next try is the owner's: refused calls are not to cost more than others.
        """
        if not self._exhausted:
            with self._guard:
                if not self._closed:
                    self._make_spare()
        return self._spare is not None

    # -- durability ------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Bring what was appended onto the disk, and reserve the next segment. Blocks; not for the loop."""
        with self._guard:
            if self._closed:
                return
            retired, self._retired = self._retired, []
            dirty, self._dirty = self._dirty, False
            renamed, self._renamed = self._renamed, False
            current = os.dup(self._fd) if dirty else -1
        try:
            if renamed:
                sync_folder(self.folder)
            for fd in retired:
                os.fsync(fd)
            if current >= 0:
                datasync(current)
        except OSError:
            self._dirty = True
            log.exception("spool %s: the disk refuses to sync; a power cut may take records", self.folder)
        finally:
            for fd in (*retired, current):
                if fd >= 0:
                    os.close(fd)
        with self._guard:
            if not self._closed:
                self._make_spare()

    def prepare(self) -> None:
        """Reserve the next segment ahead of its need, without bringing anything to the disk.

        For an owner whose spool another process syncs (spool/sync.py): to be called now and then, does not block.
        """
        with self._guard:
            if self._closed:
                return
            for fd in self._retired:
                os.close(fd)
            self._retired.clear()
            self._make_spare()

    def close(self) -> None:
        """Finish what is being written, sync, give back reserved space, release the folder."""
        if self._closed:
            return
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
        for aside in list(self._asides):
            try:
                while not aside.step():
                    pass
                self.publish(aside)
            except Unavailable as refusal:
                log.error("spool %s: a large record is lost at the end: %s", self.folder, refusal)
        self.sync()
        with self._guard:
            self._closed = True
            for fd in self._retired:
                os.close(fd)
            self._retired = []
            if self._fd >= 0:
                self._seal_current()
                os.fsync(self._fd)
                os.close(self._fd)
                self._fd = -1
            (self.folder / _SPARE).unlink(missing_ok=True)
            self._spare = None
            os.close(self._lock_fd)

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sync_loop(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            self.sync()

    # -- segments --------------------------------------------------------------------------------------

    def _rotate(self, total: int) -> None:
        """Start a new segment that has room for a frame of `total` bytes."""
        if total > frame.MAX_PAYLOAD:
            raise Invalid(f"a record of {total} bytes is larger than a frame may be")
        with self._guard:
            if self._closed:
                raise Unavailable(f"spool {self.folder} is closed")
            first = self._sequence + 1
            start, sequence = self._start()
            size = max(self._segment_bytes, len(start) + total)
            path = self._take_spare(size)
            fd = -1
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                write_all(fd, start)
                path.rename(self.folder / f"{first:020d}.seg")
            except OSError as error:
                if fd >= 0:
                    os.close(fd)
                path.unlink(missing_ok=True)
                raise self._space.full(error) from error
            self._go_on(fd, size, len(start), sequence)

    def _start(self) -> tuple[bytearray, int]:
        """What a segment that follows now begins with, and the sequence of the last frame in that."""
        sequence = self._sequence
        head = frame.SegmentHead(self._id, self._session, sequence + 1, self._frames, self._clock_ns())
        start = bytearray(frame.encode_segment_head(head))
        for context in self._contexts.values():
            sequence += 1
            payload = self._encode(context)
            start += frame.encode_head(sequence, KIND_CONTEXT, payload) + payload
        return start, sequence

    def _go_on(self, fd: int, size: int, used: int, sequence: int) -> None:
        """In a segment that has its name by now: a file of `size` bytes of which so many are written."""
        # Its name comes to the disk with its frames, with the next sync: this is the path of a call, and a slow
        # disk takes a quarter of a second for it.
        self._renamed = True
        if self._fd >= 0:
            self._seal_current()
            self._retired.append(self._fd)
        self._fd = fd
        self._frames += sequence - self._sequence
        self._sequence = sequence
        self._size = size
        self._left = size - used
        self._dirty = True

    def _seal_current(self) -> None:
        """Cut the reserved zeros off the current segment."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._size - self._left)

    def _take_spare(self, size: int) -> Path:
        path, self._spare = self._spare, None
        if path is not None and size <= self._segment_bytes:
            return path
        if self._exhausted and time.monotonic() < self._retry_at:
            # Where lost records are counted each call comes here; asking the disk each time would cost it dearly.
            raise Unavailable(f"spool {self.folder} had no room a moment ago", code="SpoolFull")
        return self._space.reserve(_SPARE, size)

    def _make_spare(self) -> None:
        if self._spare is None and self._left < self._segment_bytes // 2:
            with contextlib.suppress(Unavailable):
                self._spare = self._space.reserve(_SPARE, self._segment_bytes)
            self._exhausted = self._spare is None
            self._retry_at = time.monotonic() + _RETRY_S

    def _finish(self, data: bytes, done: int) -> None:
        """The kernel took a part (a signal, or the last bytes of a disk without reservation): write the rest."""
        try:
            write_all(self._fd, memoryview(data)[done:])
        except OSError as error:
            raise self._torn(error) from error

    def _torn(self, error: OSError) -> Unavailable:
        """Take back what a failed write may have left, so that the next frame stands where readers look."""
        offset = self._size - self._left
        try:
            os.ftruncate(self._fd, offset)
            os.lseek(self._fd, offset, os.SEEK_SET)
        except OSError:
            log.exception("spool %s: a torn write could not be taken back", self.folder)
        # The reservation went with the truncation: what follows goes into a new segment or is refused.
        self._size, self._left = offset, 0
        return self._space.full(error)
