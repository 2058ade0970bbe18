"""Desired state out of an `aforo.yaml`: resources with the place of each property. It changes nothing itself.

The file nests as the resources do; property names are ARM's, without their `properties` level. Beyond ARM there
are three short forms: `policy: <text>`, `import: <API description>`, and `{file: path}`, `{env: NAME}` or (of policy
fragments that the product carries) `{carried: NAME}` wherever a text may stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from aforo.control.carried_fragments import carried_fragment
from aforo.control.desired import DesiredState, Mistake, Place, TextPlace, Wanted
from aforo.control.openapi import SCHEMA_ID, Description, Fetch, carried, fetch_text, read_description
from aforo.control.yaml_tree import Node, Tree, read_tree, text_place
from aforo.errors import Invalid, NotFound, Refusal
from aforo.model.catalog import children_of
from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId, parse_id
from aforo.model.kind import Kind
from aforo.model.kind import Path as PropertyPath
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.operation import OPERATION
from aforo.model.kinds.resource_group import RESOURCE_GROUP
from aforo.model.kinds.role_assignment import ROLE_ASSIGNMENT_TYPE
from aforo.model.kinds.schema import API_SCHEMA, imported_schema
from aforo.model.unknown import unknown
from aforo.source import Source, Span

NAMES = ("aforo.yaml", "aforo.yml")
_ENV = "env:"  # how a value of the environment is named among the files
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_FILE_REFERENCE = re.compile(r"(?m)(?:\bfile:\s*|import:\s*file:)[\"']?([^\"'#{},\s]+)")
ReadFile = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Resolve:
    """What reading a desired state needs from outside: ids of the installation, derived GUIDs, the network.

    `environment` answers `{env: NAME}` in files that this process reads itself; the command line sends such
    values along, so that nobody can ask for the environment of the control plane.
    """

    subscription_id: str
    guid: Callable[..., str]
    fetch: Fetch | None = None
    environment: Mapping[str, str] | None = None


async def read_desired(path: Path, resolve: Resolve) -> DesiredState:
    """The desired state in a file, or in a folder that has an `aforo.yaml`. Mistakes are in the answer."""
    root, name = _find(path)

    def read(relative: str) -> str:
        if relative.startswith(_ENV):
            value = (resolve.environment or {}).get(relative.removeprefix(_ENV))
            if not value:
                raise NotFound(relative)
            return value
        target = (root / relative).resolve()
        if not target.is_relative_to(root.resolve()):
            raise Invalid(f"{relative!r} leads out of the folder of {name}", code="FileNotAllowed")
        try:
            return target.read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {relative!r} beside {name}", code="FileNotFound") from error
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"{relative!r} cannot be read: {error}", code="FileNotReadable") from error

    return await _read(name, read, resolve)


def _find(path: Path) -> tuple[Path, str]:
    """(folder, name of the file in it) of what was given."""
    root, name = (path, "") if path.is_dir() else (path.parent, path.name)
    if not name:
        name = next((n for n in NAMES if (root / n).is_file()), "")
    if not name:
        found = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.json") if p.is_file())
        raise _nothing_to_read(str(path), found)
    if not (root / name).is_file():
        raise NotFound(f"there is no file {path}", code="FileNotFound")
    return root, name


async def read_files(path: str, files: Mapping[str, str], resolve: Resolve) -> DesiredState:
    """The desired state in texts by relative path, as the command line sends them; `path` names what was given."""
    by_name = {PurePosixPath(name).as_posix(): text for name, text in files.items()}
    name = path if path in by_name else next((n for n in NAMES if n in by_name), "")
    if not name and len(by_name) == 1:
        name = next(iter(by_name))
    if not name:
        raise _nothing_to_read(path, sorted(by_name))

    def read(relative: str) -> str:
        text = by_name.get(PurePosixPath(relative).as_posix())
        if text is None and relative.startswith(_ENV):
            raise NotFound(relative)
        if text is None:
            raise NotFound(f"there is no file {relative!r} beside {name}", code="FileNotFound")
        return text

    return await _read(name, read, resolve)


def referenced_files(text: str) -> list[str]:
    """The relative paths that an `aforo.yaml` takes texts from: what must be sent along with it."""
    return list(dict.fromkeys(_FILE_REFERENCE.findall(text)))


def _nothing_to_read(path: str, found: list[str]) -> Invalid:
    if any(f.endswith(("apiInformation.json", "backendInformation.json")) for f in found):
        return Invalid(
            f"{path} is an APIOps folder; those are not read yet. `aforo export` writes an aforo.yaml.",
            code="NotSupported",
        )
    return Invalid(f"{path} holds no {NAMES[0]}", code="FileNotFound")


async def _read(name: str, read: ReadFile, resolve: Resolve) -> DesiredState:
    text = read(name)
    if name.endswith(".json") and "deploymentTemplate.json" in text:
        raise Invalid(
            f"{name} is an ARM template; those are not run yet. Write the resources into an {NAMES[0]}.",
            code="NotSupported",
        )
    tree = read_tree(Source(name, text))
    reader = _Reader(tree, read, resolve)
    await reader.document()
    return DesiredState(tuple(reader.resources), tuple(tree.mistakes), name)


class _Reader:
    def __init__(self, tree: Tree, read: ReadFile, resolve: Resolve) -> None:
        self.tree = tree
        self.read = read
        self.resolve = resolve
        self.resources: list[Wanted] = []
        self.location: Node | None = None

    def say(self, code: str, message: str, place: Place, *hints: str) -> None:
        self.tree.mistakes.append(Mistake(code, message, place=place, hints=hints))

    async def document(self) -> None:
        root = self.tree.root
        if root is None:
            if not self.tree.mistakes:
                self.say("YAML0005", "the file is empty", Place(self.tree.source, Span(0, 0)))
            return
        if root.kind != "map":
            self.say("YAML0005", "an aforo.yaml is a map: `resourceGroup: ...` and so on", root.place)
            return
        entries = {key.value: (key, node) for key, node in root.items()}
        group = entries.pop("resourceGroup", None)
        location = entries.pop("location", None)
        tags = entries.pop("tags", None)
        if group is None or not isinstance(group[1].value, str):
            place = group[1].place if group else root.place
            self.say("YAML0006", "'resourceGroup' is required: the name of the resource group", place)
            return
        rid = parse_id(
            f"/subscriptions/{self.resolve.subscription_id}/resourceGroups/{_safe(group[1].value)}"
        )
        if location is not None:
            self.location = location[1]
        body: dict[str, Any] = {"properties": {}}
        places: dict[PropertyPath, Place] = {(): group[1].place}
        for part in (location, tags):
            if part is not None:
                body[part[0].value] = part[1].plain()
                part[1].places((part[0].value,), places)
        self.resources.append(Wanted(rid, RESOURCE_GROUP, body, places))
        collections = {k.key: k for k in children_of(RESOURCE_GROUP_TYPE)}
        for name, (key, node) in entries.items():
            kind = collections.get(name)
            if kind is None:
                known = ["resourceGroup", "location", "tags", *collections]
                problem = unknown("key", name, known, ())
                self.say("YAML0007", problem.message, key.place, *problem.hints)
            else:
                await self.collection(kind, rid, key, node)

    async def collection(self, kind: Kind, parent: ResourceId, key: Node, node: Node) -> None:
        """The resources below one key: a map of names, a list of names for links, a text for a policy."""
        if kind.singleton:
            await self.resource(kind, parent, kind.singleton, key, node)
        elif node.kind == "list" and kind.link:
            for entry in node.value:
                if entry.kind == "scalar" and isinstance(entry.value, str):
                    await self.resource(kind, parent, entry.value, entry, Node("map", [], entry.place))
                else:
                    self.say("YAML0008", f"the name of a {kind.name} is expected here", entry.place)
        elif node.kind == "map":
            for name, entry in node.items():
                await self.resource(kind, parent, str(name.value), name, entry)
        elif node.kind == "scalar" and node.value is None:
            return
        else:
            form = "a list of names" if kind.link else "a map of names to their properties"
            self.say("YAML0008", f"{form} is expected below {key.value!r}", node.place)

    async def resource(self, kind: Kind, parent: ResourceId, name: str, key: Node, node: Node) -> None:
        rid = self.id_of(kind, parent, name)
        if kind.singleton and (node.kind == "scalar" or _is_file(node)):
            node = Node("map", [(Node("scalar", "value", key.place), node)], node.place)
        elif node.kind == "scalar" and node.value is None:
            node = Node("map", [], key.place)
        if node.kind != "map":
            self.say("YAML0008", f"the properties of the {kind.name} {name!r} are expected here", node.place)
            return
        properties: dict[str, Any] = {}
        body: dict[str, Any] = {"properties": properties}
        places: dict[PropertyPath, Place] = {(): key.place, ("properties",): key.place}
        text: TextPlace | None = None
        inner: list[tuple[Kind, Node, Node]] = []
        imported: Node | None = None
        collections = {k.key: k for k in children_of(kind.type)}
        envelope = {p.name for p in kind.envelope}
        declared = {p.name for p in kind.properties}
        for entry, value in node.items():
            field = str(entry.value)
            if field in collections and field not in declared:
                inner.append((collections[field], entry, value))
            elif field in envelope:
                body[field] = value.plain()
                value.places((field,), places)
            elif field in declared:
                content, where = self.text(value)
                properties[field] = content
                value.places(("properties", field), places)
                if field == "value":
                    text = where
            elif field == "import" and kind.type == API_TYPE:
                imported = value
            elif kind.type == API_TYPE and field in ("format", "value"):
                self.say("YAML0007", f"{field!r} is written as `import: URL` here", entry.place)
            else:
                known = [*envelope, *(p.name for p in kind.properties if not p.readonly and not p.refused)]
                extra = ["import"] if kind.type == API_TYPE else []
                problem = unknown("property", field, [*known, *collections, *extra], ())
                self.say("YAML0007", problem.message, entry.place, *problem.hints)
        if "location" in envelope and "location" not in body and self.location is not None:
            body["location"] = self.location.plain()
        if kind.singleton and "format" not in properties:
            # What people write into a file is raw: expressions need no escaping in it.
            properties["format"] = "rawxml"
        elif kind.name == "policy fragment":
            properties.setdefault("format", "rawxml")
        self.resources.append(Wanted(rid, kind, body, places, text))
        if imported is not None:
            await self.import_api(rid, body, imported, [n for k, _, n in inner if k.type == OPERATION.type])
        for child, entry, value in inner:
            await self.collection(child, rid, entry, value)

    def id_of(self, kind: Kind, parent: ResourceId, name: str) -> ResourceId:
        if kind.type == ROLE_ASSIGNMENT_TYPE and not _GUID.fullmatch(name):
            name = self.resolve.guid("role assignment", parent.key, name)
        name = _safe(name)
        if kind.parent in ("*", RESOURCE_GROUP_TYPE):
            return parent.extension(kind.type, name)
        return parent.child(kind.collection, name)

    def text(self, node: Node) -> tuple[Any, TextPlace | None]:
        """A value; where it is `{file: path}`, the text of that file."""
        if _is_file(node):
            reference = node.value[0][1]
            name = str(reference.value)
            try:
                content = self.read(name)
            except Refusal as refusal:
                self.say(refusal.code, refusal.message, reference.place)
                return None, None
            return content, TextPlace(Source(name, content), 1, 0)
        if _is_alone(node, "carried"):
            reference = node.value[0][1]
            try:
                return carried_fragment(str(reference.value)), None
            except Refusal as refusal:
                self.say(refusal.code, refusal.message, reference.place)
                return None, None
        if _is_env(node):
            reference = node.value[0][1]
            try:
                return self.read(f"{_ENV}{reference.value}"), None
            except NotFound:
                self.say(
                    "YAML0009", f"the environment variable {reference.value!r} is not set", reference.place
                )
                return None, None
        if node.kind == "scalar" and isinstance(node.value, str):
            return node.value, text_place(node)
        return node.plain(), None

    async def import_api(
        self, api: ResourceId, body: dict[str, Any], node: Node, declared: list[Node]
    ) -> None:
        """The operations of an imported description, but for those that the file declares itself."""
        try:
            description = await self.description(node)
        except Refusal as refusal:
            self.say(refusal.code, refusal.message, node.place)
            return
        properties = body["properties"]
        if description.title:
            properties.setdefault("displayName", description.title[:300])
        if description.schemas:
            schema = {"properties": imported_schema(description.schemas)}
            self.resources.append(
                Wanted(api.child("schemas", SCHEMA_ID), API_SCHEMA, schema, {(): node.place})
            )
        own = {str(k.value).lower(): n for d in declared for k, n in d.items()}
        for name, operation in description.operations.items():
            if name.lower() in own:
                self.merge(operation, own[name.lower()])
                continue
            rid = api.child("operations", name)
            self.resources.append(Wanted(rid, OPERATION, {"properties": operation}, {(): node.place}))

    @staticmethod
    def merge(operation: Mapping[str, Any], node: Node) -> None:
        """What the file does not say of an operation that it names comes from the description."""
        if node.kind != "map":
            node.kind, node.value = "map", []
        given = {str(k.value) for k, _ in node.items()}
        for field, value in operation.items():
            if field not in given:
                node.value.append((Node("scalar", field, node.place), _node(value, node.place)))

    async def description(self, node: Node) -> Description:
        if not isinstance(node.value, str):
            raise Invalid(
                "`import` takes carried:NAME, file:PATH or a URL of an OpenAPI description", code="YAML0008"
            )
        reference = node.value.strip()
        if reference.startswith("carried:"):
            name = reference.removeprefix("carried:")
            return read_description(carried(name), name)
        if reference.startswith("file:"):
            name = reference.removeprefix("file:").strip()
            return read_description(self.read(name), name)
        if reference.startswith(("http://", "https://")):
            if self.resolve.fetch is None:
                raise Invalid(f"{reference} cannot be fetched here", code="DescriptionNotFetched")
            return read_description(await fetch_text(reference, self.resolve.fetch), reference)
        raise Invalid(
            f"{reference!r} is nothing to import: write carried:NAME, file:PATH or a URL", code="YAML0008"
        )


def _is_file(node: Node) -> bool:
    return _is_alone(node, "file")


def _is_env(node: Node) -> bool:
    return _is_alone(node, "env")


def _is_alone(node: Node, word: str) -> bool:
    return node.kind == "map" and len(node.value) == 1 and node.value[0][0].value == word


def _node(value: Any, place: Place) -> Node:
    if isinstance(value, Mapping):
        return Node("map", [(Node("scalar", k, place), _node(v, place)) for k, v in value.items()], place)
    if isinstance(value, list):
        return Node("list", [_node(v, place) for v in value], place)
    return Node("scalar", value, place, '"')


def _safe(name: str) -> str:
    """A name as a segment of an id; what cannot be one is refused by the kind's name rule."""
    return name.replace("/", "?") or "?"
