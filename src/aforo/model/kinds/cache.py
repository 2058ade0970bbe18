"""External caches of a service. Declared; none can be connected yet."""

from __future__ import annotations

from aforo.model.declare import text
from aforo.model.kind import Kind
from aforo.model.kinds.later import not_yet
from aforo.model.kinds.service import SERVICE_TYPE

CACHE = Kind(
    name="cache",
    type=f"{SERVICE_TYPE}/caches",
    parent=SERVICE_TYPE,
    properties=(
        text("connectionString", required=True, maximum=300, secret=True),
        text("useFromLocation", required=True, maximum=256),
        text("description", maximum=2000),
        text("resourceId", maximum=2000),
    ),
    rules=(not_yet("external caches cannot be connected yet"),),
)
