"""ApiManagementGatewayLogs: one row per call, with Azure's columns and, at the end, ours."""

from __future__ import annotations

from aforo.tables.schema import Column, ColumnType, Promotion, Table
from aforo.tables.standard import STANDARD, TIME, bools, dynamics, ints, longs, reals, strings

_AZURE = (
    TIME,
    Column("Timestamp", ColumnType.DATETIME, "When the gateway began with the call; the same instant."),
    *strings("""
        CorrelationId     The id of the call; joins with ApiManagementGatewayLlmLog.
        OperationName     Always `Microsoft.ApiManagement/GatewayLogs`.
        Category          Always `GatewayLogs`.
        Region            Where the gateway stands.
    """),
    *bools("IsRequestSuccess  Whether the client got a status of 2xx or 3xx."),
    *longs("""
        TotalTime         Milliseconds from the first byte of the request to the last byte of the response.
        ClientTime        Milliseconds of it spent with the client's connection; empty when none was measured.
        BackendTime       Milliseconds of it spent with the backend.
        CacheTime         Milliseconds of it spent with the cache; empty when none was measured.
    """),
    *strings("""
        CallerIpAddress   Address of the connection's other end; behind a proxy, the proxy's.
        Method            HTTP method of the client.
        Url               Full URL of the client, secrets in its query masked.
        ClientProtocol    Such as `HTTP/1.1`.
        ClientTlsVersion  Such as `1.3`; empty without TLS.
    """),
    *ints("""
        RequestSize       Bytes of the request's body as received.
        ResponseSize      Bytes of the response's body as sent.
        ResponseCode      Status that the client got.
    """),
    *strings("""
        BackendMethod     HTTP method towards the backend; empty where none was called.
        BackendUrl        Full URL of the backend.
        BackendProtocol   Such as `HTTP/1.1`.
    """),
    *ints("BackendResponseCode  Status of the backend; null where none was called."),
    *strings("""
        BackendId         The backend resource, or the member of a pool.
        Cache             `hit`, `miss` or `none`.
        ApiId             The API.
        ApiRevision       Its revision.
        OperationId       The operation, such as `ChatCompletions_Create`.
        ProductId         The product through which the key was valid.
        UserId            The user whose subscription it was.
        ApimSubscriptionId The subscription (the key's), `master` for all APIs.
        WorkspaceId       The API Management workspace of the API.
    """),
    *dynamics("""
        RequestHeaders          Headers of the client that the diagnostic lists.
        ResponseHeaders         Headers that the client got.
        BackendRequestHeaders   Headers towards the backend.
        BackendResponseHeaders  Headers of the backend.
    """),
    *strings(
        """
        RequestBody          Body of the client.
        ResponseBody         Body that the client got; an event stream as the one JSON answer that it amounts to.
        BackendRequestBody   Body towards the backend.
        BackendResponseBody  Body of the backend, in the same form as ResponseBody.
    """,
        content=True,
    ),
    *longs("LastErrorElapsed  Milliseconds until the last error."),
    *strings("""
        LastErrorMessage  What was wrong.
        LastErrorReason   Its code, such as `SubscriptionKeyInvalid`.
        LastErrorScope    `global`, `product`, `api` or `operation`.
        LastErrorSection  `inbound`, `backend`, `outbound` or `on-error`.
        LastErrorSource   The policy, or the built-in step.
    """),
    *dynamics("""
        Errors            All errors of the call.
        TraceRecords      What `trace` policies wrote.
    """),
    *bools("""
        IsTraceRequested  Whether a trace was asked for.
        IsTraceAllowed    Whether it was allowed.
        IsTraceExpired    Whether the permission had run out.
        IsMasterTrace     Whether the master key asked.
    """),
    *STANDARD,
)

# logs/spending.py fills them.
SPENDING = (
    *longs(
        """
        PromptAudioTokens     Tokens of the prompt that were heard; part of PromptTokens.
        CompletionAudioTokens Tokens of the answer that were spoken; part of CompletionTokens.
        PromptImageTokens     Tokens of the prompt that were pictures; part of PromptTokens.
        CompletionImageTokens Tokens of the answer that were pictures; part of CompletionTokens.
    """,
        ours=True,
    ),
    *dynamics("Usage             The `usage` of the answer as the provider wrote it.", ours=True),
    *reals(
        "Cost              What the call cost by the prices of its day; null where tokens or price are not known.",
        ours=True,
    ),
    *strings(
        """
        CostCurrency      Such as `USD`.
        CostBasis         The row of the price table: `own` for one of the configuration, model, day.
    """,
        ours=True,
    ),
    *bools(
        """
        PromptFiltered    Whether a content filter refused the prompt; null where none spoke of it.
        CompletionFiltered Whether a content filter cut the answer; null where none spoke of it.
    """,
        ours=True,
    ),
    *strings(
        """
        ContentFilterCategories What filters found in either, in alphabetical order, with commas between.
        CallerObjectId    Who called, by a validated token: its `oid`, else its `sub`.
        CallerApplicationId The application of that token: `appid`, `azp` or `client_id`.
        CallerName        The name in that token.
        CallerTenantId    The tenant of that token.
        ClaimedCaller     What the client says of itself in the header that the diagnostic names; nobody checked it.
        TraceId           W3C trace context: the trace that the call belongs to.
        SpanId            The call in it; what the backend was told is its parent.
        ParentSpanId      What the client told is its parent.
    """,
        ours=True,
    ),
)

