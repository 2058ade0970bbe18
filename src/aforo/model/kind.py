"""What a kind of resource declares: its place, its properties, its references, its rules. It knows no kind itself.

One declaration feeds REST, YAML, validation, export and documentation.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from aforo.model.ids import ResourceId

# A resource's content as ARM writes it: envelope fields beside `properties`. Never changed in place.
Body = Mapping[str, Any]
Path = tuple[str | int, ...]
# How a text names a named value: `{{displayName}}`.
REFERENCE = re.compile(r"\{\{\s*([A-Za-z0-9\-._]+)\s*\}\}")


class Type(StrEnum):
    """JSON types, with the text that carries a time."""

    TEXT = "string"
    WHOLE = "integer"
    NUMBER = "number"
    FLAG = "boolean"
    RECORD = "object"
    LIST = "array"
    MAP = "map"
    INSTANT = "date-time"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Refers:
    """A property that names another resource. `types` are the ARM types that it may name.

    Text that is no full id is taken relative: `/products/gold` to the service, a bare name to the only type.
    `collections` are ids of whole collections that are allowed too (`{service}/apis`). `foreign`: it may name what is
    no resource of this system (an URL, another type, another subscription), and is kept as it came then.
    """

    types: tuple[str, ...]
    on_delete: str = "refuse"  # or "cascade": what happens to the referring one when the named one goes
    collections: tuple[str, ...] = ()
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    """One property. `minimum` and `maximum` are lengths of texts, counts of lists, values of numbers."""

    name: str
    type: Type = Type.TEXT
    doc: str = ""
    required: bool = False
    default: Any = None
    readonly: bool = False
    secret: bool = False
    sealed_by: str = ""  # name of the sibling flag that makes it secret
    by_name: bool = False  # a secret that may name `{{named values}}` instead, and then is none
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    properties: tuple[Property, ...] = ()
    item: Property | None = None
    refers: Refers | None = None
    refused: str = ""  # why a body that has it is refused by name


@dataclass(frozen=True, slots=True)
class NameRule:
    """What a resource may be called."""

    pattern: str = r"^[^*#&+:<>?/\\]+$"
    maximum: int = 80
    says: str = "letters, digits and punctuation without * # & + : < > ? / \\"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a body: where (path from the body's root), what, and what to do."""

    path: Path
    message: str
    hints: tuple[str, ...] = ()
    code: str = "ValidationError"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. `origin` tells who made it: `file` (desired state), `rest`, or `system`."""

    id: ResourceId
    kind: Kind
    body: Body
    etag: str
    origin: str = "rest"

    @property
    def properties(self) -> Mapping[str, Any]:
        return self.body.get("properties", {})  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        return self.id.name


class View(Protocol):
    """What rules may ask of the graph."""

    def get(self, key: str) -> Resource | None: ...

    def children(self, parent_key: str, full_type: str) -> Iterable[Resource]: ...


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in a text (`{{key}}` in a policy) that protects its bearer from deletion. It may dangle here:
    the compiler of that text says so with line and column."""

    token: str
    what: str


class Mint(Protocol):
    """Where generated values come from, so that a test can say what they are."""

    def key(self) -> str:
        """A new access key: 32 hexadecimal digits."""

    def now(self) -> str:
        """The time, ISO 8601 in UTC."""

    def guid(self, *parts: str) -> str:
        """The one GUID that belongs to those parts in this tenant."""

    @property
    def tenant_id(self) -> str: ...


class Effect(StrEnum):
    """What an action does when it is posted to."""

    SHOW = "show"  # answers with secrets in clear
    ROTATE = "rotate"  # makes one key anew


@dataclass(frozen=True, slots=True)
class Action:
    """`POST {id}/{name}`. `fields` maps answer names to property names; for ROTATE the property made anew.

    `selector` is the body's field that chooses which one (`keyName`), answered with all of them. `unless` says why a
    resource does not have the action after all, "" when it has.
    """

    name: str
    effect: Effect
    fields: tuple[tuple[str, str], ...]
    selector: str = ""
    status: int = 200
    unless: Callable[[Resource], str] = lambda _resource: ""


Rule = Callable[[Resource, View], Iterable[Problem]]


def _nothing(_resource: Resource) -> Iterable[Any]:
    return ()


def _as_is(_body: dict[str, Any], _old: Mapping[str, Any] | None, _id: ResourceId, _mint: Mint) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource type at one place.

    `collection` is the last segment of its ARM type and its key in `aforo.yaml`; `singleton` its only name;
    `link` the sibling type that its name names (a product's API). `fill` adds what is generated; `aliases`
    are tokens that no two resources may share; `companions` come into being with it.
    """

    name: str
    type: str
    parent: str  # ARM type, "*" for an extension of any resource
    properties: tuple[Property, ...] = ()
    envelope: tuple[Property, ...] = ()
    names: NameRule = NameRule()
    singleton: str = ""
    link: str = ""
    rules: tuple[Rule, ...] = ()
    aliases: Callable[[Resource], Iterable[str]] = _nothing
    mentions: Callable[[Resource], Iterable[Mention]] = _nothing
    companions: Callable[[Resource], Iterable[tuple[ResourceId, Body]]] = _nothing
    fill: Callable[[dict[str, Any], Mapping[str, Any] | None, ResourceId, Mint], None] = _as_is
    actions: tuple[Action, ...] = ()
    created_status: int = 201
    yaml: str = ""  # key in `aforo.yaml` when it is not the collection's name
    doc: str = ""
    nested_secrets: bool = (
        False  # they lie below lists and maps: a mask there must stand for a secret that is known
    )

    @property
    def collection(self) -> str:
        return self.type.rpartition("/")[2]

    @property
    def key(self) -> str:
        return self.yaml or self.collection

    def find(self, name: str) -> Property | None:
        """The declared property, envelope fields first."""
        lowered = name.lower()
        return next((p for p in (*self.envelope, *self.properties) if p.name.lower() == lowered), None)

    def __hash__(self) -> int:
        return hash(self.type)


@dataclass(frozen=True, slots=True)
class SystemMint:
    """The real one. `tenant_id` makes derived GUIDs this installation's own."""

    tenant_id: str
    clock: Callable[[], str]
    random_key: Callable[[], str]
    _space: uuid.UUID = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_space", uuid.UUID(self.tenant_id))

    def key(self) -> str:
        return self.random_key()

    def now(self) -> str:
        return self.clock()

    def guid(self, *parts: str) -> str:
        return str(uuid.uuid5(self._space, "/".join(part.lower() for part in parts)))
