"""A stored configuration that this version refuses: the system starts all the same, says what it is, and is mended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from aforo.control.store import Revision, Row, Store, sqlite_url
from aforo.settings import Layout
from aforo.snapshot import bundle_file
from tests.support.system import System, call, eventually, running_system

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
BODY = {"messages": [{"role": "user", "content": "Hello!"}]}


def aforo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aforo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
    )


def chat(system: System) -> int:
    return call("POST", system.gateway + CHAT, body=BODY, headers={"api-key": system.key}).status


def break_stored_policy(data: Path) -> None:
    """What an upgrade would find that knows an element no longer."""
    store = Store(sqlite_url(Layout(data).store))
    revision, rows = store.load()
    (row,) = (r for r in rows if r.id_key.endswith("/apis/azure-openai/policies/policy"))
    body = orjson.loads(row.body)
    body["properties"]["value"] = body["properties"]["value"].replace("<set-header", "<set-heather", 1)
    assert "<set-heather" in body["properties"]["value"]
    broken = Row(row.id_key, row.id, row.etag, row.origin, orjson.dumps(body))
    store.write(Revision(revision + 1, 0, "test", "break it"), [broken], [])
    store.close()


def refuses(system: System) -> None:
    """All that can be called is up, and says why it serves nothing."""
    refused = call("POST", system.gateway + CHAT, body=BODY, headers={"api-key": system.key})
    assert refused.status == 503
    answer = refused.json()
    assert (answer["statusCode"], set(answer)) == (503, {"statusCode", "message"})
    assert "does not compile" in answer["message"]
    assert refused.headers["content-type"] == "application/json"
    assert refused.headers["retry-after"] == "5"
    assert call("GET", system.gateway + "/livez").status == 200
    assert call("GET", system.gateway + "/readyz").status == 503


@pytest.mark.parametrize("last_good", [True, False], ids=["last-good-snapshot", "no-good-snapshot"])
def test_what_no_longer_compiles_is_told_and_mended(tmp_path: Path, last_good: bool) -> None:
    file = tmp_path / "aforo.yaml"
    assert aforo("init", str(file)).returncode == 0
    with running_system(tmp_path, workers=2) as system:
        assert chat(system) == 200
        assert system.stop() == 0
        break_stored_policy(system.data)
        if not last_good:
            # An upgrade that refuses the policy refuses it in the last snapshot too.
            for name in (bundle_file.CURRENT, bundle_file.LAST_GOOD):
                (Layout(system.data).snapshots / name).unlink()
        system.start()

        if last_good:
            assert chat(system) == 200
        else:
            refuses(system)
        said = eventually(
            "what does not compile", lambda: text if "set-heather" in (text := system.said()) else None
        )
        assert "apis/azure-openai/policy.xml:" in said
        assert "aforo apply" in said

        # A change that leaves it broken is refused, with the place; one that mends it is in force when it is answered.
        group = (
            f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
            f"/providers/Microsoft.ApiManagement/service/{system['service']}/groups/g?api-version=2024-05-01"
        )
        other = system.admin("PUT", group, {"properties": {"displayName": "G"}})
        assert other.status == 400
        assert b"set-heather" in other.body
        mended = aforo("apply", str(file), "--data", str(system.data))
        assert mended.returncode == 0, mended.stdout + mended.stderr
        assert {chat(system) for _ in range(8)} == {200}
        assert call("GET", system.gateway + "/readyz").status == 200

        if not last_good:
            # The refused call has its row as well.
            kql = "ApiManagementGatewayLogs | where ResponseCode == 503 and OperationId == 'any-post' | count"
            eventually("the row of the refused call", lambda: system.query(kql)[0]["Count"] == 1)

        # As on every start: what is stored serves.
        assert system.stop() == 0
        system.start()
        assert chat(system) == 200
