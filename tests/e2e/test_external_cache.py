"""An external cache in a running system: configured over REST by a named value, shared, away and back, and read by nobody."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.test_caller_tokens import put, service
from tests.support.system import System, call, eventually, running_system
from tests.support.valkey_server import ValkeyServer

POLICY = """<policies><inbound><base />
<cache-lookup-value key="CANARY-key" variable-name="v" caching-type="external" />
<choose><when condition="@(!context.Variables.ContainsKey(&quot;v&quot;))">
<cache-store-value key="CANARY-key" value="CANARY-value" duration="600" caching-type="external" /></when></choose>
<return-response><set-body>@(context.Variables.GetValueOrDefault("v", "none"))</set-body></return-response>
</inbound></policies>"""


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer("--requirepass", "CANARY-password") as running:
        yield running


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("cached")) as running:
        yield running


def test_gateways_keep_values_outside(system: System, server: ValkeyServer) -> None:
    base = service(system)
    before = system.admin("GET", f"{base}?api-version=2024-05-01").json()
    before["properties"]["privateEgress"] = [f"unix:{server.path}", f"127.0.0.1:{server.port}"]
    for name in ("gatewayUrl", "provisioningState", "targetProvisioningState", "createdAtUtc"):
        before["properties"].pop(name, None)
    asked = {n: before[n] for n in ("location", "sku", "properties", "identity") if n in before}
    assert system.admin("PUT", f"{base}?api-version=2024-05-01", asked).status in (200, 201)
    api = f"{base}/apis/cached"
    open_to_all = {"protocols": ["http", "https"], "subscriptionRequired": False}
    put(system, api, {"path": "cached", "displayName": "Cached", **open_to_all})
    told = put(system, f"{api}/policies/policy", {"format": "rawxml", "value": POLICY})
    assert told.status in (200, 201)

    def body() -> str:
        reply = call("GET", f"{system.gateway}/cached")
        assert reply.status == 200
        return reply.body.decode()

    put(system, f"{api}/operations/get", {"displayName": "Get", "method": "GET", "urlTemplate": "/"})
    assert [body(), body()] == ["none", "none"]  # the service has none yet

    secret = {"displayName": "cache", "secret": True}
    where = f"unix://:CANARY-password@{server.path}"
    put(system, f"{base}/namedValues/cache", {**secret, "value": where})
    cache = put(
        system,
        f"{base}/caches/default",
        {"connectionString": "{{cache}}", "useFromLocation": "default", "description": "of the test"},
    )
    assert b"CANARY" not in cache.body
    assert [body(), body(), body()] == ["none", "CANARY-value", "CANARY-value"]

    # It outlives the gateway, and the gateway outlives it.
    system.kill("gateway")
    eventually("the gateway is back", lambda: _status(f"{system.gateway}/livez") == 200)
    assert body() == "CANARY-value"
    server.stop()
    assert [body() for _ in range(5)] == ["none"] * 5
    server.start()
    eventually("the cache is back", lambda: body() == "CANARY-value")

    # Another way to the same server is another connection.
    put(
        system,
        f"{base}/caches/default",
        {
            "connectionString": f"127.0.0.1:{server.port},password=CANARY-password,ssl=False,abortConnect=False",
            "useFromLocation": "default",
        },
    )
    assert body() == "CANARY-value"
    refused = system.admin(
        "PUT",
        f"{base}/caches/default?api-version=2024-05-01",
        {"properties": {"connectionString": "h:1,ssl=CANARY", "useFromLocation": "default"}},
    )
    assert refused.status == 400
    assert b"'ssl' is True or False" in refused.body
    assert "CANARY" not in refused.body.decode() + system.logs(10_000)
    for file in system.data.rglob("*"):
        if file.is_file() and "spool" not in str(file):
            assert b"CANARY-password" not in file.read_bytes(), file


def _status(url: str) -> int:
    try:
        return call("GET", url).status
    except (OSError, subprocess.SubprocessError):
        return 0
