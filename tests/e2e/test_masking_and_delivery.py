"""A whole system that masks and delivers: nothing that is to be masked is on its disk, and a folder has the records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from deltalake import DeltaTable, QueryBuilder

from tests.support.system import System, call, eventually, running_system

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
CANARIES = ("canary.one@example.com", "4111 1111 1111 1111", "swordfish-canary", "canary-user")


def put(system: System, path: str, properties: dict[str, object], **envelope: object) -> None:
    made = system.admin("PUT", path, {"properties": properties, **envelope})
    assert made.status in (200, 201), made.body


def configure(system: System) -> None:
    group = f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
    service = f"{group}/providers/Microsoft.ApiManagement/service/{system['service']}"
    storage = f"{group}/providers/Microsoft.Storage/storageAccounts/archive"
    put(system, f"{storage}?api-version=2023-05-01", {"url": "file:"}, location="local")
    kept = {"headers": ["x-who"], "body": {"bytes": 8192}}
    put(
        system,
        f"{service}/diagnostics/azuremonitor?api-version=2024-05-01",
        {
            "loggerId": f"{service}/loggers/azuremonitor",
            "frontend": {"request": kept, "response": kept},
            "backend": {"request": kept, "response": kept},
            "largeLanguageModel": {
                "logs": "enabled",
                "requests": {"messages": "all"},
                "responses": {"messages": "all"},
            },
            "dataMasking": {
                "headers": [{"value": "x-who", "mode": "Hash"}],
                "queryParams": [{"value": "pass", "mode": "Mask"}],
                "fields": [{"value": "$.user", "mode": "Hash"}],
                "detectors": [
                    {"value": each, "mode": "Mask"} for each in ("email", "card", "phone", "iban", "key")
                ],
            },
        },
    )
    setting = f"{service}/providers/Microsoft.Insights/diagnosticSettings/archive"
    logs = [{"category": "GatewayLogs", "enabled": True}, {"category": "GatewayLlmLogs", "enabled": True}]
    put(system, f"{setting}?api-version=2021-05-01-preview", {"storageAccountId": storage, "logs": logs})
    # And into a table, as a setting of its own.
    tables = storage.replace("archive", "tables")
    put(system, f"{tables}?api-version=2023-05-01", {"url": "file:", "format": "delta"}, location="local")
    setting = setting.replace("archive", "tables")
    put(system, f"{setting}?api-version=2021-05-01-preview", {"storageAccountId": tables, "logs": logs})


def ask(system: System, *, stream: bool) -> None:
    mail, card, secret, user = CANARIES
    body = {"messages": [{"role": "user", "content": f"I am {mail}, {card}"}], "user": user, "stream": stream}
    reply = call(
        "POST",
        f"{system.gateway}{CHAT}&pass={secret}&mail={mail}",
        body=body,
        headers={"api-key": system.key, "x-who": user},
    )
    assert reply.status == 200, reply.body


def files(root: Path) -> list[Path]:
    return [p for p in root.rglob("*") if p.is_file() and not p.is_symlink()]


def test_no_canary_on_the_disk_and_each_call_in_the_folder(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        configure(system)
        for number in range(4):
            ask(system, stream=number % 2 == 1)

        def delivered() -> list[dict[str, object]] | None:
            found = []
            for path in (system.data / "exports" / "archive").rglob("PT1H.json"):
                if "gatewaylogs" in str(path):
                    found += [json.loads(line) for line in path.read_text().splitlines()]
            return found if len(found) >= 4 else None

        records = eventually("the records are delivered", delivered, within_s=15)
        assert len(records) == 4
        rows = eventually(
            "the rows are there",
            lambda: (
                r
                if len(
                    r := system.query(
                        "ApiManagementGatewayLogs | project CorrelationId, Url, RequestHeaders, RequestBody"
                    )
                )
                >= 4
                else None
            ),
        )
        assert {r["correlationId"] for r in records} == {r["CorrelationId"] for r in rows}
        stored = [
            system.query(f"{table} | take 100")
            for table in ("ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog")
        ]
        assert all(len(each) >= 4 for each in stored)
        assert not [canary for canary in CANARIES if canary in repr(stored)]
        hashes = {json.loads(row["RequestBody"])["user"] for row in rows}
        hashes |= {
            (json.loads(h) if isinstance(h := row["RequestHeaders"], str) else h)["x-who"] for row in rows
        }
        assert len(hashes) == 1  # the same person, in a header and in a body, in every row
        assert hashes.pop().startswith("hash:")
        assert all("pass=*****" in row["Url"] for row in rows)
        said = subprocess.run(
            [sys.executable, "-m", "aforo", "status", "--format", "json", "--data", str(system.data)],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        told = {d["place"]: d for d in json.loads(said.stdout)["deliveries"]}
        assert {name: d["kind"] for name, d in told.items()} == {"archive": "folder", "tables": "delta"}
        delivery = told["archive"]
        assert delivery["records"] >= 4
        assert delivery["error"] == ""
        assert system.stop() == 0
        # A table gets what is there once a minute, and at the end.
        table = system.data / "exports" / "tables" / "insights-logs-gatewaylogs" / "ApiManagementGatewayLogs"
        found = QueryBuilder().register("t", DeltaTable(table)).execute("select * from t").read_all()
        delivered_rows = found.to_struct_array().to_pylist()
        assert {r["CorrelationId"] for r in delivered_rows} == {r["CorrelationId"] for r in rows}
        contents = {path: path.read_bytes() for path in files(system.data)}
        assert len(contents) > 20
        for canary in CANARIES:
            for form in (canary, canary.replace("@", "%40"), canary.replace(" ", "")):
                assert [p for p, data in contents.items() if form.encode() in data] == []
