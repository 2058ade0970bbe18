"""What happens to tables in the background: small files become large ones, old days and old versions go.

It runs beside the shipper and beside queries: a version that somebody reads keeps its files for some minutes
(delta.py says how many). Losing a race against a commit costs nothing but another try. It reads no spool and no
setting.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from aforo.logs.columns import DAY
from aforo.logs.compacting import compact, give_back
from aforo.logs.delta import fsync

log = logging.getLogger("aforo.logs")

# Two sizes, so that a day's data is not rewritten each time that a few small files have come.
_SMALL_BYTES = 4 * 1024 * 1024
_LARGE_BYTES = 128 * 1024 * 1024
_SMALL_FILES = 24
_MIDDLE_FILES = 12
_BUSY_TIMES = 8

_VACUUM_EVERY_S = 120.0
_GIVE_BACK_EVERY_S = 60.0


class Maintenance:
    """Looks after all tables below `tables_root/<workspace>/<table>/`.

    `retention_days(workspace, table)`: how many days back rows are kept; 0 keeps them for ever. `clock` gives
    unix seconds. While rows wait to be stored (`busy`) files are left as they are, until there are very many: who asks
    for the newest rows waits for both.
    """

    def __init__(
        self,
        tables_root: Path,
        *,
        retention_days: Callable[[str, str], int],
        clock: Callable[[], float] = time.time,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._root = tables_root
        self._retention_days = retention_days
        self._clock = clock
        self._busy = busy
        self._tables: dict[Path, DeltaTable] = {}
        self._vacuumed_s: dict[Path, float] = {}
        self._synced: dict[Path, set[str]] = {}
        self._given_back_s = 0.0

    def run(self, stop: threading.Event, interval_s: float = 5.0) -> None:
        """Look after the tables until told to stop."""
        while not stop.wait(interval_s):
            self.run_once(stop)
            if time.monotonic() - self._given_back_s > _GIVE_BACK_EVERY_S:
                # What a burst of calls has taken, too.
                self._given_back_s = time.monotonic()
                give_back()

    def run_once(self, stop: threading.Event | None = None) -> None:
        """One round over all tables. What fails is reported and tried again in the next."""
        for path in sorted(self._root.glob("*/*")):
            if stop is not None and stop.is_set():
                return
            if not (path / "_delta_log").is_dir():
                continue
            try:
                self._look_after(path, stop)
            except TableNotFoundError:
                continue
            except (DeltaError, OSError) as error:
                self._tables.pop(path, None)
                log.warning("table %s: %s; it is looked after again in the next round", path, error)

    def _look_after(self, path: Path, stop: threading.Event | None) -> None:
        table = self._tables.get(path)
        if table is None:
            table = self._tables[path] = DeltaTable(path)
        else:
            table.update_incremental()
        self._drop_old_days(path, table)
        self._compact(path, table, stop)
        self._sync(path, table)
        self._vacuum(path, table)

    def _drop_old_days(self, path: Path, table: DeltaTable) -> None:
        days = self._retention_days(path.parent.name, path.name)
        if days <= 0:
            return
        first = (datetime.fromtimestamp(self._clock(), UTC) - timedelta(days=days)).date().isoformat()
        old = sorted({d for p in table.partitions() if (d := p.get(DAY) or "") and d < first})
        if not old:
            return
        # Whole partitions: their files leave the log without being read.
        table.delete(f"{DAY} < '{first}'")
        log.info("table %s: the days %s to %s are over their retention and gone", path, old[0], old[-1])

    def _compact(self, path: Path, table: DeltaTable, stop: threading.Event | None) -> None:
        files = table.get_add_actions(flatten=True)
        sizes = files.column("size_bytes").to_pylist()
        if f"partition.{DAY}" not in files.schema.names:  # no files at all
            return
        days = list(files.column(f"partition.{DAY}").to_pylist())
        small = Counter(d for d, s in zip(days, sizes, strict=True) if s < _SMALL_BYTES)
        middle = Counter(d for d, s in zip(days, sizes, strict=True) if _SMALL_BYTES <= s < _LARGE_BYTES)
        most = _BUSY_TIMES if self._busy() else 1
        for day in small.keys() | middle.keys():
            if middle[day] >= _MIDDLE_FILES * most:
                self._rewrite_beside(path, str(day), stop)
            elif small[day] >= _SMALL_FILES * most:
                compact(path, str(day), _SMALL_BYTES, table)

    def _rewrite_beside(self, path: Path, day: str, stop: threading.Event | None) -> None:
        """What takes much memory, in a process that gives it back by ending (compacting.py)."""
        command = [sys.executable, "-m", "aforo.logs.compacting", str(path), day, str(_LARGE_BYTES)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            while True:
                try:
                    _, said = process.communicate(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    if stop is not None and stop.is_set():
                        process.terminate()
        if process.returncode > 0:
            last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise OSError(f"the files of {day} could not be made one: {last[:300]}")

    def _sync(self, path: Path, table: DeltaTable) -> None:
        """Bring new files onto the disk. The shipper does it before it gives a spool's segments back, and rows wait for that:
        it must not be those of a whole minute, and what they became when they were compacted."""
        table.update_incremental()
        files = set(table.get_add_actions().column("path").to_pylist())
        for name in sorted(files - self._synced.get(path, set())):
            with contextlib.suppress(FileNotFoundError):  # compacted meanwhile
                fsync(path / name)
        self._synced[path] = files

    def _vacuum(self, path: Path, table: DeltaTable) -> None:
        now_s = time.monotonic()
        if now_s - self._vacuumed_s.setdefault(path, now_s) < _VACUUM_EVERY_S:
            return
        self._vacuumed_s[path] = now_s
        # Full: by what lies in the folder. The log forgets replaced files at checkpoints, and never knew of those
        # that a killed process had written and not committed.
        table.vacuum(full=True, dry_run=False, enforce_retention_duration=False)
