"""From the end of a response to its row in a query, at rising rates of calls."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from bench.load import BODY, PATH, Load, run
from bench.system import Measured
from tests.support.system import call

LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Visible:
    """What probes saw while a load ran. Seconds from the last byte of a response to the answer with its row."""

    wanted_rate: float
    load: Load
    probes: tuple[float, ...]

    @property
    def worst_s(self) -> float:
        return max(self.probes)

    @property
    def median_s(self) -> float:
        return sorted(self.probes)[len(self.probes) // 2]


def measure(folder: Path, measured: Measured, rate: float, seconds: float) -> Visible:
    """Runs a paced load and, beside it, one probe after the other: a marked call, then queries until it is seen."""
    loads: list[Load] = []
    key = measured.system.key
    worker = threading.Thread(
        target=lambda: loads.append(run(folder, measured.port, seconds, key=key, rate=rate))
    )
    worker.start()
    # The first second only fills the pipeline: a probe in it would see an idle system.
    worker.join(1.0)
    probes = []
    while worker.is_alive() or not probes:
        probes.append(probe(measured))
    worker.join()
    return Visible(rate, loads[0], tuple(probes))


def probe(measured: Measured, timeout_s: float = 60.0) -> float:
    """Seconds from the end of one response until a query answers with its row. The query's own time is included."""
    mark = f"m{uuid.uuid4().hex[1:]}"  # not of a key's form, which a record would not show
    url = f"{measured.system.gateway}{PATH}&probe={mark}"
    reply = call(
        "POST",
        url,
        body=BODY.encode(),
        headers={"api-key": measured.system.key, "Content-Type": "application/json"},
    )
    ended = time.monotonic()
    if reply.status != 200:
        raise RuntimeError(f"the probe was answered {reply.status}: {reply.body[:200]!r}")
    while not measured.system.query(
        f"ApiManagementGatewayLogs | where Url contains '{mark}' | project TimeGenerated | take 1"
    ):
        if time.monotonic() - ended > timeout_s:
            raise RuntimeError(f"the row of a probe was not visible within {timeout_s} s")
        time.sleep(0.01)
    return time.monotonic() - ended
