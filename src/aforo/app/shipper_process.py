"""The shipper's process: spools into tables, and looking after the tables. One thread each, one stop for both;
a third one for OpenTelemetry where the environment names a collector."""

from __future__ import annotations

import os
import threading

from aforo.app.spec import Said, Spec, say, stop_event
from aforo.identity.keys import Secrets
from aforo.logs.delivery.delivering import Delivering
from aforo.logs.otlp import OtlpExporter, settings_of
from aforo.logs.projection import Watcher
from aforo.logs.retention import Maintenance
from aforo.logs.shipper import Shipper
from aforo.logs.tally_file import TallyFile
from aforo.model import deliveries_file
from aforo.model.retention_file import RetentionFile

# From so many on a gateway finds one that is free.
_MANY_PROCESSORS = 4


def main(spec: Spec) -> None:
    """Ship until told to stop, then store what is left."""
    _keep_to_one_processor()
    layout = spec.layout
    stop = stop_event()
    retention = RetentionFile(layout.snapshots / "retention.json")
    otlp = settings_of(os.environ)
    exporter = OtlpExporter(otlp, frozenset((spec.control_port, spec.control_tls_port))) if otlp else None
    watchers: list[Watcher] = [TallyFile(layout.metrics), *((exporter,) if exporter is not None else ())]
    delivering = Delivering(
        layout.deliveries,
        layout.spool,
        layout.exports,
        layout.snapshots / deliveries_file.FILE,
        Secrets(layout.secrets).sealer(deliveries_file.PURPOSE),
        own_ports=(spec.control_port, spec.control_tls_port),
    )
    with Shipper(layout.spool, layout.tables, watchers=watchers, before_discard=delivering.keep) as shipper:
        if exporter is not None:
            exporter.start()
        maintenance = Maintenance(layout.tables, retention_days=retention.days, busy=lambda: shipper.behind)
        caring = threading.Thread(target=maintenance.run, args=(stop,), name="maintenance")
        caring.start()
        delivering.start()
        say(Said(ready=True))
        try:
            shipper.run(stop)
        finally:
            # Also where it failed: a process whose threads live on looks as if it shipped.
            stop.set()
            delivering.close()
            if exporter is not None:
                exporter.close()
            caring.join()


def _keep_to_one_processor() -> None:
    """Where there are few: a shipper that wanders takes callers and backends away from the processor that their gateway is
    on, and a call costs a tenth more (docs/decisions/0169)."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < _MANY_PROCESSORS:
            os.sched_setaffinity(0, allowed[-1:])
