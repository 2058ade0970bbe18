"""Diagnostics: what of each call is recorded, for a whole service or for one API (which overrides it)."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.model.declare import flag, listing, number, record, reference, text, whole
from aforo.model.kind import Kind, Problem, Property, Resource, View
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.data_masking import DATA_MASKING, readable_paths
from aforo.model.kinds.logger import LOGGER_TYPE
from aforo.model.kinds.service import SERVICE_TYPE

# Azure stops at 8,192; here a body may be kept whole. An export to ARM clips it again.
MAX_BODY_BYTES = 64 * 1024 * 1024
# They shape what Application Insights gets on Azure.
_IDLE = "Kept and shown, not acted on."


def _known_name(diagnostic: Resource, _view: View) -> Iterable[Problem]:
    if diagnostic.name.lower() != "azuremonitor":
        yield Problem((), f"the diagnostic {diagnostic.name!r} is not supported; 'azuremonitor' is")


def _message(name: str) -> Property:
    return record(
        name,
        listing("headers", text("header", minimum=1)),
        record("body", whole("bytes", 0, MAX_BODY_BYTES)),
        DATA_MASKING,
    )


def _llm(name: str) -> Property:
    return record(name, text("messages", values=("all",)), whole("maxSizeInBytes", 1, MAX_BODY_BYTES))


_PROPERTIES = (
    reference("loggerId", LOGGER_TYPE, required=True),
    text("alwaysLog", values=("allErrors",)),
    record(
        "sampling", text("samplingType", values=("fixed",), default="fixed"), number("percentage", 0, 100)
    ),
    DATA_MASKING,
    record("frontend", _message("request"), _message("response")),
    record("backend", _message("request"), _message("response")),
    flag("logClientIp"),
    text(
        "verbosity",
        values=("verbose", "information", "error"),
        doc="From which severity on the messages of `trace` policies are logged; `information` without it.",
    ),
    text(
        "httpCorrelationProtocol",
        values=("None", "Legacy", "W3C"),
        doc="`W3C`: the gateway takes part in its clients' traces (`traceparent`), or begins one. Else what clients send "
        "is passed on as it came.",
    ),
    text(
        "callerHeader",
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        doc="A header in which clients say who they are; nobody checks it. It becomes the column `ClaimedCaller`.",
    ),
    text("operationNameFormat", values=("Name", "Url"), doc=_IDLE),
    flag("metrics", doc=_IDLE),
    record(
        "largeLanguageModel",
        text("logs", values=("enabled", "disabled")),
        _llm("requests"),
        _llm("responses"),
    ),
)

SERVICE_DIAGNOSTIC = Kind(
    name="diagnostic",
    type=f"{SERVICE_TYPE}/diagnostics",
    parent=SERVICE_TYPE,
    properties=_PROPERTIES,
    rules=(_known_name, readable_paths),
)

API_DIAGNOSTIC = Kind(
    name="API diagnostic",
    type=f"{API_TYPE}/diagnostics",
    parent=API_TYPE,
    properties=_PROPERTIES,
    rules=(_known_name, readable_paths),
)
