"""Loggers: where diagnostics go."""

from __future__ import annotations

from aforo.model.declare import flag, mapping, text
from aforo.model.kind import Kind
from aforo.model.kinds.service import SERVICE_TYPE

LOGGER_TYPE = f"{SERVICE_TYPE}/loggers"

LOGGER = Kind(
    name="logger",
    type=LOGGER_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text(
            "loggerType",
            required=True,
            values=("azureMonitor",),
            doc="Event Hubs and Application Insights are not supported yet.",
        ),
        text("description", maximum=256),
        mapping("credentials", text("value", secret=True)),
        flag("isBuffered", default=True),
        text("resourceId"),
    ),
)
