"""What the rows say of an outage, beside what the clients saw. It asks the system as anybody would, in KQL."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aforo.cli import running
from aforo.cli.exits import Failure
from aforo.cli.outage.load import Seen

_NOW = "ApiManagementGatewayLogs | summarize n = count(), more = countif(Attempts > 1)"
_MARKS = "ApiManagementGatewayLogs | project mark = extract('mark=(c[0-9]+-[0-9]+)', 1, Url), Aborted, Attempts, BackendId"


def rows_now(system: running.Running) -> tuple[int, int]:
    """How many rows there are, and how many of them tell of more than one attempt."""
    (row,) = _ask(system, _NOW)
    return int(row["n"]), int(row["more"])


@dataclass(slots=True)
class Found:
    """`lost`: answered to the end, and without a row. `doubled`: with more than one."""

    rows: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    cut_with_row: int = 0  # calls that were cut, and have a row all the same
    attempts: Counter[int] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)


def compared(system: running.Running, seen: Seen) -> Found:
    """The rows as they are now, each beside the call that it tells of."""
    out = Found()
    marks: Counter[str] = Counter()
    for row in _ask(system, _MARKS):
        marks[row["mark"]] += 1
        out.rows += 1
        out.attempts[int(row["Attempts"] or 0)] += 1
        out.regions[row["BackendId"] or ""] += 1
    out.lost = [mark for mark in seen.answered if not marks[mark]]
    out.doubled = [mark for mark, n in marks.items() if n > 1]
    out.cut_with_row = sum(1 for mark in seen.cut if marks[mark])
    return out


def _ask(system: running.Running, query: str) -> list[dict[str, Any]]:
    answer = system.control("POST", f"/v1/workspaces/{system['workspace_id']}/query", {"query": query})
    body = answer.json()
    if not answer.ok or not isinstance(body, dict) or "error" in body:
        raise Failure(f"The query was not answered ({answer.status}): {json.dumps(body)[:300]}")
    (table,) = body["tables"]
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]
