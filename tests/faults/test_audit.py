"""Audit mode: a gateway that dies in the middle of a stream leaves a row that says so, with the prompt."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.counting_client import PATH, STREAM
from tests.support.fault_lab import lab_file
from tests.support.holding_backend import HoldingBackend
from tests.support.system import eventually, running_system

ROWS = (
    "ApiManagementGatewayLogs | where Url has 'mark=' | project Aborted, ResponseCode, RequestBody,"
    " mark = substring(Url, indexof(Url, 'mark=') + 5)"
)


def test_a_killed_gateway_leaves_a_row_for_each_call_that_it_had_begun(tmp_path: Path) -> None:
    with HoldingBackend() as backend:
        config = lab_file(tmp_path, backend=f"127.0.0.1:{backend.port}", options="auditMode: true")
        with running_system(tmp_path, config=config) as system:
            address = urlsplit(system.gateway)
            assert address.hostname
            headers = {"api-key": system.key, "Content-Type": "application/json"}
            streams = []
            for number in range(3):
                connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
                connection.request("POST", f"{PATH}&mark=cut{number}", STREAM, headers)
                response = connection.getresponse()
                assert response.read(10) == b'data: {"id'
                streams.append((connection, response))
            before = system.pids("gateway")
            system.kill("gateway")
            eventually("another gateway", lambda: set(system.pids("gateway")) - set(before), within_s=30)
            # Before any other call: a begun one is settled when its gateway has started again.
            aborted = eventually(
                "the rows of the calls that were cut",
                lambda: rows if len(rows := system.query(ROWS)) == 3 else None,
                within_s=30,
            )
            for connection, _ in streams:
                connection.close()
            assert {(r["Aborted"], r["ResponseCode"]) for r in aborted} == {("gateway", None)}
            assert {r["mark"] for r in aborted} == {"cut0", "cut1", "cut2"}
            assert all(json.loads(str(r["RequestBody"]))["stream"] for r in aborted)
            backend.release.set()
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
            connection.request("POST", f"{PATH}&mark=whole", STREAM, headers)
            assert b"[DONE]" in connection.getresponse().read()
            connection.close()
            rows = eventually(
                "the row of the whole call",
                lambda: rows if len(rows := system.query(ROWS)) > 3 else None,
            )
            assert [(r["Aborted"], r["ResponseCode"]) for r in rows if r["mark"] == "whole"] == [("", 200)]
            assert len(rows) == 4
