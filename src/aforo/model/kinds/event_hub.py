"""Event Hubs namespaces and their authorization rules: where diagnostic settings send logs. Described, not served."""

from __future__ import annotations

from aforo.model.declare import LOCATION, TAGS, listing, record, text
from aforo.model.ids import RESOURCE_GROUP_TYPE
from aforo.model.kind import Kind, NameRule

NAMESPACE_TYPE = "Microsoft.EventHub/namespaces"
RULE_TYPE = f"{NAMESPACE_TYPE}/authorizationRules"
_NAMES = NameRule(r"^[A-Za-z][A-Za-z0-9-]{1,48}[A-Za-z0-9]$", 50, "letters, digits and -")

NAMESPACE = Kind(
    name="event hubs namespace",
    type=NAMESPACE_TYPE,
    parent=RESOURCE_GROUP_TYPE,
    envelope=(LOCATION, TAGS, record("sku", text("name", required=True), text("tier"))),
    properties=(text("provisioningState", readonly=True),),
    names=_NAMES,
)

RULE = Kind(
    name="authorization rule",
    type=RULE_TYPE,
    parent=NAMESPACE_TYPE,
    properties=(
        listing("rights", text("right", values=("Listen", "Manage", "Send"))),
        text(
            "connectionString",
            required=True,
            secret=True,
            minimum=1,
            doc="Our own: what signs in, as Azure's `listKeys` says it; `Endpoint=kafka://host:9092` is a broker of your "
            "own without signing in.",
        ),
    ),
    names=_NAMES,
)
