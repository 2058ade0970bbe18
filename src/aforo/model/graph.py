"""The resource graph: immutable, with cheap copies on write. It knows no file, no HTTP and no clock.

Resources lie in collections (parent, type); a draft copies only the collections, aliases and reference shards
that it touches, so that one change among 100,000 subscriptions costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from aforo.model.ids import BadId, parse_id
from aforo.model.kind import Kind, Property, Resource

Collection = dict[str, Resource]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Reference:
    """`source` names `target` (a key, or the token of a mention) at `path`. A soft one may dangle."""

    target: str
    path: tuple[str | int, ...]
    on_delete: str
    soft: bool = False
    what: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """All resources. Look up by lower-case id (`ResourceId.key`)."""

    _collections: Mapping[tuple[str, str], Collection] = field(default_factory=dict)
    # type of the resource -> alias token -> key of its bearer; several only while a draft is being made
    _aliases: Mapping[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    # type of the referring resource -> target -> keys of the referring ones
    _referrers: Mapping[str, dict[str, dict[str, None]]] = field(default_factory=dict)

    def get(self, key: str) -> Resource | None:
        """The resource of that id, in whatever case."""
        try:
            rid = parse_id(key)
        except BadId:
            return None
        return self._collections.get((rid.parent_key, rid.type_key), {}).get(rid.key)

    def children(self, parent_key: str, full_type: str) -> Iterable[Resource]:
        """The resources of one collection, in order of creation."""
        return self._collections.get((parent_key.lower(), full_type.lower()), {}).values()

    def descendants(self, key: str) -> Iterator[Resource]:
        """Everything below a resource, parents first."""
        key = key.lower()
        for (parent, _), collection in self._collections.items():
            if parent == key:
                for resource in collection.values():
                    yield resource
                    yield from self.descendants(resource.id.key)

    def of_type(self, full_type: str) -> Iterator[Resource]:
        """Every resource of a type, wherever it lies."""
        wanted = full_type.lower()
        for (_, type_key), collection in self._collections.items():
            if type_key == wanted:
                yield from collection.values()

    def collection(self, parent_key: str, full_type: str) -> Mapping[str, Resource]:
        """A collection by key; the same object as long as nothing in it changed."""
        return self._collections.get((parent_key.lower(), full_type.lower()), {})

    def referrers(self, target: str) -> list[Resource]:
        """Who names this key or token."""
        found: list[Resource] = []
        for shard in self._referrers.values():
            found.extend(r for key in shard.get(target.lower(), ()) if (r := self.get(key)) is not None)
        return found

    def bearer(self, full_type: str, alias: str) -> Resource | None:
        """The resource of a type that answers to an alias."""
        keys = self._aliases.get(full_type.lower(), {}).get(alias)
        return self.get(keys[0]) if keys else None

    def bearers(self, full_type: str, alias: str) -> tuple[str, ...]:
        """The keys of all that answer to an alias: more than one is a clash."""
        return self._aliases.get(full_type.lower(), {}).get(alias, ())

    def __iter__(self) -> Iterator[Resource]:
        for collection in self._collections.values():
            yield from collection.values()

    def __len__(self) -> int:
        return sum(len(c) for c in self._collections.values())

    def draft(self) -> Draft:
        return Draft(self)

    def same_content(self, other: Graph) -> bool:
        """Whether both hold the same resources with the same bodies; ETags and origins do not count."""
        return {r.id.key: r.body for r in self} == {r.id.key: r.body for r in other}


class Draft:
    """A graph being changed: `put` and `remove`, then `graph()`. It may be read at any time."""

    def __init__(self, base: Graph) -> None:
        self._collections = dict(base._collections)
        self._aliases = dict(base._aliases)
        self._referrers = dict(base._referrers)
        self._own: set[tuple[str, object]] = set()
        self.changed: dict[str, Resource | None] = {}
        self.base = base
        self._view = Graph(self._collections, self._aliases, self._referrers)

    def get(self, key: str) -> Resource | None:
        return self._view.get(key)

    def children(self, parent_key: str, full_type: str) -> Iterable[Resource]:
        return self._view.children(parent_key, full_type)

    def descendants(self, key: str) -> list[Resource]:
        return list(self._view.descendants(key))

    def referrers(self, target: str) -> list[Resource]:
        return self._view.referrers(target)

    def bearer(self, full_type: str, alias: str) -> Resource | None:
        return self._view.bearer(full_type, alias)

    def bearers(self, full_type: str, alias: str) -> tuple[str, ...]:
        return self._view.bearers(full_type, alias)

    def put(self, resource: Resource) -> None:
        """Create or replace. Whether an alias has two bearers is a question for the end, when all is put."""
        place = (resource.id.parent_key, resource.id.type_key)
        collection = self._writable(self._collections, place, "collection")
        old = collection.get(resource.id.key)
        if old is not None:
            self._unindex(old)
        collection[resource.id.key] = resource
        aliases = list(resource.kind.aliases(resource))
        if aliases:
            shard = self._writable(self._aliases, resource.id.type_key, "alias")
            for alias in aliases:
                shard[alias] = (*shard.get(alias, ()), resource.id.key)
        references = references_of(resource)
        if references:
            targets = self._writable(self._referrers, resource.id.type_key, "referrer")
            for reference in references:
                self._sources(targets, resource.id.type_key, reference.target)[resource.id.key] = None
        self.changed[resource.id.key] = resource

    def remove(self, key: str) -> None:
        """Take out one resource; its children stay (the caller removes them)."""
        resource = self.get(key)
        if resource is None:
            return
        self._unindex(resource)
        place = (resource.id.parent_key, resource.id.type_key)
        collection = self._writable(self._collections, place, "collection")
        del collection[resource.id.key]
        if not collection:
            del self._collections[place]
            self._own.discard(("collection", place))
        self.changed[resource.id.key] = None

    def graph(self) -> Graph:
        """The changed graph; the draft must not be used afterwards."""
        return Graph(self._collections, self._aliases, self._referrers)

    def _unindex(self, resource: Resource) -> None:
        aliases = list(resource.kind.aliases(resource))
        if aliases:
            shard = self._writable(self._aliases, resource.id.type_key, "alias")
            for alias in aliases:
                left = tuple(key for key in shard.get(alias, ()) if key != resource.id.key)
                if left:
                    shard[alias] = left
                else:
                    shard.pop(alias, None)
        references = references_of(resource)
        if references:
            targets = self._writable(self._referrers, resource.id.type_key, "referrer")
            for reference in references:
                sources = self._sources(targets, resource.id.type_key, reference.target)
                sources.pop(resource.id.key, None)

    def _writable(self, maps: dict[K, dict[str, V]], at: K, name: str) -> dict[str, V]:
        """The inner map at `at`, copied once per draft before it is written."""
        if (name, at) not in self._own:
            maps[at] = dict(maps.get(at, {}))
            self._own.add((name, at))
        return maps[at]

    def _sources(self, targets: dict[str, dict[str, None]], shard: str, target: str) -> dict[str, None]:
        target = target.lower()
        if ("sources", (shard, target)) not in self._own:
            targets[target] = dict(targets.get(target, {}))
            self._own.add(("sources", (shard, target)))
        return targets[target]


def references_of(resource: Resource) -> list[Reference]:
    """Every reference that a resource makes: declared properties, its link name, names in its texts."""
    found: list[Reference] = []
    if resource.kind.link:
        container = resource.id.parent.rpartition("/")[0].rpartition("/")[0]
        target = f"{container}/{resource.kind.link.rpartition('/')[2]}/{resource.id.name}"
        found.append(Reference(target.lower(), (), "cascade"))
    for plan, path in _plans(resource.kind):
        _follow(plan, path, resource.body, (), found)
    found.extend(
        Reference(mention.token.lower(), (), "refuse", True, mention.what)
        for mention in resource.kind.mentions(resource)
    )
    return found


@lru_cache(maxsize=256)
def _plans(kind: Kind) -> list[tuple[Property, tuple[str, ...]]]:
    """The properties of a kind that hold references, each with the way to it; worked out once per kind."""
    plans: list[tuple[Property, tuple[str, ...]]] = []
    for prop in kind.properties:
        _collect(prop, ("properties", prop.name), plans)
    return plans


def _collect(prop: Property, path: tuple[str, ...], into: list[tuple[Property, tuple[str, ...]]]) -> None:
    if prop.refers is not None:
        into.append((prop, path))
    for inner in prop.properties:
        _collect(inner, (*path, inner.name), into)
    if prop.item is not None:
        _collect(prop.item, (*path, "[]"), into)


def _follow(
    prop: Property, way: tuple[str, ...], value: Any, path: tuple[str | int, ...], found: list[Reference]
) -> None:
    for position, step in enumerate(way):
        if step == "[]":
            pairs = enumerate(value) if isinstance(value, list) else ()
            for index, entry in pairs:
                _follow(prop, way[position + 1 :], entry, (*path, index), found)
            return
        if not isinstance(value, Mapping) or step not in value:
            return
        value = value[step]
        path = (*path, step)
    assert prop.refers is not None
    if isinstance(value, str) and value:
        whole = any(value.lower().endswith(f"/{c}") for c in prop.refers.collections)
        if not whole:
            found.append(Reference(value.lower(), path, prop.refers.on_delete, prop.refers.foreign))
