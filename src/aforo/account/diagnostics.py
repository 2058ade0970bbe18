"""What the account writes down of its calls, as its diagnostic settings say: RequestResponse rows and metrics.

It knows the spool only as a port. A call is never refused because its record cannot be kept: what is lost is
counted and said.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aforo.errors import Refusal
from aforo.model.account_facts import AccountFacts
from aforo.spool.records import RowsRecord
from aforo.tables.account_rows import AccountCall, request_response_row
from aforo.tables.azure_metrics import Measure, metric_row

log = logging.getLogger("aforo.account")

MINUTE_NS = 60_000_000_000
_UNITS = {
    "AzureOpenAITimeToResponse": "MilliSeconds",
    "AzureOpenAINormalizedTTFTInMS": "MilliSeconds",
    "AzureOpenAINormalizedTBTInMS": "MilliSeconds",
    "AzureOpenAITTLTInMS": "MilliSeconds",
    "Latency": "MilliSeconds",
    "DataIn": "Bytes",
    "DataOut": "Bytes",
}


class RowSink(Protocol):
    """Takes finished rows; `spool.writer.SpoolWriter` is one."""

    def append_rows(self, record: RowsRecord) -> int: ...


@dataclass(frozen=True, slots=True)
class Spent:
    """What an inference took: tokens, and nanoseconds from its start to the first and the last token."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_ns: int = 0
    last_ns: int = 0


class Diagnostics:
    """Rows as they come, metrics once a minute. One per account; used from its event loop only."""

    def __init__(self, sink: RowSink, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._sink = sink
        self._clock_ns = clock_ns
        self._minute = 0
        self._measures: dict[str, Measure] = {}
        self.dropped = 0  # rows that the spool did not take

    def call(self, facts: AccountFacts, call: AccountCall, spent: Spent) -> None:
        """A call is over (or its last bytes are about to leave)."""
        self.tick(facts)
        workspaces = facts.workspaces.get("RequestResponse")
        if workspaces:
            row = request_response_row(facts.resource_id, facts.location, call)
            self._write(RowsRecord(workspaces, "AzureDiagnostics", [row]))
        if facts.workspaces.get("AllMetrics"):
            for name, value in _samples(call, spent):
                self._measures.setdefault(name, Measure()).add(value)

    def tick(self, facts: AccountFacts) -> None:
        """Write out the minute that has passed, if one has."""
        minute = self._clock_ns() // MINUTE_NS
        if minute != self._minute:
            self.flush(facts)
            self._minute = minute

    def flush(self, facts: AccountFacts) -> None:
        """Write out what was measured so far: at the end of a minute, or of the process."""
        measures, self._measures = self._measures, {}
        workspaces = facts.workspaces.get("AllMetrics")
        if measures and workspaces:
            begins = self._minute * MINUTE_NS
            rows = [
                metric_row(facts.resource_id, name, _UNITS.get(name, "Count"), begins, measure)
                for name, measure in measures.items()
            ]
            self._write(RowsRecord(workspaces, "AzureMetrics", rows))

    def _write(self, record: RowsRecord) -> None:
        try:
            self._sink.append_rows(record)
        except (Refusal, OSError) as error:
            self.dropped += len(record.rows)
            log.error("%d rows of the account could not be kept so far: %s", self.dropped, error)


def _samples(call: AccountCall, spent: Spent) -> list[tuple[str, float]]:
    """The metrics that one call adds to (names and meanings are Azure Monitor's)."""
    duration_ms = (call.ended_ns - call.started_ns) / 1e6
    ok, client = call.status < 400, 400 <= call.status < 500
    out = [
        ("TotalCalls", 1.0),
        ("SuccessfulCalls" if ok else "TotalErrors", 1.0),
        ("DataIn", float(call.request_bytes)),
        ("DataOut", float(call.response_bytes)),
        ("Latency", duration_ms),
    ]
    if not ok:
        out.append(("ClientErrors" if client else "ServerErrors", 1.0))
    if not call.deployment:
        return out
    out.append(("AzureOpenAIRequests", 1.0))
    if spent.prompt_tokens:
        total = spent.prompt_tokens + spent.completion_tokens
        out += [("ProcessedPromptTokens", float(spent.prompt_tokens)), ("TokenTransaction", float(total))]
    if spent.completion_tokens:
        out.append(("GeneratedTokens", float(spent.completion_tokens)))
    if spent.first_ns:
        first_ms, last_ms = spent.first_ns / 1e6, spent.last_ns / 1e6
        out += [("AzureOpenAITimeToResponse", first_ms), ("AzureOpenAITTLTInMS", last_ms)]
        if spent.prompt_tokens:
            out.append(("AzureOpenAINormalizedTTFTInMS", first_ms / spent.prompt_tokens))
        writing_ms = last_ms - first_ms
        if spent.completion_tokens > 1 and writing_ms > 0:
            out.append(("AzureOpenAINormalizedTBTInMS", writing_ms / (spent.completion_tokens - 1)))
            out.append(("AzureOpenAITokenPerSecond", (spent.completion_tokens - 1) * 1000 / writing_ms))
    return out
