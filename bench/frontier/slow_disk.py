"""What a slow disk does to callers and to rows. The disk is slow inside Aforo's own processes (slowed.py): no machine is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import open_loop
from bench.frontier import sides, slowed
from bench.frontier.sides import AforoSide, Place
from bench.frontier.tables import Scale, header, number, row
from bench.frontier.throughput import warm
from bench.open_loop import Seen, padded
from bench.processes import ROOT

RATE = 500.0
BODY_BYTES = 16 << 10
# Milliseconds that (a sync, a write into the spool) waits longer.
DISKS = {
    "as it is": (0.0, 0.0),
    "each sync 250 ms": (250.0, 0.0),
    "each sync 250 ms, each write 1 ms": (250.0, 1.0),
}


@dataclass(slots=True)
class SlowDisk:
    """One run by disk, and the seconds until its last row could be queried."""

    runs: dict[str, tuple[Seen, float]] = field(default_factory=dict)


def measure(place: Place, scale: Scale, found: SlowDisk) -> None:
    """A system for each disk; the load fills more than one segment of the spool, so that a new one is begun under it."""
    seconds = 2.0 if scale.quick else 8.0
    with place.sides((sides.DIRECT,)) as (direct,):
        for number_, (disk, (sync_ms, write_ms)) in enumerate(DISKS.items()):
            folder = place.folder / f"disk-{number_}"
            folder.mkdir()
            with _slow(folder, sync_ms, write_ms), sides.aforo(folder, direct.port) as system:
                side = AforoSide(disk, system)
                warm(side)
                seen = open_loop.run(side.port, RATE, seconds, key=side.key, body=padded(BODY_BYTES))
                behind_s = side.settle(seen.answered, seen.unanswered + seen.broken)
                found.runs[disk] = (seen, behind_s)
                place.calls += side.answered
                place.rows += side.count()


@contextmanager
def _slow(folder: Path, sync_ms: float, write_ms: float) -> Iterator[None]:
    """Processes that are started meanwhile have such a disk: Python imports `sitecustomize` before anything else."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text("import bench.frontier.slowed\n")
    before = dict(os.environ)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(folder / "site"), str(ROOT), *filter(None, [before.get("PYTHONPATH")])]
    )
    os.environ[slowed.SYNC], os.environ[slowed.WRITE] = str(sync_ms), str(write_ms)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def markdown(found: SlowDisk) -> list[str]:
    """The table."""
    out = [
        f"{RATE:g} calls per second with requests of 16 KB, which fill a segment of the spool every few seconds. The disk is "
        "made slow inside Aforo's processes: Python's calls that sync or write wait so much longer; what DuckDB, SQLite and "
        "the table writer do by themselves is as fast as ever.",
        "",
        *header(
            "disk", "p50 (ms)", "p99 (ms)", "p99.9 (ms)", "longest (ms)", "calls", "failed", "rows behind (s)"
        ),
    ]
    out += [
        row(
            disk,
            *(number(seen.ms(share)) for share in (0.5, 0.99, 0.999, 1.0)),
            f"{seen.calls:,}",
            str(seen.failed + seen.broken + seen.unanswered),
            number(behind_s, 1),
        )
        for disk, (seen, behind_s) in found.runs.items()
    ]
    return out
