"""AppMetrics: what policies measure, summed up per second and dimensions, with Application Insights' columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aforo.tables.azure_metrics import Measure
from aforo.tables.schema import Table
from aforo.tables.standard import STANDARD, TIME, dynamics, ints, reals, strings

APP_METRICS = Table(
    "AppMetrics",
    "Measurements of the policies `emit-metric`, `llm-emit-token-metric` and `azure-openai-emit-token-metric`. A row "
    "sums up what one gateway measured with equal dimensions within about a second.",
    (
        TIME,
        *strings("Name              The metric, such as `Total Tokens`."),
        *reals("Sum               Sum of the measurements; the mean is Sum / ItemCount."),
        *ints("ItemCount         How many there were."),
        *reals("""
            Min               The least.
            Max               The greatest.
        """),
        *dynamics(
            "Properties        The dimensions, with Region, Service ID, Service Name and Service Type."
        ),
        *strings("""
            OperationName     Empty.
            OperationId       Empty: a row is of many calls.
            ParentId          Empty.
            SyntheticSource   Empty.
            SessionId         Empty.
            UserId            Empty.
            UserAuthenticatedId  Empty.
            UserAccountId     Empty.
            AppVersion        Empty.
            AppRoleName       The service and its region, as API Management names its role.
            AppRoleInstance   Empty.
            ClientType        Empty.
            ClientModel       Empty.
            ClientOS          Empty.
            ClientIP          Empty.
            ClientCity        Empty.
            ClientStateOrProvince  Empty.
            ClientCountryOrRegion  Empty.
            ClientBrowser     Empty.
            ResourceGUID      Empty.
            IKey              Empty.
            SDKVersion        Empty.
        """),
        *STANDARD,
        *strings("Namespace         The metric's namespace.", ours=True),
    ),
)


def app_metric_row(
    at_ns: int,
    namespace: str,
    name: str,
    properties: Mapping[str, str],
    measure: Measure,
    role: str,
    resource_id: str,
) -> dict[str, Any]:
    """The row of what was measured with equal dimensions, `at_ns` the first of it (unix ns)."""
    return {
        "TimeGenerated": at_ns,
        "Name": name,
        "Sum": float(measure.total),
        "ItemCount": measure.count,
        "Min": float(measure.minimum),
        "Max": float(measure.maximum),
        "Properties": dict(properties),
        "AppRoleName": role,
        "_ResourceId": resource_id.lower(),
        "Namespace": namespace,
    }
