"""Metrics of policies on their way to `AppMetrics`: summed up in memory, written to the spool every second.

A measurement costs a look-up, not a record. What a killed process loses is the last second of it; the tokens
themselves stand in the records of the calls. Where no diagnostic setting wants `AllMetrics` nothing is kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from aforo.errors import Refusal
from aforo.snapshot.snapshot import Bundle
from aforo.spool.records import RowsRecord
from aforo.tables.app_metrics import APP_METRICS, app_metric_row
from aforo.tables.azure_metrics import Measure

log = logging.getLogger("aforo.gateway")

# Of what gateways themselves measure; docs/costs.md lists it.
NAMESPACE = "Aforo"
# Values of dimensions may be anything that callers send: so many series are written down before their second is over.
MOST_SERIES = 2_000
_ROWS = 200  # of one record

_Series = tuple[str, str, tuple[tuple[str, str], ...]]


class RowSink(Protocol):
    """Takes finished rows; `spool.writer.SpoolWriter` is one."""

    def append_rows(self, record: RowsRecord) -> int: ...


class SpooledMetrics:
    """The `Metrics` port. One per process; `follow` tells which configuration is in force."""

    def __init__(self, sink: RowSink, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._sink = sink
        self._clock_ns = clock_ns
        self._began_ns = 0
        self._series: dict[_Series, Measure] = {}
        self._workspaces: list[str] = []
        self._resource_id = ""
        self._role = ""
        self._service: dict[str, str] = {}
        self.dropped = 0  # rows that the spool did not take

    def follow(self, bundle: Bundle) -> None:
        """From here on measurements are of this configuration; those before go where they belong."""
        self.flush()
        deployment = bundle.deployment
        self._workspaces = list(bundle.workspaces.get("AllMetrics", ()))
        self._resource_id = bundle.resource_id
        self._role = f"{deployment.service_name} {deployment.region}"
        self._service = {
            "Region": deployment.region,
            "Service ID": deployment.service_id,
            "Service Name": deployment.service_name,
            "Service Type": "API Management",
        }

    def emit(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        """See policy/services.py."""
        if not self._workspaces:
            return
        series = self._series
        key = (namespace, name, tuple(dimensions.items()))
        measure = series.get(key)
        if measure is None:
            if not series:
                self._began_ns = self._clock_ns()
            elif len(series) >= MOST_SERIES:
                self.flush()
                self._began_ns = self._clock_ns()
            measure = self._series[key] = Measure()
        measure.add(value)

    def flush(self) -> None:
        """Write down what was measured so far. To be called every second, and at the end of the process."""
        series, self._series = self._series, {}
        if not series:
            return
        rows = [
            app_metric_row(
                self._began_ns,
                namespace,
                name,
                {**self._service, **dict(dimensions)},
                measure,
                self._role,
                self._resource_id,
            )
            for (namespace, name, dimensions), measure in series.items()
        ]
        for first in range(0, len(rows), _ROWS):
            part = rows[first : first + _ROWS]
            try:
                self._sink.append_rows(RowsRecord(self._workspaces, APP_METRICS.name, part))
            except (Refusal, OSError) as error:
                self.dropped += len(part)
                log.error("%d rows of metrics could not be kept so far: %s", self.dropped, error)


class NoMetrics:
    """The `Metrics` port where nobody writes them down."""

    def emit(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        """See policy/services.py."""
