"""Diagnostic settings that name a storage account or an event hub, as destinations for the shipper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aforo.identity.seal import Sealer
from aforo.model.deliveries_file import Destination
from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.diagnostic_setting import DIAGNOSTIC_SETTING_TYPE, categories
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.kinds.storage_account import DELTA, FOLDER
from aforo.model.secret import Secret
from aforo.snapshot.sealed import seal_value

_OF_STORAGE = ("region", "endpoint", "accessKeyId", "secretAccessKey", "accountKey")


def deliveries_of(graph: Graph, sealer: Sealer) -> list[Destination]:
    """The destinations of all services; each sealing gives other texts, so compare them by `unsealed`."""
    return [found for service in graph.of_type(SERVICE_TYPE) for found in _of_service(graph, service, sealer)]


def fingerprint(graph: Graph) -> Any:
    """What destinations are made of, to tell whether they changed."""
    return [
        (setting.id.key, setting.etag, *(r.etag for r in _named(graph, setting)), service.etag)
        for service in graph.of_type(SERVICE_TYPE)
        for setting in graph.children(service.id.key, DIAGNOSTIC_SETTING_TYPE)
    ]


def _named(graph: Graph, setting: Resource) -> Iterator[Resource]:
    for name in ("storageAccountId", "eventHubAuthorizationRuleId"):
        found = graph.get(str(setting.properties.get(name, "")))
        if found is not None:
            yield found


def _of_service(graph: Graph, service: Resource, sealer: Sealer) -> Iterator[Destination]:
    private = tuple(service.properties.get("privateEgress", ()))
    for setting in graph.children(service.id.key, DIAGNOSTIC_SETTING_TYPE):
        properties = setting.properties
        wanted = tuple(categories(setting))
        if not wanted:
            continue
        storage = graph.get(str(properties.get("storageAccountId", "")))
        if storage is not None:
            url = str(storage.properties.get("url", ""))
            delta = storage.properties.get("format") == DELTA
            place = storage.name if url == FOLDER else url
            kind = "delta" if delta else "folder" if url == FOLDER else "objects"
            options = _sealed(storage.properties, _OF_STORAGE, sealer)
            # What waits in one form is nothing for the other: they are destinations of their own.
            name = f"{setting.id.key}#{'delta' if delta else 'storage'}"
            yield Destination(name, service.id.text, wanted, kind, place, options, private)
        rule = graph.get(str(properties.get("eventHubAuthorizationRuleId", "")))
        if rule is not None:
            options = _sealed(rule.properties, ("connectionString",), sealer)
            hub = str(properties.get("eventHubName", ""))
            yield Destination(
                f"{setting.id.key}#events", service.id.text, wanted, "events", hub, options, private
            )


def _sealed(properties: Mapping[str, Any], names: tuple[str, ...], sealer: Sealer) -> dict[str, str]:
    found = {name: properties[name] for name in names if properties.get(name)}
    return {
        name: seal_value(sealer, value.reveal() if isinstance(value, Secret) else str(value))
        for name, value in found.items()
    }
