"""The shipper: spools in, table rows out, each frame exactly once. It reads no setting and answers no query.

A batch is a range of frames of each spool. Its rows for one table are committed together with the positions
that they reach; a table that has a frame already (the shipper died between two commits) is not given it again.
Frames are taken some at a time, so that a batch of large bodies needs no more memory than its rows in files.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import msgspec

from aforo.errors import Conflict
from aforo.logs.batch import Batch, Part, TableKey
from aforo.logs.custom_tables import CustomTables
from aforo.logs.delta import TableWriter
from aforo.logs.intake import Intake, Taken, TakenAmend, TakenCall, TakenRows, Taking
from aforo.logs.minutes import Minutes, Sums, metric_rows
from aforo.logs.project import correlation_id
from aforo.logs.projection import Projection, Watcher
from aforo.logs.rows import Row, RowMaker
from aforo.logs.status import SpoolStatus, status_of
from aforo.spool.frame import Frame
from aforo.spool.records import KIND_ROWS, LOG_METRICS
from aforo.spool.recover import lock_folder
from aforo.tables.azure_metrics import AZURE_METRICS
from aforo.tables.catalog import TABLES
from aforo.tables.custom import custom_table
from aforo.tables.gateway_logs import GATEWAY_LOGS

log = logging.getLogger("aforo.logs")

# A row that is amended began at most this long before.
_LONGEST_CALL_US = 24 * 3_600 * 1_000_000
_SMALL_BATCH = 64
# So much is taken and made into rows at once: objects in memory are many times their bytes in the spool. So much of
# columns goes into one file, and so much is committed together; of that much, the files of two tables are written at the
# same time.
_SLICE_FRAMES, _SLICE_BYTES = 500, 2 * 1024 * 1024
_FILE_BYTES, _BATCH_BYTES = 8 * 1024 * 1024, 64 * 1024 * 1024
_LARGE_BYTES = 2 * 1024 * 1024
_MANY_PROCESSORS = 4
_IDLE_SHARE = 5.0
# A row may wait for a commit that has begun, for this, and for its own commit: together well below a second.
_LONGEST_WAIT_S = 0.35
_BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Shipper:
    """Moves everything below `spool_root/<writer>/` to `tables_root/<workspace>/<table>/`.

    One shipper per spool_root (a lock says so); its methods belong to one thread. `clock` gives unix seconds.
    """

    def __init__(
        self,
        spool_root: Path,
        tables_root: Path,
        *,
        clock: Callable[[], float] = time.time,
        interval_s: float = 0.25,
        batch_frames: int = 4_000,
        watchers: Sequence[Watcher] = (),
        before_discard: Callable[[Path, str], None] | None = None,
    ) -> None:
        self._before_discard = before_discard
        self._spool_root = spool_root
        self._tables_root = tables_root
        self._clock = clock
        self._interval_s = interval_s
        self._batch_frames = batch_frames
        self._intakes: dict[Path, Intake] = {}
        self._writers: dict[TableKey, TableWriter] = {}
        self._makers = {name: RowMaker(table) for name, table in TABLES.items()}
        self._custom = CustomTables(tables_root)
        self._minutes = Minutes()
        self._watchers = watchers
        self._projection = Projection(watchers)
        # Writes files while more is taken. Where there are two processors, the other one is the gateway's.
        self._files = ThreadPoolExecutor(1 if (os.cpu_count() or 1) < _MANY_PROCESSORS else 2, "files")
        self._more = self._small = (
            False  # the last batch: whether it left some behind, whether it was hardly any
        )
        self._turn = 0  # whose spool comes first; each in its turn, so that none waits behind a busy one
        spool_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        tables_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(spool_root / "shipper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise Conflict(f"another process ships {spool_root}", target=str(spool_root)) from error

    def run(self, stop: threading.Event) -> None:
        """Ship until told to stop, then once more. Whatever fails is tried again; nothing is given up."""
        failures = 0
        while not stop.is_set():
            started = time.monotonic()
            try:
                self.run_once()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # a panic of a library (a full disk makes some) is no Exception
                wait_s = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
                failures += 1
                log.exception("records cannot be stored now; next try in %s s", wait_s)
                stop.wait(wait_s)
                continue
            failures = 0
            if not self._more:
                spent_s = time.monotonic() - started
                wait_s = self._interval_s - spent_s
                if self._small:
                    # A commit costs the same for one row as for many: where it takes long, wait for more.
                    wait_s = min(max(wait_s, _IDLE_SHARE * spent_s), _LONGEST_WAIT_S)
                stop.wait(max(0.0, wait_s))
        try:
            while self.run_once() and self._more:
                pass
        except BaseException:  # as above
            log.exception("the last records wait in the spool")

    @property
    def behind(self) -> bool:
        """Whether the last batch left frames in the spools. Any thread may ask."""
        return self._more

    def run_once(self) -> int:
        """Take and store one batch; how many frames it had. After a failure all is read again from the spools."""
        return self._round(gone=False)

    def drain(self) -> int:
        """Store all that the spools have, the minutes and the calls that broke off too; how many frames.

        For a system that is not running: whoever writes a spool meanwhile only makes it longer.
        """
        total = 0
        while taken := self._round(gone=False):
            total += taken
        return total + self._round(gone=True)

    def _round(self, *, gone: bool) -> int:
        try:
            with _uncollected():
                batch = Batch(int(self._clock() * 1e6))
                try:
                    self._take(batch, gone=gone)
                    self._store(batch)
                except BaseException:
                    batch.forget_files(self._tables_root)
                    raise
                frames, self._more = batch.frames, batch.more
                self._small = frames < _SMALL_BATCH and batch.size_bytes < _LARGE_BYTES
                del batch
            self._store_minutes(everything=gone)
            self._note()
            for watcher in self._watchers:
                watcher.tick(self._clock())
        except BaseException:
            self._start_over()
            raise
        return frames

    def _start_over(self) -> None:
        """Forget what was taken and not stored. The same as a restart: the tables and spools know the truth."""
        for intake in self._intakes.values():
            intake.reader.close()
        self._intakes.clear()
        self._minutes = Minutes()
        for writer in self._writers.values():
            writer.forget()

    def status(self) -> list[SpoolStatus]:
        """How far each spool is; `status.spool_status` answers the same from outside."""
        return [status_of(intake) for intake in self._discover()]

    def close(self) -> None:
        self._start_over()
        self._files.shutdown()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Shipper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- taking ----------------------------------------------------------------------------------------

    def _discover(self) -> list[Intake]:
        folders = sorted(p for p in self._spool_root.iterdir() if p.is_dir())
        for folder in self._intakes.keys() - set(folders):
            self._intakes.pop(folder).reader.close()
        for folder in folders:
            known = self._intakes.get(folder)
            if known is not None and known.reader.is_replaced():
                known.reader.close()
                known = None
            if known is None:
                self._intakes[folder] = Intake(folder)
        return [i for f in folders if (i := self._intakes[f]).id]

    def _take(self, batch: Batch, *, gone: bool) -> None:
        intakes = self._discover()
        self._turn += 1
        for number in range(len(intakes)):
            intake = intakes[(self._turn + number) % len(intakes)]
            # Asked before reading: what was written until then is seen.
            over = (gone or intake.oldest_begun is not None) and _is_gone(intake)
            frames = batch.frames
            there = True
            while there and not batch.more:
                room = min(_SLICE_FRAMES, self._batch_frames - batch.frames)
                taken = intake.take(room, _SLICE_BYTES)
                self._add(batch, intake, taken)
                # A short slice came to the end: what is written meanwhile is the next batch's.
                there = taken.frames >= room or taken.size_bytes >= _SLICE_BYTES
            batch.reaches[intake.id] = intake.position
            self._break_off(batch, intake, gone=over and frames == batch.frames)
            self._make(batch)
            if batch.more:
                break

    def _add(self, batch: Batch, intake: Intake, taken: Taking) -> None:
        """Put a slice of the frames of a batch into columns, and what is enough for files into files."""
        batch.frames += taken.frames
        batch.size_bytes += taken.size_bytes
        batch.waiting_bytes += taken.size_bytes
        batch.more = batch.frames >= self._batch_frames or batch.size_bytes >= _BATCH_BYTES
        batch.refused += [(intake, found, reason) for found, reason in taken.unreadable]
        self._project(batch, intake, taken.items)
        self._make(batch)
        if batch.waiting_bytes >= _FILE_BYTES and not batch.more:
            if any(part.of for part in batch.parts.values()):
                batch.more = True  # of a custom table: what waits takes memory
            else:
                self._write(batch)

    def _project(self, batch: Batch, intake: Intake, taken: list[Taken]) -> None:
        spool = intake.id
        self._measure(intake, [t for t in taken if isinstance(t, TakenCall)])
        amends = {t.record.call_id: t for t in taken if isinstance(t, TakenAmend)}
        calls: list[TakenCall] = []
        for item in taken:
            if item.sequence <= intake.stored:
                continue
            match item:
                case TakenCall():
                    amend = amends.get(item.call.call_id) if amends else None
                    if amend is not None and not self._has(item, spool):
                        item = item.aborted(amend.record.aborted)
                        del amends[item.call.call_id]
                    calls.append(item)
                case TakenRows():
                    self._project_rows(batch, intake, item)
        self._projection.add(batch, calls, spool)
        batch.amends += [a for a in amends.values() if a.sequence > intake.stored]

    def _has(self, item: TakenCall, spool: str) -> bool:
        """Whether a table has the row of this call already, without what an amendment says."""
        return any(
            self._writer((w, GATEWAY_LOGS.name)).position(spool) >= item.sequence
            for w in item.context.gateway
        )

    def _project_rows(self, batch: Batch, intake: Intake, item: TakenRows) -> None:
        record = item.record
        if record.columns:
            self._project_custom(batch, intake, item)
            return
        maker = self._makers.get(record.table)
        if maker is None:
            found = Frame(item.sequence, KIND_ROWS, msgspec.msgpack.encode(record))
            batch.refused.append((intake, found, f"there is no table {record.table}"))
            return
        share = item.size_bytes // max(1, len(record.rows))
        for values in record.rows:
            row = maker.make(values, time_us=int(self._clock() * 1e6), size_bytes=share)
            for workspace in record.workspaces:
                batch.parts[workspace, record.table].add(row, intake.id, item.sequence)

    def _project_custom(self, batch: Batch, intake: Intake, item: TakenRows) -> None:
        """Rows of a table that the workspace declares: the record says with which columns."""
        record = item.record
        asked = custom_table(record.table, [(n, kind, "") for n, kind in record.columns])
        share = item.size_bytes // max(1, len(record.rows))
        for workspace in record.workspaces:
            maker = self._custom.maker((workspace, record.table), asked)
            part = batch.parts[workspace, record.table]
            for values in record.rows:
                row = maker.make(values, time_us=int(self._clock() * 1e6), size_bytes=share)
                part.add(row, intake.id, item.sequence)

    def _measure(self, intake: Intake, items: list[TakenCall]) -> None:
        counted = _Counted(self._writer, _minutes_of(intake.id))
        for item in items:
            if item.call.log_flags & LOG_METRICS and item.sequence > intake.minutes:
                wanted = [w for w in item.context.metrics if counted[w] < item.sequence]
                if wanted:
                    self._minutes.add(intake.id, item.sequence, item.call, item.context.resource_id, wanted)

    def _break_off(self, batch: Batch, intake: Intake, *, gone: bool) -> None:
        """Rows for calls that were begun by a process that died before their end."""
        over = intake.ended(gone=gone)
        if not over:
            return
        application = f"{intake.id}/begun"
        self._projection.add(batch, [item.aborted("gateway") for item in over], application)
        batch.reaches[application] = over[-1].sequence
        batch.begun.append((intake, over))

    # -- storing ---------------------------------------------------------------------------------------

    def _store(self, batch: Batch) -> None:
        self._make(batch, all_of_it=True)
        # A commit names files or has rows: where files are written already, the rest of their rows goes into one too.
        if batch.waiting_bytes >= _LARGE_BYTES or any(part.files for part in batch.parts.values()):
            self._write(batch)
        for key, part in batch.parts.items():
            self._store_part(key, part, batch)
        self._amend(batch.amends)
        for intake, found, reason in batch.refused:
            intake.refuse(found, reason)
        for intake, over in batch.begun:
            intake.settle(over)
        for intake in self._intakes.values():
            if intake.id in batch.reaches:
                intake.save(batch.reaches[intake.id], intake.minutes)

    def _make(self, batch: Batch, *, all_of_it: bool = False) -> None:
        """Rows become columns, those that a table has already left out."""
        for key, part in batch.parts.items():
            # A custom table may grow while the batch does: its rows wait for the last of its columns.
            if part.of and (all_of_it or key not in self._custom):
                self._make_part(key, part, batch.at_us)

    def _make_part(self, key: TableKey, part: Part, at_us: int) -> None:
        writer = self._writer(key)
        known = {a: writer.position(a) for a in part.of}
        part.known.update(known)
        rows = self._custom.widened(key, part.behind(known))
        part.of.clear()
        try:
            part.made += writer.columns_of(rows, at_us)
        except (TypeError, ValueError, OverflowError):
            # A value that its column cannot hold. The rest must not wait for a row that can never be written.
            fitting = [r for r in rows if writer.fits(r)]
            if len(fitting) == len(rows):
                raise
            log.exception("table %s/%s: %d rows cannot be written", *key, len(rows) - len(fitting))
            self._set_aside(key, [r for r in rows if not writer.fits(r)])
            part.made += writer.columns_of(fitting, at_us)
            part.refused = True

    def _write(self, batch: Batch) -> None:
        """What is in columns goes into files that the commit will name, in a thread of its own: meanwhile more is taken,
        but no more than will be written next."""
        wait([future for part in batch.parts.values() for future in part.files])
        for key, part in batch.parts.items():
            write = self._writer(key).files_ahead() if part.made else None
            if write is not None:
                part.files.append(self._files.submit(write, part.made))
                part.made = []
        batch.waiting_bytes = 0

    def _store_part(self, key: TableKey, part: Part, batch: Batch) -> None:
        if not (part.made or part.files or part.refused):
            return
        positions = {a: r for a, after in part.known.items() if (r := batch.reaches[a]) > after}
        adds = [add for future in part.files for add in future.result()] if part.files else None
        part.files = []  # from here on a commit may name them
        self._writer(key).commit(part.made, adds, positions)

    def _set_aside(self, key: TableKey, rows: list[Row]) -> None:
        path = self._tables_root / key[0] / f"{key[1]}.refused.txt"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with path.open("ab") as file:
            for row in rows:
                file.write(repr(row).encode("utf-8", "backslashreplace") + b"\n")

    def _amend(self, amends: list[TakenAmend]) -> None:
        """Change rows that are stored: one update for all that were aborted by the same side."""
        workspaces = {w for i in self._intakes.values() for c in i.contexts.values() for w in c.gateway}
        sides: dict[str, list[TakenAmend]] = defaultdict(list)
        for amend in amends:
            sides[amend.record.aborted].append(amend)
        for side, of_side in sides.items():
            ids = [correlation_id(a.record.call_id) for a in of_side]
            times = [a.record.at_ns // 1_000 for a in of_side]
            for workspace in sorted(workspaces):
                self._writer((workspace, GATEWAY_LOGS.name)).amend(
                    {"Aborted": side}, ids, since_us=min(times) - _LONGEST_CALL_US, until_us=max(times)
                )

    def _store_minutes(self, *, everything: bool) -> None:
        """Commit the minutes that are over, those of all spools in one row per metric."""
        closed = self._minutes.closed(self._clock(), everything=everything)
        if not closed:
            return
        merged: dict[str, dict[tuple[int, str], Sums]] = defaultdict(lambda: defaultdict(Sums))
        reaches = {_minutes_of(spool): runs[-1].last for spool, runs in closed.items()}
        for run in (run for runs in closed.values() for run in runs):
            for (workspace, resource), sums in run.sums.items():
                merged[workspace][run.minute, resource].merge(sums)
        maker = self._makers[AZURE_METRICS.name]
        for workspace, minutes in merged.items():
            rows = [
                maker.make(values, time_us=0, size_bytes=100)
                for (minute, resource), sums in sorted(minutes.items(), key=lambda m: m[0])
                for values in metric_rows(minute, resource, sums)
            ]
            self._writer((workspace, AZURE_METRICS.name)).append(rows, reaches)
        self._minutes.drop(closed)

    def _note(self) -> None:
        """Write down how far the spools are, and give back segments that are stored."""
        for intake in self._intakes.values():
            if not intake.id:
                continue
            intake.save(intake.stored, self._minutes.counted(intake.id, intake.position))
            begun = intake.oldest_begun
            upto = min(intake.stored, intake.minutes, *((begun - 1,) if begun else ()))
            if intake.reader.can_discard(upto):
                self._sync_tables()
                if self._before_discard is not None:
                    self._before_discard(intake.folder, intake.id)
                intake.reader.discard(upto)

    def _sync_tables(self) -> None:
        """Bring all tables onto the disk, those too that an earlier process wrote."""
        for path in self._tables_root.glob("*/*"):
            key = path.parent.name, path.name
            if path.name in TABLES or key in self._custom or self._custom.known(key):
                self._writer(key).sync()

    def _writer(self, key: TableKey) -> TableWriter:
        writer = self._writers.get(key)
        if writer is None:
            workspace, table = key
            declared = TABLES.get(table) or self._custom.table(key)
            writer = TableWriter(self._tables_root / workspace / table, declared, workspace)
            self._writers[key] = writer
        elif key in self._custom and writer.table is not self._custom.table(key):
            writer.grow(self._custom.table(key))
        return writer


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing of a batch refers back to what holds it, and all of it goes at its end: the collector would walk ten
    thousands of objects again and again, and find nothing (a tenth of the time)."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Counted(dict[str, int]):
    """By workspace: how far an application's minutes are in AzureMetrics. Each is asked once."""

    def __init__(self, writer: Callable[[TableKey], TableWriter], application: str) -> None:
        super().__init__()
        self._writer = writer
        self._application = application

    def __missing__(self, workspace: str) -> int:
        position = self[workspace] = self._writer((workspace, AZURE_METRICS.name)).position(self._application)
        return position


def _minutes_of(spool: str) -> str:
    return f"{spool}/minutes"


def _is_gone(intake: Intake) -> bool:
    lock = lock_folder(intake.folder)
    if lock is None:
        return False
    os.close(lock)
    return True
