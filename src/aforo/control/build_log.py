"""What is recorded of an API's calls and where it goes: diagnostics and diagnostic settings resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aforo.control.build_masking import mask_plan
from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.diagnostic_setting import DIAGNOSTIC_SETTING_TYPE, categories
from aforo.snapshot.snapshot import LogPlan, MessageLog

GATEWAY_LOGS = "GatewayLogs"
LLM_LOGS = "GatewayLlmLogs"
_MONITOR = "azuremonitor"
_LLM_BYTES = 262_144


def workspaces_of(resource: Resource, graph: Graph) -> dict[str, list[str]]:
    """Category to workspace ids (`customerId`), by the diagnostic settings of one resource."""
    found: dict[str, list[str]] = {}
    for setting in graph.children(resource.id.key, DIAGNOSTIC_SETTING_TYPE):
        workspace = graph.get(str(setting.properties.get("workspaceId")))
        customer = str(workspace.properties.get("customerId")) if workspace is not None else ""
        for category in categories(setting):
            # A category without a workspace is written down too: for those to whom it is delivered.
            ids = found.setdefault(category, [])
            if customer and customer not in ids:
                ids.append(customer)
    return found


def log_plan(api: Resource | None, service: Resource, graph: Graph) -> LogPlan:
    """The plan of an API: its own diagnostic, else the service's; without one Azure's defaults (no bodies).

    Without an API: the plan of calls that reach none.
    """
    own = graph.get(f"{api.id.key}/diagnostics/{_MONITOR}") if api is not None else None
    general = graph.get(f"{service.id.key}/diagnostics/{_MONITOR}")
    diagnostic = own or general
    settings: Mapping[str, Any] = diagnostic.properties if diagnostic is not None else {}
    choices: Mapping[str, Any] = api.properties if api is not None else {}
    on = workspaces_of(service, graph)
    llm = settings.get("largeLanguageModel", {})
    llm_on = LLM_LOGS in on and llm.get("logs") == "enabled"
    requests, responses = llm.get("requests", {}), llm.get("responses", {})
    frontend, backend = settings.get("frontend", {}), settings.get("backend", {})
    caller_header = str(settings.get("callerHeader", "")).lower()
    masking = mask_plan(settings, caller_header)
    masked = masking is not None
    audit = GATEWAY_LOGS in on and choices.get("auditMode") is True
    return LogPlan(
        gateway_log=GATEWAY_LOGS in on,
        # A sample would leave begun calls without their end.
        sampling=100.0 if audit else float(settings.get("sampling", {}).get("percentage", 100.0)),
        # An error is always worth its record unless a diagnostic exists that does not say so.
        always_log_errors=not settings or settings.get("alwaysLog") == "allErrors",
        log_client_ip=bool(settings.get("logClientIp", True)),
        frontend_request=_message(frontend.get("request"), masked=masked),
        frontend_response=_message(frontend.get("response"), masked=masked),
        backend_request=_message(backend.get("request"), masked=masked),
        backend_response=_message(backend.get("response"), masked=masked),
        llm_requests=llm_on and requests.get("messages") == "all",
        llm_responses=llm_on and responses.get("messages") == "all",
        llm_request_bytes=int(requests.get("maxSizeInBytes", _LLM_BYTES)),
        llm_response_bytes=int(responses.get("maxSizeInBytes", _LLM_BYTES)),
        on_full=str(choices.get("spoolFull", "refuse")),
        verbosity=str(settings.get("verbosity", "information")),
        trace_context=settings.get("httpCorrelationProtocol") == "W3C",
        caller_header=caller_header,
        audit=audit,
        masking=masking,
    )


def _message(settings: Mapping[str, Any] | None, *, masked: bool) -> MessageLog:
    if not settings:
        return MessageLog()
    size = int(settings.get("body", {}).get("bytes", 0))
    # What is masked is masked whole, and cut behind that: an end could be a part of something.
    return MessageLog(
        tuple(name.lower() for name in settings.get("headers", ())), None if masked and size else size
    )
