"""The external cache as a gateway gets it: that of its region, with its credentials under a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.cache import CACHE_TYPE, cache_in_use
from aforo.snapshot.snapshot import CacheEntry


def external_cache_of(graph: Graph, service: Resource, carry: Callable[[str, Any], str]) -> CacheEntry | None:
    """`carry` gives the text under which a secret travels."""
    location = str(service.body.get("location", ""))
    found = cache_in_use(graph.children(service.id.key, CACHE_TYPE), location)
    if found is None:
        return None
    return CacheEntry(found.name, carry(f"caches.{found.name}", found.properties["connectionString"]))
