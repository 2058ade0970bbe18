"""The shipper's process: spools into tables, and looking after the tables. One thread each, one stop for both."""

from __future__ import annotations

import threading

from aforo.app.spec import Said, Spec, say, stop_event
from aforo.logs.retention import Maintenance
from aforo.logs.shipper import Shipper
from aforo.model.retention_file import RetentionFile


def main(spec: Spec) -> None:
    """Ship until told to stop, then store what is left."""
    layout = spec.layout
    stop = stop_event()
    retention = RetentionFile(layout.snapshots / "retention.json")
    maintenance = Maintenance(layout.tables, retention_days=retention.days)
    with Shipper(layout.spool, layout.tables) as shipper:
        caring = threading.Thread(target=maintenance.run, args=(stop,), name="maintenance")
        caring.start()
        say(Said(ready=True))
        shipper.run(stop)
        caring.join()
