"""Users of a service: who owns subscriptions. They are not the identities that manage it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import instant, listing, record, text
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mint, Resource
from aforo.model.kinds.service import SERVICE_TYPE

USER_TYPE = f"{SERVICE_TYPE}/users"


def _fill(body: dict[str, Any], old: Mapping[str, Any] | None, _id: ResourceId, mint: Mint) -> None:
    if old is None:
        body["properties"]["registrationDate"] = mint.now()


def _aliases(user: Resource) -> Iterable[str]:
    yield f"user with the address {str(user.properties.get('email', '')).lower()} of {user.id.parent_key}"


USER = Kind(
    name="user",
    type=USER_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text("email", required=True, minimum=1, maximum=254),
        text("firstName", required=True, minimum=1, maximum=100),
        text("lastName", required=True, minimum=1, maximum=100),
        text("note"),
        text("state", values=("active", "blocked", "pending", "deleted"), default="active"),
        text("password", secret=True),
        listing("identities", record("identity", text("provider", required=True), text("id", required=True))),
        instant("registrationDate", readonly=True),
    ),
    aliases=_aliases,
    fill=_fill,
)
