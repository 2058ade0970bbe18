"""What `aforo doctor` looks at on this machine: spools, disk, clock, workers. It reads files and changes none."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aforo.app.in_force import stated
from aforo.app.spec import snapshot_stamp
from aforo.errors import Refusal
from aforo.logs.accounting import account_of
from aforo.logs.delivery.state import states
from aforo.logs.intake import load_state
from aforo.settings import Layout
from aforo.snapshot import bundle_file
from aforo.spool import frame
from aforo.spool.dropped import read_dropped
from aforo.spool.recover import segments

GOOD, WARNING, WRONG = "ok", "warning", "wrong"
# A row is visible within a second; a shipper that waits between its tries needs 30.
LAG_WARNING_S, LAG_WRONG_S = 5.0, 60.0
# A writer reserves a segment of 32 MB ahead of its need, where 64 MB more stay free.
ROOM_WRONG_BYTES, ROOM_WARNING_BYTES = 96 << 20, 1 << 30
ROOM_WARNING_SHARE = 0.05
AHEAD_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One look at one thing. `facts` are for programs."""

    check: str
    subject: str
    state: str  # ok, warning, wrong
    says: str
    facts: dict[str, Any] = field(default_factory=dict)


def spools(layout: Layout, now_s: float, *, running: bool) -> list[Finding]:
    """Each spool: whether it adds up, how far the log is behind, what was lost or put aside."""
    found: list[Finding] = []
    folders = sorted(p for p in layout.spool.iterdir() if p.is_dir()) if layout.spool.is_dir() else []
    for folder in folders:
        try:
            found += _spool(folder, now_s, running=running)
        except (Refusal, OSError) as error:
            found.append(Finding("spool", folder.name, WRONG, str(error)))
    return found or [Finding("spool", "", WARNING, "there are no spools: nothing was ever recorded here")]


def _spool(folder: Path, now_s: float, *, running: bool) -> list[Finding]:
    account = account_of(folder)
    if account is None:
        return []
    lag_s = max(0.0, now_s - account.oldest_ns / 1e9) if account.oldest_ns else 0.0
    facts: dict[str, Any] = {
        "accepted": account.accepted,
        "stored": account.stored,
        "pending": account.pending,
        "lag_s": round(lag_s, 3),
    }
    sum_ = f"{account.accepted} accepted = {account.stored} stored + {account.pending} pending"
    name = folder.name
    if not account.adds_up:
        says = sum_.replace(" = ", " is not ")
        found = [Finding("spool", name, WRONG, says, facts)]
    elif lag_s > LAG_WARNING_S:
        state = WRONG if lag_s > LAG_WRONG_S and running else WARNING
        found = [Finding("spool", name, state, f"{sum_}; the oldest call waits for {lag_s:.0f} s", facts)]
    else:
        found = [Finding("spool", name, GOOD, sum_, facts)]
    damaged = account.lost + load_state(folder).damaged
    if damaged:
        found.append(Finding("damage", name, WRONG, f"{damaged} frames are damaged and were stepped over"))
    dropped = read_dropped(folder)
    facts = {"dropped": dropped.total, "by_api": dropped.apis}
    if dropped.apis:
        says = f"{sum(dropped.apis.values())} records were lost and are not told in `Operation` yet"
        found.append(Finding("lost records", name, WRONG, says, facts))
    elif dropped.total:
        says = f"{dropped.total} records were lost so far; `Operation` tells when, and of which API"
        found.append(Finding("lost records", name, WARNING, says, facts))
    aside = sorted(p.name for p in folder.iterdir() if p.suffix in (".torn", ".damaged", ".frames"))
    if aside:
        says = f"put aside, for somebody to look at and remove: {', '.join(aside)}"
        found.append(Finding("damage", name, WARNING, says))
    return found


def deliveries(layout: Layout, now_s: float) -> list[Finding]:
    """Each destination of logs: whether it gets them, how much waits for it, and what it missed."""
    found: list[Finding] = []
    for each in states(layout.deliveries):
        facts = {"records": each.records, "pending": each.pending, "skipped": each.skipped}
        says, state = f"{each.records} records delivered, {each.pending} frames pending", GOOD
        if each.failing_since:
            failing_s = now_s - each.failing_since
            says += f"; it has failed for {failing_s:.0f} s: {each.error}"
            state = WRONG if failing_s > LAG_WRONG_S else WARNING
        if each.skipped:
            says += f"; {each.skipped} frames were given up, for more waited than is held"
            state = WARNING if state == GOOD else state
        found.append(Finding("delivery", each.destination.rpartition("/")[2], state, says, facts))
    return found


def disk(layout: Layout) -> Finding:
    """The room of the file system below the data directory."""
    room = shutil.disk_usage(layout.root)
    facts = {"free_bytes": room.free, "total_bytes": room.total}
    says = f"{room.free / 1e9:.1f} GB of {room.total / 1e9:.1f} GB are free"
    if room.free < ROOM_WRONG_BYTES:
        return Finding("disk", str(layout.root), WRONG, f"{says}; calls are refused when it is full", facts)
    scarce = room.free < min(ROOM_WARNING_BYTES, room.total * ROOM_WARNING_SHARE)
    return Finding("disk", str(layout.root), WARNING if scarce else GOOD, says, facts)


def clock(layout: Layout, now_s: float) -> Finding:
    """Whether the clock is behind what was written by it."""
    newest_ns = snapshot_stamp(layout.snapshots / bundle_file.CURRENT)[0]
    for folder in (p for p in layout.spool.glob("*") if p.is_dir()):
        for path in segments(folder)[-1:]:
            with path.open("rb") as file:
                head = frame.decode_segment_head(file.read(frame.SEGMENT_HEAD_SIZE))
            newest_ns = max(newest_ns, head.created_ns if head is not None else 0)
    ahead_s = newest_ns / 1e9 - now_s
    facts = {"ahead_s": round(max(0.0, ahead_s), 3)}
    if ahead_s > AHEAD_S:
        says = f"it was set back: files here are of {ahead_s:.0f} s later; times in the log overlap"
        return Finding("clock", "", WRONG, says, facts)
    return Finding("clock", "", GOOD, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s)), facts)


def workers(layout: Layout, pids: dict[str, int]) -> list[Finding]:
    """Each gateway of a running system: whether it lives, and which revision it has in force."""
    published_ns = snapshot_stamp(layout.snapshots / bundle_file.CURRENT)[0]
    revision = bundle_file.version_of(layout.snapshots / bundle_file.CURRENT)
    has = stated(layout.snapshots)
    found: list[Finding] = []
    for name, pid in sorted(pids.items()):
        if not _lives(pid):
            found.append(Finding("process", name, WRONG, f"process {pid} is gone"))
            continue
        if not name.startswith("gateway"):
            found.append(Finding("process", name, GOOD, f"process {pid}", {"pid": pid}))
            continue
        said = has.get(pid)
        facts = {"pid": pid, "revision": said.revision if said else None, "published": revision}
        if said is None:
            found.append(
                Finding("process", name, WRONG, f"process {pid} has no configuration in force", facts)
            )
        elif said.revision < revision or said.published_ns < published_ns:
            says = f"process {pid} has revision {said.revision} in force, {revision} is published"
            found.append(Finding("process", name, WRONG, says, facts))
        else:
            found.append(Finding("process", name, GOOD, f"process {pid}, revision {said.revision}", facts))
    return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
