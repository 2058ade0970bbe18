"""Rows that a Cognitive Services account writes into `AzureDiagnostics`: RequestResponse and Audit.

The account writes those of its calls, control those of its management operations (ListKey). Shapes are
Azure's; no prompt, no answer, no token count and no credential is ever in them.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

import orjson

_TICKS_AT_EPOCH = 621_355_968_000_000_000  # .NET ticks (100 ns since year 1) at 1970-01-01
_PROVIDER = "MICROSOFT.COGNITIVESERVICES"
# The properties stand in `properties_s` as Azure has it, and each also in a column of its own.
_COLUMNS = {
    "apiName": "apiName_s",
    "requestTime": "requestTime_d",
    "requestLength": "requestLength_d",
    "responseTime": "responseTime_d",
    "responseLength": "responseLength_d",
    "objectId": "objectId_s",
    "streamType": "streamType_s",
    "modelDeploymentName": "modelDeploymentName_s",
    "modelName": "modelName_s",
    "modelVersion": "modelVersion_s",
}


def ticks(unix_ns: int) -> int:
    """A time as .NET counts it, in units of 100 ns."""
    return unix_ns // 100 + _TICKS_AT_EPOCH


def masked_ip(address: str) -> str:
    """A caller's address with its last part replaced by `***`, as Azure keeps it; "" when it is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    mapped = getattr(parsed, "ipv4_mapped", None)
    text = str(mapped or parsed)
    separator = ":" if ":" in text else "."
    return text.rpartition(separator)[0] + separator + "***"


@dataclass(frozen=True, slots=True)
class AccountCall:
    """One call of an account's data plane. Times are unix nanoseconds, lengths bytes."""

    operation: str  # ChatCompletions_Create, Models_List, ...
    api_version: str
    correlation_id: str
    caller_ip: str
    object_id: str  # "" when a key was used
    status: int
    started_ns: int
    ended_ns: int
    request_bytes: int
    response_bytes: int
    streaming: bool
    deployment: str = ""  # "" for what is no inference, with the two below
    model: str = ""
    model_version: str = ""


def request_response_row(resource_id: str, location: str, call: AccountCall) -> dict[str, Any]:
    """The RequestResponse row of a call."""
    properties: dict[str, Any] = {
        "apiName": f"Azure OpenAI API version {call.api_version}" if call.api_version else "Azure OpenAI API",
        "requestTime": ticks(call.started_ns),
        "requestLength": call.request_bytes,
        "responseTime": ticks(call.ended_ns),
        "responseLength": call.response_bytes,
        "objectId": call.object_id,
        "streamType": "Streaming" if call.streaming else "Non-Streaming",
    }
    if call.deployment:
        properties["modelDeploymentName"] = call.deployment
        properties["modelName"] = call.model
        properties["modelVersion"] = call.model_version
    return {
        **_place(resource_id),
        "TimeGenerated": call.started_ns,
        "Category": "RequestResponse",
        "OperationName": call.operation,
        "OperationVersion": call.api_version,
        "CorrelationId": call.correlation_id,
        "CallerIPAddress": masked_ip(call.caller_ip),
        "DurationMs": (call.ended_ns - call.started_ns) // 1_000_000,
        "ResultSignature": str(call.status),
        "properties_s": orjson.dumps(properties).decode(),
        "event_s": "ShoeboxCallResult",
        "location_s": location,
        "Tenant_s": location,
        **{_COLUMNS[name]: value for name, value in properties.items()},
    }


def audit_row(
    resource_id: str, location: str, *, operation: str, object_id: str, at_ns: int, correlation_id: str
) -> dict[str, Any]:
    """The Audit row of a management operation (`ListKey`, `RegenerateKey`) by that identity."""
    return {
        **_place(resource_id),
        "TimeGenerated": at_ns,
        "Category": "Audit",
        "OperationName": operation,
        "CorrelationId": correlation_id,
        "properties_s": orjson.dumps({"objectId": object_id}).decode(),
        "objectId_s": object_id,
        "location_s": location,
        "Tenant_s": location,
    }


def _place(resource_id: str) -> dict[str, Any]:
    parts = resource_id.strip("/").split("/")
    named = {parts[i].lower(): parts[i + 1] for i in range(0, len(parts) - 1, 2)}
    return {
        "ResourceId": resource_id.upper(),
        "_ResourceId": resource_id.lower(),
        "_SubscriptionId": named.get("subscriptions", ""),
        "SubscriptionId": named.get("subscriptions", ""),
        "ResourceGroup": named.get("resourcegroups", "").upper(),
        "ResourceProvider": _PROVIDER,
        "ResourceType": "ACCOUNTS",
        "Resource": parts[-1].upper(),
    }
