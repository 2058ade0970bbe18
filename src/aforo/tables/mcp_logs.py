"""ApiManagementGatewayMCPLog: calls to servers of the Model Context Protocol."""

from __future__ import annotations

from aforo.tables.schema import Table
from aforo.tables.standard import STANDARD, TIME, ints, strings

MCP_LOGS = Table(
    "ApiManagementGatewayMCPLog",
    "One row per message to a server of the Model Context Protocol that passed the gateway.",
    (
        TIME,
        *strings("""
            CorrelationId         The id of the call.
            Method                The protocol's method, such as `tools/call`.
            OperationName         The kind of record.
            ServerName            Name of the server.
            ServerVersion         Its version.
            McpServerEndpoint     Where it answers.
            ProtocolVersion       Version of the protocol.
            ClientName            Name of the client.
            ClientVersion         Its version.
            SessionId             The session.
            ToolName              The tool that was called.
        """),
        *ints("ToolCount             How many tools were listed."),
        *strings("""
            ApiType               `passthrough` or an API of ours.
            AuthenticationMethod  `oauth2`, `api_key`, `cert`, `none`.
            TransportType         `SSE` or `Streamable HTTP`.
            Error                 What was wrong.
            ErrorType             Its kind.
            Region                Where the gateway stands.
        """),
        *STANDARD,
    ),
)
