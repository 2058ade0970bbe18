"""What a slow disk does to callers and to rows. The disk is slow inside Aforo's own processes (slowed.py): no machine is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import open_loop
from bench.figures import header, number, row, spread
from bench.frontier import sides, slowed
from bench.frontier.sides import AforoSide, Place, Scale
from bench.frontier.throughput import warm
from bench.open_loop import Seen, padded, quantile_ms
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
    """Runs by disk, each with the seconds until its last row could be queried."""

    runs: dict[str, list[tuple[Seen, float]]] = field(default_factory=dict)
    seconds: float = 0.0


def measure(place: Place, scale: Scale, found: SlowDisk) -> None:
    """A system for each disk, all there at once, taking turns; a load fills more than one segment of the spool, so that a
    new one is begun under it.
    """
    found.seconds = 2.0 if scale.quick else 8.0
    with place.sides((sides.DIRECT,)) as (direct,), ExitStack() as stack:
        started: list[AforoSide] = []
        for count, (disk, (sync_ms, write_ms)) in enumerate(DISKS.items()):
            folder = place.folder / f"disk-{count}"
            folder.mkdir()
            with _slow(folder, sync_ms, write_ms):
                started.append(AforoSide(disk, stack.enter_context(sides.aforo(folder, direct.port))))
        for side in started:
            warm(side)
        for turn in range(scale.runs):
            for side in started:
                seen = open_loop.run(
                    side.port, RATE, found.seconds, key=side.key, body=padded(BODY_BYTES), seed=turn
                )
                behind_s = side.settle(seen.answered, seen.unanswered + seen.broken)
                found.runs.setdefault(side.name, []).append((seen, behind_s))
        for side in started:
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
    runs = max((len(got) for got in found.runs.values()), default=0)
    out = [
        f"{RATE:g} calls per second with requests of 16 KB, which fill a segment of the spool every few seconds; {runs} runs of "
        f"{found.seconds:g} s, a system for each disk, taking turns; p99.9 and the longest over all calls of the runs together. "
        "The disk is made slow inside Aforo's processes: Python's calls that sync or write wait so much longer; what DuckDB, "
        "SQLite and the table writer do by themselves is as fast as ever.",
        "",
        *header(
            "disk", "p50 (ms)", "p99 (ms)", "p99.9 (ms)", "longest (ms)", "calls", "failed", "rows behind (s)"
        ),
    ]
    for disk, got in found.runs.items():
        pooled = [took for seen, _ in got for took in seen.took_us]
        out.append(
            row(
                disk,
                *(spread([seen.ms(share) for seen, _ in got]) for share in (0.5, 0.99)),
                *(number(quantile_ms(pooled, share)) for share in (0.999, 1.0)),
                f"{sum(seen.calls for seen, _ in got):,}",
                str(sum(seen.failed + seen.broken + seen.unanswered for seen, _ in got)),
                spread([behind_s for _, behind_s in got], 1),
            )
        )
    return out
