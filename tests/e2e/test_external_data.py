"""Files outside in a running system: refused, allowed by the workspace, asked about with `aforo query`, audited."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.e2e.test_kql_editing import ask
from tests.support.log_clients import service, workspace
from tests.support.serving import serving
from tests.support.system import System, eventually

_SET_BY_US = (
    "provisioningState",
    "customerId",
    "gatewayUrl",
    "targetProvisioningState",
    "createdAtUtc",
    "workspaceCapping",
)


async def _users(request: Request) -> Response:
    if request.query_params.get("sig") != "CANARY":
        return PlainTextResponse("signature CANARY is wanted", 403)
    return PlainTextResponse("name,team\nann,red\nbob,blue\n")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(Starlette(routes=[Route("/lists/users.csv", _users)])) as url:
        yield url


def told(lab: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aforo", "query", *arguments, "--data", str(lab.data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def change(lab: System, path: str, **properties: Any) -> None:
    """The resource with these properties, and whatever else it has."""
    found = lab.admin("GET", f"{path}?api-version=2024-05-01").json()
    kept = {n: v for n, v in found["properties"].items() if n not in _SET_BY_US}
    body = {n: found[n] for n in ("location", "sku", "identity", "tags") if found.get(n)}
    reply = lab.admin("PUT", f"{path}?api-version=2024-05-01", {**body, "properties": kept | properties})
    assert reply.status in (200, 201), reply.body


def test_a_list_outside_is_read_where_the_workspace_lists_it(lab: System, server: str) -> None:
    query = (
        f"externaldata(name:string, team:string)['{server}/lists/users.csv' h'?sv=1&sig=CANARY'] "
        "with (format='csv', ignoreFirstRecord=true) | where team == 'red' | project name"
    )
    refused = told(lab, query)
    assert refused.returncode != 0
    assert "externalData" in refused.stderr
    assert "law-activategenai" in refused.stderr
    assert "CANARY" not in refused.stderr
    _, found = ask(lab, "diagnose", {"query": query})
    assert [d["severity"] for d in found["diagnostics"]] == ["error"]

    bad = lab.admin(
        "PUT", f"{workspace(lab)}?api-version=2022-10-01", {"properties": {"externalData": ["ftp://x/"]}}
    )
    assert bad.status == 400
    assert b"only https addresses" in bad.body

    change(lab, workspace(lab), externalData=[f"{server}/lists/"])
    private = told(lab, query)
    assert private.returncode != 0
    assert "privateEgress" in private.stderr

    change(lab, service(lab), privateEgress=[server.removeprefix("http://")])
    done = told(lab, query, "--format", "csv")
    assert (done.returncode, done.stdout.split()) == (0, ["name", "ann"]), done.stderr
    assert lab.query(query) == [{"name": "ann"}]
    _, found = ask(lab, "diagnose", {"query": query})
    assert found["diagnostics"] == []
    assert found["columns"] == [{"name": "name", "type": "string"}]
    wrong = told(lab, query.replace("=CANARY", "=ELSE"))
    assert wrong.returncode != 0
    assert "answers with 403" in wrong.stderr
    assert "CANARY" not in wrong.stderr

    kept = eventually(
        "the audit rows",
        lambda: (r := lab.query("LAQueryLogs | where QueryText startswith 'externaldata(name'"))[4:] and r,
    )
    assert all("sig=" not in row["QueryText"] for row in kept)
    assert lab.query("LAQueryLogs | where QueryText has 'CANARY'") == []
    assert "CANARY" not in lab.logs(2000)
    change(lab, workspace(lab), externalData=[])
    assert told(lab, query).returncode != 0
