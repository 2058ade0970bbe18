"""What was done through the control plane, as rows of AzureActivity. Reading is not recorded, secrets never are."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from aforo.control.access import ADMIN
from aforo.identity.access import Principal

# Takes a finished row: column name to value, datetimes as unix nanoseconds.
Sink = Callable[[Mapping[str, Any]], None]


def nowhere(_row: Mapping[str, Any]) -> None:
    """A sink for those who keep no audit."""


def activity_row(
    *,
    action: str,
    resource_id: str,
    principal: Principal | None,
    caller_ip: str,
    method: str,
    url_path: str,
    status: int,
    client_request_id: str = "",
    error: str = "",
    now_ns: int | None = None,
) -> dict[str, Any]:
    """One row. `action` is the ARM action, `status` the HTTP status that was answered."""
    at = time.time_ns() if now_ns is None else now_ns
    failed = status >= 400
    parts = resource_id.split("/")
    group = parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""
    who = "" if principal is None else (principal.name or principal.client_id)
    properties = {"statusCode": str(status), "message": error} if error else {"statusCode": str(status)}
    authorization = {"action": action, "scope": resource_id}
    claims = (
        {"appid": principal.client_id, "oid": principal.object_id}
        if principal is not None and principal is not ADMIN
        else {}
    )
    correlation = client_request_id or str(uuid.uuid4())
    return {
        "TimeGenerated": at,
        "EventSubmissionTimestamp": at,
        "OperationName": action,
        "OperationNameValue": action.upper(),
        "Level": "Error" if failed else "Informational",
        "ActivityStatus": "Failed" if failed else "Succeeded",
        "ActivityStatusValue": "Failure" if failed else "Success",
        "ActivitySubstatusValue": str(status),
        "ResourceGroup": group,
        "SubscriptionId": parts[2] if len(parts) > 2 else "",
        "CorrelationId": correlation,
        "OperationId": correlation,
        "EventDataId": str(uuid.uuid4()),
        "Caller": who,
        "CallerIpAddress": caller_ip,
        "Category": "Administrative",
        "CategoryValue": "Administrative",
        "HTTPRequest": orjson.dumps(
            {"clientIpAddress": caller_ip, "method": method, "uri": url_path}
        ).decode(),
        "Resource": parts[-1],
        "ResourceId": resource_id,
        "ResourceProviderValue": action.partition("/")[0].upper(),
        "Authorization": orjson.dumps(authorization).decode(),
        "Authorization_d": authorization,
        "Properties": orjson.dumps(properties).decode(),
        "Properties_d": properties,
        "Claims": orjson.dumps(claims).decode(),
        "Claims_d": claims,
        "Type": "AzureActivity",
        "_ResourceId": resource_id.lower(),
    }
