"""`aforo demo outage` as a person runs it: real regions, real workers, and what is killed is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_an_outage_costs_no_call_and_no_row(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aforo", "demo", "outage", "--seconds", "6", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert (said["failed"], said["rowsLost"], said["rowsDoubled"]) == (0, 0, 0), said
    assert said["calls"] > 100
    assert said["rows"] == said["answered"] + said["rowsOfCutCalls"]
    # Both regions answered, and some calls went to the second one within the same call.
    assert said["rowsByRegion"]["east"] > 0
    assert said["rowsByRegion"]["west"] > 0
    assert int(said["rowsByAttempts"]["2"]) > 0
    happened = [event["what"].split(" (")[0] for event in said["events"]]
    assert happened == [
        "region east is killed",
        "gateway-0 is killed",
        "gateway-0 is back",
        "region east is started again",
        "region east gets calls again",
        "load ends",
    ]
    # Nothing is left of it.
    assert list(tmp_path.iterdir()) == []
