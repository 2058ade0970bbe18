"""Diagnostic settings that deliver elsewhere: what is refused, and what the shipper is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aforo.control.build_deliveries import deliveries_of
from aforo.control.lab import lab_yaml
from aforo.control.publish import FilePublisher, IssuerFacts
from aforo.errors import Invalid
from aforo.identity.seal import Sealer
from aforo.model import deliveries_file
from aforo.model.graph import Graph
from aforo.snapshot.sealed import open_value
from tests.support.control_door import Bench

SEALER = Sealer(b"k" * 32)
PLACES = """storageAccounts:
  archive:
    url: "file:"
  bucket:
    url: s3://logs/here
    region: eu-west-1
    accessKeyId: a
    secretAccessKey: hush-of-the-bucket
namespaces:
  hubs:
    authorizationRules:
      send:
        rights: [Send]
        connectionString: Endpoint=sb://ns/;SharedAccessKeyName=s;SharedAccessKey=hush-of-the-hub
services:
"""
TO_WORKSPACE = "        workspaceId: law-activategenai\n        logAnalyticsDestinationType: Dedicated\n"


def applied(tmp_path: Path, *lines: str, workspace: bool = True) -> tuple[Bench, Graph]:
    bench = Bench(tmp_path)
    places = "".join(f"        {line}\n" for line in lines)
    if not workspace:
        places += "        logs: [{category: GatewayLogs, enabled: true}]\n"
    text = lab_yaml().replace("services:\n", PLACES, 1)
    before, _, behind = text.partition(TO_WORKSPACE)
    if workspace:
        text = before + TO_WORKSPACE + places + behind
    else:
        rest = behind.split("\n")
        while rest and rest[0].startswith("        "):
            rest.pop(0)
        text = before + places + "\n".join(rest)
    bench.apply(text)
    return bench, bench.published[-1][1]


def test_each_place_is_a_destination_with_sealed_credentials(tmp_path: Path) -> None:
    _, graph = applied(
        tmp_path, "storageAccountId: bucket", "eventHubAuthorizationRuleId: hubs/send", "eventHubName: one"
    )
    storage, events = deliveries_of(graph, SEALER)
    assert (storage.kind, storage.place, storage.categories) == (
        "objects",
        "s3://logs/here",
        ("GatewayLogs", "GatewayLlmLogs", "AllMetrics"),
    )
    assert (events.kind, events.place) == ("events", "one")
    assert "hush" not in repr((storage, events))
    assert open_value(SEALER, storage.options["secretAccessKey"]) == "hush-of-the-bucket"
    assert "hush-of-the-hub" in open_value(SEALER, events.options["connectionString"])
    assert storage.id.endswith("/diagnosticsettings/to-workspace#storage")


@pytest.mark.parametrize(("name", "place"), [("archive", "archive"), ("bucket", "s3://logs/here")])
def test_tables_are_destinations_of_their_own(tmp_path: Path, name: str, place: str) -> None:
    bench, graph = applied(tmp_path, f"storageAccountId: {name}")
    (before,) = deliveries_of(graph, SEALER)
    stored = next(r for r in graph.of_type("Microsoft.Storage/storageAccounts") if r.name == name)
    properties = {**stored.properties, "format": "delta"}
    bench.door.put(stored.id.text, {"location": "local", "properties": properties})
    (after,) = deliveries_of(bench.published[-1][1], SEALER)
    assert (after.kind, after.place) == ("delta", place)
    assert after.id != before.id


def test_metrics_without_a_workspace_are_counted_all_the_same(tmp_path: Path) -> None:
    bench, _ = applied(tmp_path)
    bench.door.put(
        bench.id("providers/Microsoft.Insights/diagnosticSettings", "to-workspace"),
        {
            "properties": {
                "storageAccountId": "archive",
                "metrics": [{"category": "AllMetrics", "enabled": True}],
            }
        },
    )
    bundle, graph = bench.published[-1]
    assert bundle.workspaces == {"AllMetrics": []}
    (folder,) = deliveries_of(graph, SEALER)
    assert folder.categories == ("AllMetrics",)


def test_a_setting_without_a_workspace_writes_no_rows_and_is_recorded_all_the_same(tmp_path: Path) -> None:
    bench, graph = applied(tmp_path, "storageAccountId: archive", workspace=False)
    bundle = bench.published[-1][0]
    assert bundle.workspaces == {"GatewayLogs": []}
    assert bundle.apis[0].log.gateway_log
    (folder,) = deliveries_of(graph, SEALER)
    assert (folder.kind, folder.place) == ("folder", "archive")


@pytest.mark.parametrize(
    ("properties", "what"),
    [
        ({"logs": []}, "'workspaceId' is needed, or one of"),
        ({"eventHubName": "h", "workspaceId": "law-activategenai"}, "eventHubAuthorizationRuleId"),
        ({"storageAccountId": "nobody"}, "nobody"),
    ],
)
def test_what_cannot_be_delivered_is_refused(tmp_path: Path, properties: dict[str, Any], what: str) -> None:
    bench, _ = applied(tmp_path)
    with pytest.raises(Invalid, match=what):
        bench.door.put(
            bench.id("providers/Microsoft.Insights/diagnosticSettings", "more"), {"properties": properties}
        )


@pytest.mark.parametrize(
    ("properties", "what"),
    [
        ({"url": "file:///etc"}, "url"),
        ({"url": "s3://b", "accessKeyId": "a"}, "belong together"),
        ({"url": "https://x.blob.core.windows.net"}, "accountKey"),
        ({"url": "file:", "accessKeyId": "a", "secretAccessKey": "b"}, "only a bucket"),
    ],
)
def test_storage_that_could_not_be_written_to_is_refused(
    tmp_path: Path, properties: dict[str, Any], what: str
) -> None:
    bench, graph = applied(tmp_path)
    archive = next(r for r in graph.of_type("Microsoft.Storage/storageAccounts") if r.name == "archive")
    with pytest.raises(Invalid, match=what):
        bench.door.put(archive.id.text, {"location": "local", "properties": properties})


def test_a_published_destination_keeps_the_time_from_which_it_counts(tmp_path: Path) -> None:
    bench, _ = applied(tmp_path, "storageAccountId: archive")
    issuer = IssuerFacts("tenant", (), {"keys": []})
    file = tmp_path / "snapshots" / deliveries_file.FILE
    times = []
    for _ in range(2):
        FilePublisher(tmp_path / "snapshots", b"k" * 32, issuer, SEALER)(*bench.published[-1])
        (found,) = deliveries_file.load(file)
        times.append(found.since_ns)
    assert times[0] == times[1] > 0
    assert file.stat().st_mode & 0o077 == 0
