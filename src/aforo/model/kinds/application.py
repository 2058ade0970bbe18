"""Applications that may ask the local issuer for tokens with a secret. Azure keeps them in Entra, outside of ARM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import TAGS, listing, text
from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId
from aforo.model.kind import Action, Effect, Kind, Mint, NameRule, Resource
from aforo.model.secret import Secret

APPLICATION_TYPE = "Aforo.Identity/applications"
_SECRETS = (("clientSecret", "clientSecret"),)


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, mint: Mint) -> None:
    properties = body["properties"]
    properties.setdefault("appId", mint.guid("application", rid.key))
    properties.setdefault("displayName", rid.name)
    properties["principalId"] = mint.guid("principal", rid.key)
    if "clientSecret" not in properties:
        properties["clientSecret"] = Secret(mint.key())


def _aliases(application: Resource) -> Iterable[str]:
    yield f"application {str(application.properties.get('appId', '')).lower()}"


APPLICATION = Kind(
    name="application",
    type=APPLICATION_TYPE,
    parent=RESOURCE_GROUP_TYPE,
    envelope=(TAGS,),
    properties=(
        text("displayName", minimum=1, maximum=256),
        text(
            "appId", minimum=1, maximum=128, doc="The client id; derived from the name when it is not given."
        ),
        text("principalId", readonly=True),
        text("clientSecret", secret=True, minimum=8),
        listing("appRoles", text("role", minimum=1), doc="Goes into the `roles` claim."),
    ),
    names=NameRule(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", 120, "letters, digits, - . and _"),
    aliases=_aliases,
    fill=_fill,
    actions=(
        Action("listSecrets", Effect.SHOW, _SECRETS),
        Action("regenerateSecret", Effect.ROTATE, _SECRETS),
    ),
)
