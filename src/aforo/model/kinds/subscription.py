"""Subscriptions: two keys and what they open. Only an active one opens anything; dates change nothing by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import flag, instant, reference, text
from aforo.model.ids import ResourceId
from aforo.model.kind import Action, Effect, Kind, Mint, NameRule, Resource
from aforo.model.kinds.budgets import budgets
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.secret import Secret

SUBSCRIPTION_TYPE = f"{SERVICE_TYPE}/subscriptions"
KEYS = (("primaryKey", "primaryKey"), ("secondaryKey", "secondaryKey"))


def _fill(body: dict[str, Any], old: Mapping[str, Any] | None, rid: ResourceId, mint: Mint) -> None:
    properties = body["properties"]
    properties.setdefault("displayName", rid.name)
    for key in ("primaryKey", "secondaryKey"):
        if key not in properties:
            properties[key] = Secret(mint.key())
    if old is None:
        properties["createdDate"] = mint.now()


def _aliases(subscription: Resource) -> Iterable[str]:
    # Two subscriptions with one key would make the owner of a call a matter of chance.
    digests = {
        value.digest
        for name in ("primaryKey", "secondaryKey")
        if isinstance(value := subscription.properties.get(name), Secret)
    }
    for digest in digests:
        yield f"key {digest.hex()} of {subscription.id.parent_key}"


SUBSCRIPTION = Kind(
    name="subscription",
    type=SUBSCRIPTION_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        reference(
            "scope",
            f"{SERVICE_TYPE}/products",
            f"{SERVICE_TYPE}/apis",
            SERVICE_TYPE,
            collections=("apis",),
            required=True,
            doc="/products/{name}, /apis/{name}, /apis (all APIs), or the service's id.",
        ),
        reference("ownerId", f"{SERVICE_TYPE}/users"),
        text("displayName", minimum=1, maximum=100),
        text("primaryKey", secret=True, minimum=1, maximum=256),
        text("secondaryKey", secret=True, minimum=1, maximum=256),
        text(
            "state",
            values=("suspended", "active", "expired", "submitted", "rejected", "cancelled"),
            default="submitted",
        ),
        text("stateComment"),
        budgets("the subscription"),
        flag("allowTracing", doc="Kept and shown, not acted on."),
        instant("createdDate", readonly=True),
        instant("startDate"),
        instant("expirationDate"),
        instant("endDate"),
        instant("notificationDate"),
    ),
    names=NameRule(maximum=256),
    aliases=_aliases,
    fill=_fill,
    actions=(
        Action("listSecrets", Effect.SHOW, KEYS),
        Action("regeneratePrimaryKey", Effect.ROTATE, KEYS[:1], status=204),
        Action("regenerateSecondaryKey", Effect.ROTATE, KEYS[1:], status=204),
    ),
)
