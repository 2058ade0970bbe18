"""AzureActivity: what was done to resources through the control plane."""

from __future__ import annotations

from aforo.tables.schema import Column, ColumnType, Table
from aforo.tables.standard import STANDARD, TIME, dynamics, strings

AZURE_ACTIVITY = Table(
    "AzureActivity",
    "Writes, deletions and actions on resources: who, when, with which result.",
    (
        TIME,
        *strings("""
            OperationName           What was done, in words.
            OperationNameValue      The action, such as `MICROSOFT.APIMANAGEMENT/SERVICE/APIS/WRITE`.
            Level                   `Informational`, `Warning`, `Error`.
            ActivityStatus          How it went, in words.
            ActivityStatusValue     `Start`, `Success`, `Failure`.
            ActivitySubstatus       The HTTP status, in words.
            ActivitySubstatusValue  The HTTP status.
            ResourceGroup           The resource group.
            SubscriptionId          Id of the Azure subscription.
            CorrelationId           Ties events of one operation together.
            Caller                  Who did it.
            CallerIpAddress         From where.
            Category                Category, in words.
            CategoryValue           Such as `Administrative`.
            HTTPRequest             The request as JSON text.
            Properties              Properties as JSON text.
            EventDataId             Id of the event.
            Hierarchy               Management groups above the subscription.
            OperationId             Id of the operation.
            Resource                Name of the resource.
            ResourceId              ARM id of the resource.
            ResourceProvider        The provider, in words.
            ResourceProviderValue   Such as `MICROSOFT.APIMANAGEMENT`.
            Authorization           What was checked, as JSON text.
            Claims                  The caller's token, as JSON text without signature.
        """),
        Column("EventSubmissionTimestamp", ColumnType.DATETIME, "When the event was handed in."),
        *dynamics("""
            Properties_d            Properties.
            Authorization_d         What was checked.
            Claims_d                The caller's claims.
        """),
        *STANDARD,
    ),
)
