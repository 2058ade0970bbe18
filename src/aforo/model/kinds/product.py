"""Products and their links to APIs and groups: what a subscription is bought for."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.model.declare import flag, refused, text, whole
from aforo.model.kind import Kind, NameRule, Problem, Resource, View
from aforo.model.kinds.budgets import budgets
from aforo.model.kinds.service import SERVICE_TYPE

PRODUCT_TYPE = f"{SERVICE_TYPE}/products"


def _approval_needs_subscription(product: Resource, _view: View) -> Iterable[Problem]:
    properties = product.properties
    if properties.get("subscriptionRequired") is False:
        for name in ("approvalRequired", "subscriptionsLimit"):
            if properties.get(name):
                yield Problem(
                    ("properties", name), f"{name!r} means nothing in a product that needs no subscription"
                )


def _aliases(product: Resource) -> Iterable[str]:
    yield f"product named {str(product.properties.get('displayName', '')).lower()!r} of {product.id.parent_key}"


def _one_open_product(link: Resource, view: View) -> Iterable[Problem]:
    product = view.get(link.id.parent)
    if product is None or product.properties.get("subscriptionRequired", True):
        return
    for other in view.children(product.id.parent_key, PRODUCT_TYPE):
        if other.id == product.id or other.properties.get("subscriptionRequired", True):
            continue
        if view.get(f"{other.id.text}/apis/{link.name}") is not None:
            yield Problem(
                (), f"the API {link.name!r} is in the open product {other.name!r} already", code="Conflict"
            )


PRODUCT = Kind(
    name="product",
    type=PRODUCT_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text("displayName", required=True, minimum=1, maximum=300),
        text("description", maximum=1000),
        text("terms"),
        flag("subscriptionRequired", default=True),
        flag("approvalRequired"),
        whole("subscriptionsLimit", 0, doc="Kept and shown, also to policies; not acted on."),
        text("state", values=("notPublished", "published"), default="notPublished"),
        text("authenticationType", values=("subscription-key",)),
        budgets("all subscriptions of the product"),
        refused("application", "application tokens of products are not supported yet"),
    ),
    names=NameRule(maximum=256),
    rules=(_approval_needs_subscription,),
    aliases=_aliases,
)

PRODUCT_API = Kind(
    name="product API",
    type=f"{PRODUCT_TYPE}/apis",
    parent=PRODUCT_TYPE,
    names=NameRule(maximum=256),
    link=f"{SERVICE_TYPE}/apis",
    rules=(_one_open_product,),
)

PRODUCT_GROUP = Kind(
    name="product group",
    type=f"{PRODUCT_TYPE}/groups",
    parent=PRODUCT_TYPE,
    names=NameRule(maximum=256),
    link=f"{SERVICE_TYPE}/groups",
)
