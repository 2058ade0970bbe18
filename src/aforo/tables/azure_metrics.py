"""AzureMetrics: platform metrics, one row per resource, metric and minute, without dimensions."""

from __future__ import annotations

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
