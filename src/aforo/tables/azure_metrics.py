"""AzureMetrics: platform metrics, one row per resource, metric and minute, without dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aforo.tables.schema import Table
from aforo.tables.standard import STANDARD, TIME, reals, strings

AZURE_METRICS = Table(
    "AzureMetrics",
    "Metrics of resources: the sum, number, extremes and mean of what was measured within one minute.",
    (
        TIME,
        *strings("""
            Resource          Name of the resource, upper case.
            ResourceGroup     Its resource group, upper case.
            ResourceId        ARM id of the resource, upper case.
            ResourceProvider  Such as `MICROSOFT.APIMANAGEMENT`.
            SubscriptionId    Id of the Azure subscription.
            MetricName        Such as `Requests`.
        """),
        *reals("""
            Total             Sum of the values.
            Count             How many there were.
            Maximum           The greatest.
            Minimum           The least.
            Average           Total / Count.
        """),
        *strings("""
            TimeGrain         Always `PT1M`.
            UnitName          Such as `Count` or `MilliSeconds`.
        """),
        *STANDARD,
    ),
)


@dataclass(slots=True)
class Measure:
    """One metric within one minute, gathered sample by sample."""

    total: float = 0.0
    count: int = 0
    maximum: float = 0.0
    minimum: float = 0.0

    def add(self, value: float) -> None:
        if not self.count:
            self.maximum = self.minimum = value
        elif value > self.maximum:
            self.maximum = value
        elif value < self.minimum:
            self.minimum = value
        self.total += value
        self.count += 1

    def merge(self, other: Measure) -> None:
        if other.count:
            self.maximum = other.maximum if not self.count else max(self.maximum, other.maximum)
            self.minimum = other.minimum if not self.count else min(self.minimum, other.minimum)
            self.total += other.total
            self.count += other.count


def metric_row(resource_id: str, metric: str, unit: str, minute_ns: int, measure: Measure) -> dict[str, Any]:
    """The row of one metric in the minute that begins then (unix ns). A measure without samples has no row."""
    parts = resource_id.upper().split("/")
    after = dict(zip(parts[1::2], parts[2::2], strict=False))
    return {
        "TimeGenerated": minute_ns,
        "Resource": parts[-1],
        "ResourceGroup": after.get("RESOURCEGROUPS", ""),
        "ResourceId": resource_id.upper(),
        "ResourceProvider": after.get("PROVIDERS", ""),
        "SubscriptionId": after.get("SUBSCRIPTIONS", "").lower(),
        "MetricName": metric,
        "Total": float(measure.total),
        "Count": float(measure.count),
        "Maximum": measure.maximum,
        "Minimum": measure.minimum,
        "Average": measure.total / measure.count,
        "TimeGrain": "PT1M",
        "UnitName": unit,
    }
