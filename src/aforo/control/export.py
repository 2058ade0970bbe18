"""The state written back as an `aforo.yaml` with the texts of policies beside it: what `apply` takes again.

Secrets are left out unless they are asked for; what was generated or is a default is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from aforo.control.openapi import CARRIED, SCHEMA_ID, carried, read_description
from aforo.control.secrets import revealed, without_secrets
from aforo.model.catalog import KINDS, children_of
from aforo.model.graph import Graph
from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId
from aforo.model.kind import Property, Resource, Type
from aforo.model.kinds.account import ACCOUNT_TYPE
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.application import APPLICATION_TYPE
from aforo.model.kinds.operation import OPERATION
from aforo.model.kinds.role_assignment import ROLE_ASSIGNMENT_TYPE, ROLE_DEFINITION_TYPE
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.roles import role_named

FILE = "aforo.yaml"
_FAMILIES = ((SERVICE_TYPE, "services"), (ACCOUNT_TYPE, "accounts"), (APPLICATION_TYPE, "applications"))


def export_files(graph: Graph, *, secrets: bool = False) -> dict[str, str]:
    """Relative path to text. With several resource groups, each is a folder of its own."""
    groups = list(graph.of_type(RESOURCE_GROUP_TYPE))
    files: dict[str, str] = {}
    for group in groups:
        prefix = f"{group.name}/" if len(groups) > 1 else ""
        writer = _Writer(graph, group, secrets)
        document = writer.document()
        head = f"# Exported by aforo{'' if secrets else ', without secrets'}; `aforo apply` takes it again.\n"
        files[prefix + FILE] = head + yaml.dump(
            document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
        )
        files.update({prefix + name: text for name, text in writer.texts.items()})
    return files


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks."""


def _block(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # A block cannot hold every text: trailing blanks and odd characters need quotes.
    style = (
        "|"
        if "\n" in value and not re.search(r"[ \t]+(\n|$)|[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]", value)
        else None
    )
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _block)


class _Writer:
    def __init__(self, graph: Graph, group: Resource, secrets: bool) -> None:
        self.graph = graph
        self.group = group
        self.secrets = secrets
        self.texts: dict[str, str] = {}
        self.principals = dict(self._principals())

    def document(self) -> dict[str, Any]:
        out: dict[str, Any] = {"resourceGroup": self.group.name}
        for name in ("location", "tags"):
            if name in self.group.body:
                out[name] = self.group.body[name]
        out.update(self.children(self.group))
        return out

    def children(self, parent: Resource) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for kind in sorted(children_of(parent.kind.type), key=KINDS.index):
            found = [r for r in self.graph.children(parent.id.key, kind.type) if self.belongs(r)]
            if not found:
                continue
            if kind.singleton:
                out[kind.key] = self.policy(found[0])
            elif kind.link:
                out[kind.key] = [r.name for r in found]
            else:
                out[kind.key] = {r.name: self.resource(r) or None for r in found}
        return out

    def belongs(self, resource: Resource) -> bool:
        """What comes into being by itself is not written, unless its secrets are asked for."""
        return resource.origin != "system" or (self.secrets and resource.kind.name == "subscription")

    def resource(self, resource: Resource) -> dict[str, Any]:
        kind = resource.kind
        body = revealed(resource.body) if self.secrets else without_secrets(resource.body)
        out = self.fields(kind.envelope, {k: v for k, v in body.items() if k != "properties"}, resource)
        if out.get("location") == self.group.body.get("location"):
            out.pop("location", None)
        out.update(self.fields(kind.properties, body.get("properties", {}), resource))
        inner = self.children(resource)
        if kind.type == API_TYPE:
            name = self.imported(resource)
            if name is not None:
                out["import"] = f"carried:{name}"
                inner = self.without_imported(inner, name)
        out.update(inner)
        return out

    def fields(
        self, declared: tuple[Property, ...], body: Mapping[str, Any], resource: Resource
    ) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for prop in declared:
            value = body.get(prop.name)
            default = list(prop.default) if isinstance(prop.default, tuple) else prop.default
            if prop.readonly or value is None or (value == default and not prop.required):
                continue
            if prop.type is Type.RECORD and isinstance(value, Mapping):
                value = self.fields(prop.properties, value, resource)
                if not value and not prop.required:
                    continue
            elif prop.type is Type.LIST and prop.item is not None and prop.item.type is Type.RECORD:
                value = [self.fields(prop.item.properties, entry, resource) for entry in value]
            elif prop.refers is not None:
                value = self.reference(prop, str(value), resource.id)
            elif resource.kind.type == ROLE_ASSIGNMENT_TYPE and prop.name == "principalId":
                value = self.principals.get(str(value), value)
            out[prop.name] = value
        return out

    def policy(self, policy: Resource) -> Any:
        value = policy.properties.get("value")
        if policy.properties.get("format") == "rawxml":
            return value
        return {"format": policy.properties.get("format"), "value": value}

    def reference(self, prop: Property, value: str, owner: ResourceId) -> str:
        """The shortest form that `apply` resolves to the same id."""
        assert prop.refers is not None
        if prop.refers.types == (ROLE_DEFINITION_TYPE,):
            role = role_named(value.rpartition("/")[2])
            return role.name if role is not None else value
        service = owner.ancestor(SERVICE_TYPE)
        if service is not None and value.lower().startswith(f"{service.key}/"):
            return value[len(service.text) :]
        if service is not None and value.lower() == service.key:
            return "/"
        prefix = f"{self.group.id.key}/providers/{prop.refers.types[0]}/".lower()
        if value.lower().startswith(prefix) and "/" not in value[len(prefix) :]:
            return value[len(prefix) :]
        return value

    def imported(self, api: Resource) -> str | None:
        """The carried description of which this API has every operation, so that one line says most of it."""
        mine = {r.name: r.properties for r in self.graph.children(api.id.key, OPERATION.type)}
        for name in CARRIED:
            operations = read_description(carried(name), name).operations
            if all(key in mine and _can_say(mine[key], body) for key, body in operations.items()):
                return name
        return None

    def without_imported(self, inner: dict[str, Any], name: str) -> dict[str, Any]:
        description = read_description(carried(name), name)
        left: dict[str, Any] = {}
        for key, body in inner.get("operations", {}).items():
            known = description.operations.get(key)
            if known is None:
                left[key] = body
                continue
            own = {f: v for f, v in (body or {}).items() if known.get(f) != v}
            if own:
                left[key] = own
        out = {k: v for k, v in inner.items() if k != "operations"}
        schemas = {k: v for k, v in out.pop("schemas", {}).items() if k != SCHEMA_ID}
        if schemas:
            out["schemas"] = schemas
        if left:
            out["operations"] = left
        return out

    def _principals(self) -> Iterator[tuple[str, str]]:
        for full_type, family in _FAMILIES:
            for resource in self.graph.children(self.group.id.key, full_type):
                principal = resource.body.get("identity", {}).get("principalId") or resource.properties.get(
                    "principalId"
                )
                if principal is not None:
                    yield str(principal), f"${{{family}.{resource.name}.principalId}}"


def _can_say(operation: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether the operation is the described one, perhaps with other values, but with nothing taken away."""
    return all(name in operation for name in known) and all(
        operation[name] == known[name] for name in ("method", "urlTemplate")
    )
