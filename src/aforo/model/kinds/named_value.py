"""Named values: texts that policies take in with {{displayName}}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import flag, listing, refused, text
from aforo.model.ids import ResourceId
from aforo.model.kind import Action, Effect, Kind, Mint, NameRule, Problem, Resource, View
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.secret import Secret

NAMED_VALUE_TYPE = f"{SERVICE_TYPE}/namedValues"


def token(service_key: str, display_name: str) -> str:
    """What a text that says {{display_name}} mentions."""
    return f"named value {display_name.lower()!r} of {service_key}"


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
