"""Opening a spool again: whose it is, how far it got, and cutting off a torn tail. It appends nothing."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from aforo.spool import frame
from aforo.spool.records import KIND_CONTEXT, ContextRecord

log = logging.getLogger("aforo.spool")

IDENTITY = "identity.json"
_LOCK = "lock"


class Identity(msgspec.Struct, frozen=True):
    """What a spool folder says about itself; written each time its writer opens it.

    `frames` counts what was accepted before `session`; a segment's head knows it better where there is one.
    """

    spool: str  # 32 hexadecimal digits
    session: int
    frames: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where the next session goes on."""

    spool: bytes
    session: int
    frames: int
    contexts: dict[int, ContextRecord] = field(default_factory=dict)


def lock_folder(folder: Path, patience_s: float = 0.0) -> int | None:
    """Take the writer's lock of a spool folder: a descriptor, or None while another process holds it.

    A reader that looks whether the writer is gone holds it for a moment; `patience_s` outlasts that.
    """
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < until:
                time.sleep(0.01)
                continue
            os.close(fd)
            return None
        return fd


def load_identity(folder: Path) -> Identity | None:
    """The folder's identity; None when there is none that can be read."""
    try:
        return msgspec.json.decode((folder / IDENTITY).read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError):
        log.exception("spool %s: its identity cannot be read; the segments' heads are asked instead", folder)
        return None


def save_identity(folder: Path, spool: bytes, session: int, frames: int) -> None:
    """Durable before the session writes its first frame: a session's number is never used twice."""
    path = folder / (IDENTITY + ".new")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, msgspec.json.encode(Identity(spool.hex(), session, frames)))
        os.fsync(fd)
    finally:
        os.close(fd)
    path.rename(folder / IDENTITY)


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first (their names are the sequence of their first frame)."""
    return sorted(p for p in folder.iterdir() if p.suffix == ".seg")


def recover(folder: Path) -> Recovered:
    """Find where the last session ended. A torn tail is kept aside in `<segment>.torn` and cut off.

    Only the newest segment can have one: older ones were sealed. Damage inside a segment stays where it is,
    the reader steps over it.
    """
    identity = load_identity(folder)
    spool = bytes.fromhex(identity.spool) if identity else b""
    session = identity.session if identity else 0
    for path in reversed(segments(folder)):
        data = path.read_bytes()
        head = frame.decode_segment_head(data)
        if head is None:
            log.error("spool %s: %s has no sound head; it is kept aside as .damaged", folder, path.name)
            path.rename(path.with_suffix(".damaged"))
            continue
        frames, damage, end = frame.scan(data, frame.SEGMENT_HEAD_SIZE, head.first)
        _cut(path, data, end)
        last = frames[-1].sequence if frames else head.first - 1
        for hole in damage:
            if hole.frames:
                log.error("spool %s: %s lost %d frames to damage", folder, path.name, hole.frames)
        contexts = {}
        for found in frames:
            if found.kind == KIND_CONTEXT:
                context = msgspec.msgpack.decode(found.payload, type=ContextRecord)
                contexts[context.index] = context
        return Recovered(
            head.spool,
            max(session, head.session),
            head.frames_before + last - head.first + 1,
            contexts,
        )
    return Recovered(spool or secrets.token_bytes(16), session, identity.frames if identity else 0)


def _cut(path: Path, data: bytes, end: int) -> None:
    if end == len(data):
        return
    if not frame.is_blank(data, end):
        torn = path.with_suffix(".torn")
        log.error(
            "spool: %s ends in %d bytes that are no frame; kept in %s", path, len(data) - end, torn.name
        )
        torn.touch(mode=0o600)
        torn.write_bytes(data[end:].rstrip(b"\0"))
    os.truncate(path, end)
