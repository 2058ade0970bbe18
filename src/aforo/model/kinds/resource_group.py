"""Resource groups: where everything else lies. They know nothing of what is in them."""

from __future__ import annotations

from aforo.model.declare import LOCATION, TAGS, text
from aforo.model.ids import RESOURCE_GROUP_TYPE, SUBSCRIPTION_TYPE
from aforo.model.kind import Kind, NameRule

RESOURCE_GROUP = Kind(
    name="resource group",
    type=RESOURCE_GROUP_TYPE,
    parent=SUBSCRIPTION_TYPE,
    envelope=(LOCATION, TAGS, text("managedBy")),
    properties=(text("provisioningState", readonly=True),),
    names=NameRule(r"^[-\w.()]*[-\w()]$", 90, "letters, digits, - _ . ( ), and no full stop at the end"),
)