_OURS = (
    *strings("ClientIpAddress   Address of the client, as trusted proxies report it.", ours=True),
    *ints("Attempts          How often a backend was tried.", ours=True),
    *reals("FirstByteTime     Milliseconds until the first byte of the response's body.", ours=True),
    *strings(
        "Aborted           Who left before the end: `client`, `backend`, `gateway`; else empty.", ours=True
    ),
    *bools(
        """
        IsStream          Whether the answer was an event stream.
        StreamComplete    Whether that stream came to its end; null for other answers.
        RequestBodyTruncated          Whether RequestBody holds less than was sent.
        ResponseBodyTruncated         The same for ResponseBody.
        BackendRequestBodyTruncated   The same for BackendRequestBody.
        BackendResponseBodyTruncated  The same for BackendResponseBody.
    """,
        ours=True,
    ),
    *longs(
        """
        BackendRequestSize   Bytes of the body towards the backend.
        BackendResponseSize  Bytes of the backend's body.
    """,
        ours=True,
    ),
    *strings(
        """
        LlmWire           How the bodies read: `chat`, `completions`, `embeddings`, `responses`, `images`, `transcriptions`; else empty.
        DeploymentName    The deployment that the client named.
        ModelName         The model that answered.
        ApiVersion        The api-version of the client.
    """,
        ours=True,
    ),
    *longs(
        """
        PromptTokens      Tokens of the prompt.
        CompletionTokens  Tokens of the answer.
        TotalTokens       Both.
        CachedTokens      Tokens of the prompt that the provider had cached.
        ReasoningTokens   Tokens of the answer that were spent on reasoning.
    """,
        ours=True,
    ),
    *strings(
        """
        UsageSource       Where the counts come from: `provider`, `estimated`; empty without counts.
        FinishReason      Why the first choice ended.
    """,
        ours=True,
    ),
    *dynamics(
        "ContentFilterResults  What the provider's filters said about `prompt` and `completion`.", ours=True
    ),
    *strings(
        "EndUser           The `user` that the caller wrote into the request; nobody checked it.", ours=True
    ),
    *dynamics("CallerClaims      Who called, by a validated token.", ours=True),
    *dynamics(
        """
        BackendAttempts   Each try of a backend, with `backend`, `status` or `reason`, and `time` in ms; null where one good try was all.
        BackendRoute      How the backend was chosen: `asked` (the pool), `affinity` (`new`, `kept`, `moved`), and `passedOver` with each one's `backend`, `why`, `rule` and `left` in ms.
    """,
        ours=True,
    ),
    *SPENDING,
)

# The promoted values of one body share one flag: where any of them has an unexpected type, the text is asked.
_PATHS: tuple[tuple[tuple[str | int, ...], str, ColumnType], ...] = (
    (("model",), "model", ColumnType.STRING),
    (("usage", "prompt_tokens"), "prompt_tokens", ColumnType.LONG),
    (("usage", "completion_tokens"), "completion_tokens", ColumnType.LONG),
    (("usage", "total_tokens"), "total_tokens", ColumnType.LONG),
    (("choices", 0, "finish_reason"), "finish_reason", ColumnType.STRING),
)
_PROMOTED_BODIES = ("ResponseBody", "BackendResponseBody")


def _flag(body: str) -> str:
    return f"_{body}_odd"


PROMOTIONS = tuple(
    Promotion(body, path, f"_{body}_{name}", kind, _flag(body))
    for body in _PROMOTED_BODIES
    for path, name, kind in _PATHS
)

_HIDDEN = tuple(
    column
    for body in _PROMOTED_BODIES
    for column in (
        *(
            Column(p.stored, p.type, f"Promoted from {body}.", hidden=True, ours=True)
            for p in PROMOTIONS
            if p.column == body
        ),
        Column(_flag(body), ColumnType.BOOL, f"{body} has promoted values of another type.", True, True),
    )
)

GATEWAY_LOGS = Table(
    "ApiManagementGatewayLogs",
    "One row per call that passed the gateway: who, what, how long, with which result, and both bodies.",
    (*_AZURE, *_OURS, *_HIDDEN),
    PROMOTIONS,
)
