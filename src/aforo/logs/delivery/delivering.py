"""All destinations of a system: a thread for each, so that none waits for another, and tables for none of them.

What there is to deliver to stands in a file that control publishes; it is looked at again and again.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from aforo.egress.policy import parse
from aforo.egress.pool import Pool
from aforo.errors import Refusal
from aforo.identity.seal import Sealer
from aforo.logs.delivery.destination import Place, Reading, deliver
from aforo.logs.delivery.events import Events
from aforo.logs.delivery.folder import Folder
from aforo.logs.delivery.held import MOST_BYTES, Held
from aforo.logs.delivery.objects import Objects
from aforo.logs.delivery.outbox import Outbox
from aforo.logs.delivery.state import FILE, DeliveryState
from aforo.logs.delivery.stores import Stores
from aforo.logs.delivery.tables import Tables, in_folder, in_storage
from aforo.model import deliveries_file
from aforo.model.deliveries_file import Destination
from aforo.private_files import private_directory, write_private
from aforo.snapshot.sealed import open_value

log = logging.getLogger("aforo.logs")

TICK_S = 1.0
# An object is written once and never grown, and a table has a file for each batch: fewer of them, later.
OBJECTS_S = 60.0
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_HELD = ".held"


class Delivering:
    """`root` is its own folder, `exports` what places that are folders lie in, `published` control's file. `keep` is the
    shipper's hook; `start` and `close` are the process's. `objects_s`: how often objects and tables are."""

    def __init__(
        self,
        root: Path,
        spools: Path,
        exports: Path,
        published: Path,
        sealer: Sealer,
        *,
        own_ports: tuple[int, ...] = (),
        objects_s: float = OBJECTS_S,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._exports = exports
        self._sealer = sealer
        self._own_ports = own_ports
        self._objects_s = objects_s
        self._root = private_directory(root)
        self._held = Held(self._root / _HELD, spools, most_bytes)
        self._file = published
        self._stamp = -1
        self._stop = threading.Event()
        self._going: dict[str, _Going] = {}
        self._wanted: tuple[Destination, ...] = tuple(deliveries_file.load(self._file))
        self._thread = threading.Thread(target=self._run, name="delivering")

    def keep(self, folder: Path, spool: str) -> None:
        """Segments of a spool are about to go."""
        if self._wanted:
            self._held.keep(folder, spool)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def close(self) -> None:
        """Deliver what can be delivered at once, and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:
                log.exception("destinations of logs cannot be looked after now")
            self._stop.wait(TICK_S)
        for going in self._going.values():
            going.stop.set()
        for going in self._going.values():
            going.join()

    def look(self) -> None:
        """Take up what control published, and give back what nobody needs."""
        try:
            stamp = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            stamp = 0
        if stamp != self._stamp:
            self._stamp = stamp
            self._wanted = tuple(deliveries_file.load(self._file))
            self._follow()
        if not self._wanted:
            self._held.drop()
            return
        self._held.refresh()
        self._held.release([g.outbox.delivered.read for g in self._going.values()])

    def _follow(self) -> None:
        wanted = {d.id: d for d in self._wanted}
        for name, going in list(self._going.items()):
            if wanted.get(name) != going.destination:
                going.stop.set()
                going.join()
                del self._going[name]
        for destination in self._wanted:
            if destination.id not in self._going:
                self._held.refresh()
                going = _Going(
                    destination, self._folder(destination), self._held, self._place, self._pace(destination)
                )
                self._going[destination.id] = going
                going.start()
        known = {self._folder(d) for d in self._wanted}
        for path in self._root.iterdir():
            if path.name != _HELD and path not in known:
                # The setting is gone: what waited for it has nowhere to go.
                shutil.rmtree(path, ignore_errors=True)

    def _folder(self, destination: Destination) -> Path:
        return self._root / hashlib.sha256(destination.id.encode()).hexdigest()[:16]

    def _pace(self, destination: Destination) -> float:
        return self._objects_s if destination.kind in ("objects", "delta") else TICK_S

    def _place(self, destination: Destination, writer: str) -> Place:
        options = {name: open_value(self._sealer, value) for name, value in destination.options.items()}
        pool = Pool(parse(destination.private, frozenset(self._own_ports)))
        if destination.kind == "folder":
            return Folder(self._exports / destination.place)
        if destination.kind == "events":
            return Events(
                f"the event hub of {destination.id}",
                options["connectionString"],
                destination.place,
                pool.judge,
            )
        if destination.kind == "delta" and "://" not in destination.place:
            return Tables(in_folder(private_directory(self._exports / destination.place)), writer, str)
        stores = Stores(destination.place, options, pool)
        if destination.kind == "delta":
            return Tables(in_storage(stores), writer, stores.plain)
        return Objects(stores, writer)


class _Going(threading.Thread):
    """One destination at work."""

    def __init__(
        self,
        destination: Destination,
        folder: Path,
        held: Held,
        place_of: Callable[[Destination, str], Place],
        pace_s: float,
    ) -> None:
        super().__init__(name=f"deliver-{destination.kind}")
        self.destination = destination
        self.stop = threading.Event()
        self.outbox = Outbox(folder)
        self._folder = folder
        self._reading = Reading(destination, self.outbox, held)
        self._place_of = place_of
        self._place: Place | None = None
        self._pace_s = pace_s
        self._failures = 0
        self._failing_since = 0.0
        self._error = ""
        self._delivered_at = 0.0

    def run(self) -> None:
        while True:
            last = self.stop.is_set()
            if last and self._failures:
                # Who stops does not wait for a place that is away: what is decided lies in the outbox.
                break
            wait_s = self._round()
            if last:
                break
            self.stop.wait(wait_s)
        self._reading.forget()
        if self._place is not None:
            try:
                self._place.close()
            except Exception:
                log.exception("%s did not close", self.destination.id)

    def _round(self) -> float:
        """One look; how long to wait until the next."""
        wait_s = self._pace_s
        try:
            while self._reading.read():
                self._deliver()
            self._deliver()
        except Exception as error:  # noqa: BLE001 - whatever a client library raises: what waits is tried again
            wait_s = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
            self._failures += 1
            self._failing_since = self._failing_since or time.time()
            self._error = error.message if isinstance(error, Refusal) else type(error).__name__
            if self._failures == 1:
                log.error("%s: nothing is delivered now: %s", self.destination.id, self._error)
            # A place that failed may be in any state.
            self._reading.forget()
        else:
            if self._failures:
                log.error("%s: logs are delivered again", self.destination.id)
            self._failures, self._failing_since, self._error = 0, 0.0, ""
        self._say()
        return wait_s

    def _deliver(self) -> None:
        if self._place is None:
            self._place = self._place_of(self.destination, self.outbox.writer)
        if deliver(self.outbox, self._place, lambda: False):
            self._delivered_at = time.time()

    def _say(self) -> None:
        state = DeliveryState(
            self.destination.id,
            self.destination.kind,
            self.destination.place,
            self.outbox.delivered.records,
            self._reading.pending(),
            self.outbox.waiting(),
            self.outbox.decided.skipped,
            self._delivered_at,
            self._failing_since,
            self._error,
        )
        try:
            write_private(self._folder / FILE, msgspec.json.encode(state), durable=False)
        except OSError as error:
            log.error("%s cannot be written: %s", self._folder / FILE, error.strerror)
