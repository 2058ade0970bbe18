"""Records that the spool did not take: counted at once, told when it takes something again. It refuses no call.

Told means a row of `Operation` per API, a measurement in `AppMetrics`, and the gateway's own log.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from typing import Protocol

from aforo.errors import Refusal
from aforo.gateway.metrics import NAMESPACE
from aforo.snapshot.snapshot import Bundle
from aforo.spool.dropped import Dropped
from aforo.spool.records import AmendRecord, RowsRecord
from aforo.stamps import iso_stamp
from aforo.tables.operation import OPERATION, dropped_row

log = logging.getLogger("aforo.gateway")

# Of calls that were begun in audit mode, and whose end could not be written. More than these end with the process.
_MOST_OPEN = 10_000
METRIC = (NAMESPACE, "Dropped Log Records")


class Sink(Protocol):
    """The part of the spool that is needed here."""

    def append_rows(self, record: RowsRecord) -> int: ...

    def append_amend(self, record: AmendRecord) -> int: ...

    def has_room(self) -> bool: ...


class Meter(Protocol):
    """Takes measurements (policy/services.py)."""

    def emit(self, namespace: str, name: str, value: float, dimensions: dict[str, str]) -> None: ...


class LostRecords:
    """Of one gateway process. `note` is called where a record is lost; `tell` about once a second."""

    def __init__(self, dropped: Dropped, spool: Sink, meter: Meter, writer: str) -> None:
        self._dropped = dropped
        self._spool = spool
        self._meter = meter
        self._writer = writer
        self._told_total = dropped.count.total
        self._open: deque[str] = deque(maxlen=_MOST_OPEN)

    @property
    def total(self) -> int:
        """How many records this spool has lost since it was made."""
        return self._dropped.count.total

    def note(self, api_id: str) -> None:
        """The record of a call is lost."""
        self._dropped.add(api_id)

    def note_open(self, call_id: str) -> None:
        """A call that was begun in audit mode has ended, and its record is lost: the begin must not stay open."""
        self._open.append(call_id)

    def tell(self, bundle: Bundle) -> None:
        """Write down what could not be written before, where there is room again."""
        total = self.total
        if total != self._told_total:
            self._told_total = total
            log.error("%d records could not be written to the spool", total)
        count = self._dropped.count
        if not (count.apis or self._open) or not self._spool.has_room():
            return
        try:
            while self._open:
                self._spool.append_amend(AmendRecord(self._open[0], "gateway", time.time_ns()))
                self._open.popleft()
            workspaces = list(bundle.workspaces.get("GatewayLogs", ()))
            if count.apis and workspaces:
                # The same for a row that is written again after a kill.
                incident = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._writer}/{count.since_ns}"))
                between = f"between {iso_stamp(count.since_ns)} and {iso_stamp(count.until_ns)}"
                rows = [
                    dropped_row(
                        count.since_ns,
                        api_id,
                        dropped,
                        f"{dropped} records of calls could not be kept {between}: the spool took none",
                        incident=incident,
                        writer=self._writer,
                        resource_id=bundle.resource_id,
                    )
                    for api_id, dropped in count.apis.items()
                ]
                self._spool.append_rows(RowsRecord(workspaces, OPERATION.name, rows))
        except Refusal as refusal:
            log.error("what was lost cannot be told yet: %s", refusal)
            return
        for api_id, dropped in count.apis.items():
            self._meter.emit(*METRIC, dropped, {"API ID": api_id, "Gateway": self._writer})
        self._dropped.settle()
