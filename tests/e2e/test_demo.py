"""`aforo demo outage` as a person runs it: real regions, real workers, and what is killed is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from openai import OpenAI

from aforo.cli.outage.stage import Stage
from tests.support.system import eventually


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


def test_the_clients_with_the_key_as_bearer_go_over_to_the_next_region_too() -> None:
    with Stage(1, 30) as stage:
        key = stage.system.secret("subscription_key_file")
        client = OpenAI(base_url=f"{stage.system['gateway']}/openai/v1", api_key=key, max_retries=0)

        def asked(stream: bool = False) -> str:
            """Who answered."""
            messages = [{"role": "user", "content": "Hello!"}]
            raw = client.chat.completions.with_raw_response.create(
                model="gpt-4o", messages=messages, stream=stream
            )
            answer = raw.parse()
            if stream:
                assert "".join(c.choices[0].delta.content or "" for c in answer if c.choices)
            else:
                assert answer.choices[0].message.content
            return raw.headers["x-ms-region"]

        assert (asked(), asked(stream=True)) == ("east", "east")
        stage.kill_region("east")
        assert (asked(), asked(stream=True)) == ("west", "west")
        # What one API has met is known to the other: there is one breaker for each region.
        assert stage.open_breakers == {"east": 1}
        kql = "ApiManagementGatewayLogs | project ApiId, BackendId, Attempts, TotalTokens | order by Attempts desc"
        query = {"query": kql}
        path = f"/v1/workspaces/{stage.system['workspace_id']}/query"
        rows = eventually(
            "the rows",
            lambda: (
                r
                if len(r := stage.system.control("POST", path, query).json()["tables"][0]["rows"]) == 4
                else None
            ),
        )
        assert rows[0][:3] == ["azure-openai-v1", "west", 2]
        assert all(row[3] > 0 for row in rows)
