"""ApiManagementGatewayLlmLog: the messages of a call to a language model, in rows of up to 32 KB."""

from __future__ import annotations

from aforo.tables.schema import Table
from aforo.tables.standard import STANDARD, TIME, bools, dynamics, ints, strings

LLM_LOGS = Table(
    "ApiManagementGatewayLlmLog",
    "A header row per call (SequenceNumber 0, with DeploymentName and the token counts), then its messages.",
    (
        TIME,
        *strings("""
            CorrelationId     The id of the call; joins with ApiManagementGatewayLogs.
            OperationName     Always `Microsoft.ApiManagement/GatewayLlmLogs`.
            Region            Where the gateway stands.
            RequestId         The id that the model gave to its answer.
            DeploymentName    The deployment that the client named; empty in rows of messages.
            ModelName         The model that answered; empty in rows of messages.
            ApiVersion        The api-version of the client.
        """),
        *ints("""
            PromptTokens      Tokens of the prompt; null in rows of messages.
            CompletionTokens  Tokens of the answer; null in rows of messages.
            TotalTokens       Both; null in rows of messages.
        """),
        *bools("IsStreamCompletion  Whether the answer was an event stream."),
        *ints("SequenceNumber    0 in the header row; 1, 2, ... in the rows of messages, in their order."),
        *dynamics(
            """
            RequestMessages   Messages of the prompt: an array of `{role, content, ...}`.
            ResponseMessages  Messages of the answer.
        """,
            content=True,
        ),
        *STANDARD,
        *strings("UsageSource       Where the counts come from: `provider`, `estimated`.", ours=True),
        *bools(
            """
            RequestTruncated  Whether messages of the prompt were left out; null in rows of messages.
            ResponseTruncated Whether messages of the answer were left out; null in rows of messages.
        """,
            ours=True,
        ),
        *strings(
            """
            ApiId             The API, as in ApiManagementGatewayLogs.
            ProductId         The product through which the key was valid.
            ApimSubscriptionId The subscription (the key's).
        """,
            ours=True,
        ),
    ),
)
