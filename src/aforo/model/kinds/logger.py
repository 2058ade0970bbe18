"""Loggers: where diagnostics go, and where `log-to-eventhub` sends events."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.model.declare import credential, flag, record, refused, text
from aforo.model.kind import Kind, Mention, Problem, Resource, View
from aforo.model.kinds.named_value import mentions, names_exist
from aforo.model.kinds.service import SERVICE_TYPE

LOGGER_TYPE = f"{SERVICE_TYPE}/loggers"
EVENT_HUB = "azureEventHub"
FILE = "file"


def _reaches_a_hub(logger: Resource, _view: View) -> Iterable[Problem]:
    if logger.properties.get("loggerType") != EVENT_HUB:
        return
    credentials = logger.properties.get("credentials", {})
    ways = [n for n in ("connectionString", "endpointAddress") if credentials.get(n)]
    if len(ways) != 1:
        what = "an event hub is reached by 'connectionString', or by 'endpointAddress' with an identity"
        yield Problem(("properties", "credentials"), what)
    elif ways == ["endpointAddress"] and not credentials.get("name"):
        yield Problem(("properties", "credentials"), "'name' has to say which event hub")


def _mentions(logger: Resource) -> Iterable[Mention]:
    return mentions(logger, "credentials")


def _names_exist(logger: Resource, view: View) -> Iterable[Problem]:
    return names_exist(logger, view, "credentials")


LOGGER = Kind(
    name="logger",
    type=LOGGER_TYPE,
    parent=SERVICE_TYPE,
    properties=(
        text(
            "loggerType",
            required=True,
            values=("azureMonitor", EVENT_HUB, FILE),
            doc="`file` is for development: a file of JSON lines in the data directory. Application Insights is not "
            "supported yet.",
        ),
        text("description", maximum=256),
        record(
            "credentials",
            text("name", doc="The event hub; without it the connection string's EntityPath."),
            credential("connectionString"),
            text(
                "endpointAddress",
                doc="The namespace, such as `ns.servicebus.windows.net`; `file:` for a file.",
            ),
            text(
                "identityClientId",
                doc="The identity that signs in at `endpointAddress`: `SystemAssigned`, or a client id.",
            ),
            refused("instrumentationKey", "Application Insights is not supported yet"),
        ),
        flag("isBuffered", default=True, doc="Kept and shown, not acted on: events are always buffered."),
        text("resourceId"),
    ),
    rules=(_reaches_a_hub, _names_exist),
    mentions=_mentions,
    nested_secrets=True,
)
