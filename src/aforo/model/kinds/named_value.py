"""Named values: texts that policies take in with {{displayName}}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import flag, listing, refused, text
from aforo.model.ids import ResourceId
from aforo.model.kind import (
    REFERENCE,
    Action,
    Effect,
    Kind,
    Mention,
    Mint,
    NameRule,
    Path,
    Problem,
    Resource,
    View,
)
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.secret import Secret
from aforo.model.unknown import unknown

NAMED_VALUE_TYPE = f"{SERVICE_TYPE}/namedValues"


def token(service_key: str, display_name: str) -> str:
    """What a text that says {{display_name}} mentions."""
    return f"named value {display_name.lower()!r} of {service_key}"


def mentions(resource: Resource, *parts: str) -> Iterable[Mention]:
    """The named values that those properties of a service's child name."""
    for name in sorted({name for name, _ in _references(resource, parts)}):
        yield Mention(token(resource.id.parent_key, name), f"{{{{{name}}}}}")


def names_exist(resource: Resource, view: View, *parts: str) -> Iterable[Problem]:
    """The names in those properties that no named value has."""
    found = list(_references(resource, parts))
    if not found:
        return
    values = view.children(resource.id.parent_key, NAMED_VALUE_TYPE)
    known = [str(value.properties.get("displayName", "")) for value in values]
    for name, path in found:
        if name not in known:
            yield unknown("named value", name, known, path)


def _references(resource: Resource, parts: Iterable[str]) -> Iterable[tuple[str, Path]]:
    for part in parts:
        yield from _named_in(resource.properties.get(part), ("properties", part))


def _named_in(value: Any, path: Path) -> Iterable[tuple[str, Path]]:
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, str):
        yield from ((name, path) for name in REFERENCE.findall(value))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _named_in(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _named_in(inner, (*path, index))


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, _mint: Mint) -> None:
    body["properties"].setdefault("displayName", rid.name)


def _aliases(value: Resource) -> Iterable[str]:
    yield token(value.id.parent_key, str(value.properties.get("displayName", "")))


def _not_blank(value: Resource, _view: View) -> Iterable[Problem]:
    content = value.properties.get("value")
    if isinstance(content, Secret):
        content = content.reveal()
    if isinstance(content, str) and not content.strip():
        yield Problem(("properties", "value"), "a named value may not be blank")


NAMED_VALUE = Kind(
    name="named value",
    type=NAMED_VALUE_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text(
            "displayName",
            minimum=1,
            maximum=256,
            pattern=r"^[A-Za-z0-9\-._]+$",
            doc="Letters, digits, - . and _ are allowed in the name that {{...}} uses.",
        ),
        text("value", required=True, maximum=4096, sealed_by="secret"),
        flag("secret", default=False),
        listing("tags", text("tag", maximum=36), maximum=32),
        text("provisioningState", readonly=True),
        refused("keyVault", "values from a key vault are not supported yet"),
    ),
    names=NameRule(r"^[^*#&+:<>?/\\]+$", 256),
    rules=(_not_blank,),
    aliases=_aliases,
    fill=_fill,
    actions=(Action("listValue", Effect.SHOW, (("value", "value"),)),),
)
