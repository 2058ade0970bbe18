"""AppTraces: what `trace` policies say, one row per message, with Application Insights' columns."""

from __future__ import annotations

from typing import Final

from aforo.tables.schema import Table
from aforo.tables.standard import STANDARD, TIME, dynamics, ints, strings

# Severity of a `trace` policy -> SeverityLevel.
LEVELS: Final = {"verbose": 0, "information": 1, "warning": 2, "error": 3, "critical": 4}

APP_TRACES = Table(
    "AppTraces",
    "Messages of `trace` policies that are at least as severe as the diagnostic's verbosity. OperationId joins with "
    "CorrelationId of ApiManagementGatewayLogs.",
    (
        TIME,
        *strings("Message           What the policy said; secrets masked."),
        *ints("SeverityLevel     0 verbose, 1 information, 3 error."),
        *dynamics("""
            Properties        The policy's metadata, with Source, ApiId, ApiRevision and OperationName of the call.
            Measurements      Empty.
        """),
        *strings("""
            OperationName     API and operation, such as `azure-openai;rev=1 - ChatCompletions_Create`.
            OperationId       The id of the call.
            ParentId          The same.
            SyntheticSource   Empty.
            SessionId         Empty.
            UserId            The user whose subscription it was.
            UserAuthenticatedId  Empty.
            UserAccountId     The subscription.
            AppVersion        Empty.
            AppRoleName       The service and its region, as API Management names its role.
            AppRoleInstance   Empty.
            ClientType        Empty.
            ClientModel       Empty.
            ClientOS          Empty.
            ClientIP          Address of the client, where the diagnostic wants it.
            ClientCity        Empty.
            ClientStateOrProvince  Empty.
            ClientCountryOrRegion  Empty.
            ClientBrowser     Empty.
            ResourceGUID      Empty.
            IKey              Empty.
            SDKVersion        Empty.
        """),
        *ints("ItemCount         Always 1."),
        *strings("""
            ReferencedItemId  Empty.
            ReferencedType    Empty.
        """),
        *STANDARD,
    ),
)
