"""The questions of the benchmark: those of the seeds, those that everybody asks, and what SQL by hand is for each."""

from __future__ import annotations

from dataclasses import dataclass

from bench import query_seed
from bench.recorded_calls import DAY_NS, START_NS, WORDS

_LOGS = "ApiManagementGatewayLogs"
_TERM = WORDS[4711]
_END = f"make_timestamptz({(START_NS + DAY_NS) // 1_000})"
_PROMPTS = f"""{_LOGS}
| where tolower(OperationId) in ('completions_create','chatcompletions_create')
| where ResponseCode == '200'
| extend model = tostring(parse_json(BackendResponseBody)['model'])
| extend prompttokens = parse_json(parse_json(BackendResponseBody)['usage'])['prompt_tokens']
| extend prompttext = substring(parse_json(parse_json(BackendResponseBody)['choices'])[0], 0, 100)
| take 1000"""
_JOIN = f"""ApiManagementGatewayLlmLog | where SequenceNumber == 0 | project CorrelationId, TotalTokens
| join kind=inner ({_LOGS} | project CorrelationId, ApimSubscriptionId) on CorrelationId
| summarize sum(TotalTokens) by ApimSubscriptionId"""


@dataclass(frozen=True, slots=True)
class Question:
    """`by_hand` is SQL over `{files}`, the calls' Parquet files, or `{messages}`, those of the messages; empty where it
    would say nothing."""

    name: str
    text: str
    by_hand: str = ""


# `{one}` is the id of a call.
QUESTIONS = (
    Question("tokens by caller and model (seed)", query_seed.QUERY, query_seed.BY_HAND),
    Question("prompts and answers (seed)", _PROMPTS),
    Question(
        "calls per hour",
        f"{_LOGS} | summarize count() by bin(TimeGenerated, 1h)",
        "SELECT date_trunc('hour', TimeGenerated), count(*) FROM read_parquet([{files}]) GROUP BY ALL",
    ),
    Question(
        "percentiles of time per operation",
        f"{_LOGS} | summarize percentiles(TotalTime, 50, 95, 99) by OperationId, ResponseCode",
        "SELECT OperationId, ResponseCode, quantile_disc(TotalTime, [0.5, 0.95, 0.99]) "
        "FROM read_parquet([{files}]) GROUP BY ALL",
    ),
    Question(
        "top users by tokens",
        f"{_LOGS} | extend tokens = tolong(parse_json(BackendResponseBody).usage.total_tokens) "
        "| summarize calls = count(), sum(tokens) by ApimSubscriptionId | top 10 by sum_tokens",
        "SELECT ApimSubscriptionId, count(*), sum(_BackendResponseBody_total_tokens) AS tokens "
        "FROM read_parquet([{files}]) GROUP BY ALL ORDER BY tokens DESC LIMIT 10",
    ),
    Question(
        "last five minutes",
        f"{_LOGS} | where TimeGenerated > ago(5m) | summarize count() by ResponseCode",
        "SELECT ResponseCode, count(*) FROM read_parquet([{files}]) "
        f"WHERE TimeGenerated > {_END} - INTERVAL 5 MINUTE GROUP BY ALL",
    ),
    Question(
        "a day by its start",
        f"{_LOGS} | where startofday(TimeGenerated) == startofday(ago(1h)) | summarize count() by ResponseCode",
    ),
    Question(
        "newest 100, all columns",
        f"{_LOGS} | sort by TimeGenerated desc | take 100",
        "SELECT * FROM read_parquet([{files}]) ORDER BY TimeGenerated DESC LIMIT 100",
    ),
    Question(
        "one call",
        f"{_LOGS} | where CorrelationId == '{{one}}' | project TimeGenerated, Url",
        "SELECT TimeGenerated, Url FROM read_parquet([{files}]) WHERE CorrelationId = '{one}'",
    ),
    Question("messages joined to their calls", _JOIN),
    Question(
        "two paths that are no columns, last day",
        f"{_LOGS} | where TimeGenerated > ago(1d) | extend b = parse_json(BackendResponseBody) "
        "| summarize count(), max(tolong(b.created)) by tostring(b.system_fingerprint)",
    ),
    Question(
        "text, a term in answers",
        f"{_LOGS} | where BackendResponseBody has '{_TERM}' | count",
        f"SELECT count(*) FROM read_parquet([{{files}}]) WHERE lower(BackendResponseBody) LIKE '%{_TERM}%'",
    ),
    Question(
        "text, a part in answers",
        f"{_LOGS} | where BackendResponseBody contains '4711' | count",
        "SELECT count(*) FROM read_parquet([{files}]) WHERE contains(lower(BackendResponseBody), '4711')",
    ),
)
