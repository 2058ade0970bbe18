"""Every call becomes a row, whole and soon, for the command line and for Azure's own query client."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.support.system import System, call, eventually

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
TOKENS = """ApiManagementGatewayLogs
| where tolower(OperationId) in ('completions_create','chatcompletions_create')
| where ResponseCode  == '200'
| extend modelkey = substring(parse_json(BackendResponseBody)['model'], 0, indexof(parse_json(BackendResponseBody)['model'],
'-', 0, -1, 2))
| extend model = tostring(parse_json(BackendResponseBody)['model'])
| extend prompttokens = parse_json(parse_json(BackendResponseBody)['usage'])['prompt_tokens']
| extend completiontokens = parse_json(parse_json(BackendResponseBody)['usage'])['completion_tokens']
| extend totaltokens = parse_json(parse_json(BackendResponseBody)['usage'])['total_tokens']
| extend ip = CallerIpAddress
| where model !=  ''
| summarize
sum(todecimal(prompttokens)),
sum(todecimal(completiontokens)),
sum(todecimal(totaltokens)),
avg(todecimal(totaltokens))
by ip, model"""
PROMPTS = """ApiManagementGatewayLogs
| where tolower(OperationId) in ('completions_create','chatcompletions_create')
| where ResponseCode  == '200'
| extend model = tostring(parse_json(BackendResponseBody)['model'])
| extend prompttokens = parse_json(parse_json(BackendResponseBody)['usage'])['prompt_tokens']
| extend prompttext = substring(parse_json(parse_json(BackendResponseBody)['choices'])[0], 0, 100)"""
WITHOUT_PIPES = """AzureDiagnostics
take 100
project TimeGenerated, _ResourceId, Category, OperationName"""


def aforo(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as a script calls it."""
    command = [sys.executable, "-m", "aforo", *arguments, "--data", str(system.data)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def ask(system: System, prompt: str, **more: Any) -> str:
    """One marked call; the mark. The mark stands in the URL, which is recorded as it was sent."""
    mark = f"m{uuid.uuid4().hex[1:]}"  # not of a key's form, which a record would not show
    body = {"messages": [{"role": "user", "content": prompt}], **more}
    reply = call("POST", f"{system.gateway}{CHAT}&mark={mark}", body=body, headers={"api-key": system.key})
    assert reply.status == 200, reply.body
    return mark


def row(system: System, mark: str) -> dict[str, Any]:
    """The one row of a marked call."""
    kql = f"ApiManagementGatewayLogs | where Url contains '{mark}'"
    (found,) = eventually("the row of a call", lambda: system.query(kql))
    return found


def test_a_row_carries_both_bodies_whole(lab: System) -> None:
    # Longer than the 8,192 bytes that Azure keeps.
    prompt = "What is written here is long. " * 1000
    found = row(lab, ask(lab, prompt))
    assert json.loads(found["RequestBody"])["messages"][0]["content"] == prompt
    assert json.loads(found["BackendResponseBody"])["usage"]["prompt_tokens"] > 0
    assert found["ResponseCode"] == 200
    assert found["OperationId"].lower() == "chatcompletions_create"
    assert found["CallerIpAddress"] == "127.0.0.1"
    assert lab.key not in json.dumps(found)


def test_a_stream_is_recorded_with_its_usage(lab: System) -> None:
    found = row(lab, ask(lab, "Hello!", stream=True))
    assembled = json.loads(found["ResponseBody"])
    assert assembled["choices"][0]["message"]["content"]


def test_refused_calls_are_recorded_too(lab: System) -> None:
    mark = f"m{uuid.uuid4().hex[1:]}"  # not of a key's form, which a record would not show
    reply = call("POST", f"{lab.gateway}{CHAT}&mark={mark}", body={}, headers={"api-key": "0" * 32})
    assert reply.status == 401
    found = row(lab, mark)
    assert found["ResponseCode"] == 401
    assert found["LastErrorReason"] == "SubscriptionKeyInvalid"
    assert "0" * 32 not in json.dumps(found)


def test_the_queries_of_the_lab_as_printed(lab: System) -> None:
    row(lab, ask(lab, "Hello! What does an API Management Service in Azure do?"))
    done = aforo(lab, "query", TOKENS, "--format", "json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)["tables"][0]
    assert [(c["name"], c["type"]) for c in table["columns"]] == [
        ("ip", "string"),
        ("model", "string"),
        ("sum_prompttokens", "decimal"),
        ("sum_completiontokens", "decimal"),
        ("sum_totaltokens", "decimal"),
        ("avg_totaltokens", "decimal"),
    ]
    (first, *_) = table["rows"]
    assert first[0] == "127.0.0.1"
    assert float(first[2]) + float(first[3]) == float(first[4])
    prompts = aforo(lab, "query", PROMPTS, "--format", "csv")
    assert prompts.returncode == 0, prompts.stderr
    assert prompts.stdout.splitlines()[0].endswith("model,prompttokens,prompttext")


def test_the_query_that_lost_its_pipes_is_told_so(lab: System) -> None:
    done = aforo(lab, "query", WITHOUT_PIPES)
    assert done.returncode == 4
    assert "|" in done.stderr
    assert "pipe" in done.stderr.lower()
    assert "^" in done.stderr
    mended = aforo(lab, "query", "\n| ".join(WITHOUT_PIPES.splitlines()))
    assert mended.returncode == 0, mended.stderr


def test_the_account_writes_its_own_diagnostics(lab: System) -> None:
    ask(lab, "Hello!")
    kql = "AzureDiagnostics | where Category == 'RequestResponse' | where OperationName contains 'ChatCompletions' | take 1"
    (found,) = eventually("a row of the account", lambda: lab.query(kql))
    assert found["ResourceProvider"] == "MICROSOFT.COGNITIVESERVICES"


@pytest.mark.filterwarnings("ignore")
def test_azures_own_query_client_over_https(lab: System) -> None:
    from azure.core.credentials import AccessToken
    from azure.monitor.query import LogsQueryClient, LogsQueryResult

    class Admin:
        def get_token(self, *scopes: str, **options: Any) -> AccessToken:
            return AccessToken(lab.admin_token, 2**31)

    mark = ask(lab, "Hello!")
    row(lab, mark)
    with LogsQueryClient(Admin(), endpoint=lab["control_tls"], connection_verify=lab.ca) as client:
        kql = f"ApiManagementGatewayLogs | where Url contains '{mark}' | project TimeGenerated, ResponseCode"
        answer = client.query_workspace(lab["workspace_id"], kql, timespan=timedelta(hours=1))
    assert isinstance(answer, LogsQueryResult)
    (found,) = answer.tables[0].rows
    assert found["ResponseCode"] == 200
    assert found["TimeGenerated"].tzinfo is not None
