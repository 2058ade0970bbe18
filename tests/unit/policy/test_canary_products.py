"""Every way in which a secret comes into a call, with every way in which it is changed, at every place that people read."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from aforo.policy.pipeline import EMPTY
from aforo.policy.rehearsing import trial
from aforo.policy.tracing import records as trace_records
from aforo.policy.tracing import trace
from tests.unit.policy.test_canaries import CANARY, WAYS, compiled, exchange_of, services_of

# What is made of the text `t`; each gives a text that must not be read.
CHANGES = {
    "as it is": "t",
    "upper": "t.ToUpper()",
    "a half": "t.Substring(t.Length / 2)",
    "the other half": "t.Substring(0, t.Length / 2)",
    "reversed": "new string(t.Reverse().ToArray())",
    "character by character": 'string.Join("-", t.Select(c => ((int)c).ToString()))',
    "base64": "Convert.ToBase64String(Encoding.UTF8.GetBytes(t))",
    "base64 for URLs": 'Convert.ToBase64String(Encoding.UTF8.GetBytes("ab" + t)).Replace("+", "-").Replace("/", "_").TrimEnd(\'=\')',
    "hex": 'BitConverter.ToString(Encoding.UTF8.GetBytes(t)).Replace("-", "")',
    "a hash": "BitConverter.ToString(new System.Security.Cryptography.SHA256Managed().ComputeHash(Encoding.UTF8.GetBytes(t)))",
    "a URL's": "System.Net.WebUtility.UrlEncode(t)",
    "a pattern's": 'System.Text.RegularExpressions.Regex.Match(t, "(?i)[0-9a-f-]{4,}").Value + "."',
    "through JSON": 'JObject.Parse(new JObject(new JProperty("a", new JArray(t.ToLower()))).ToString())["a"][0].ToString()',
}
# Where it comes to be seen, from the variable `made`.
PLACES = {
    "a header": '<set-header name="x-shown"><value>@((string)context.Variables["made"])</value></set-header>',
    "the name of a header": '<set-header name="@("x" + System.Text.RegularExpressions.Regex.Replace((string)context.Variables["made"], "[^A-Za-z0-9]", ""))"><value>a</value></set-header>',
    "a parameter": '<set-query-parameter name="q"><value>@((string)context.Variables["made"])</value></set-query-parameter>',
    "a path": '<rewrite-uri template="@("/a/" + System.Net.WebUtility.UrlEncode((string)context.Variables["made"]))" />',
    "a host": '<set-backend-service base-url="@("https://h" + System.Text.RegularExpressions.Regex.Replace((string)context.Variables["made"], "[^A-Za-z0-9]", "") + ".example")" />',
    "a body": '<set-body>@("<" + context.Variables["made"] + ">")</set-body>'
    '<set-variable name="b" value="@(context.Request.Body.As<string>(true))" />',
    "what fails": '<set-variable name="n" value="@(int.Parse((string)context.Variables["made"]))" />',
    "what is said and fails": '<set-variable name="n" value="@{ context.Trace((string)context.Variables["made"]); throw new Exception((string)context.Variables["made"]); }" />',
    "a message": '<trace source="@((string)context.Variables["made"])" severity="error"><message>@((string)context.Variables["made"])</message>'
    '<metadata name="@((string)context.Variables["made"])" value="@((string)context.Variables["made"])" /></trace>',
    "a metric": '<emit-metric name="m"><dimension name="d" value="@((string)context.Variables["made"])" /></emit-metric>',
    "a changed object": '<set-variable name="j" value="@(new JObject())" />'
    '<set-variable name="k" value="@{ ((JObject)context.Variables["j"])["x"] = (string)context.Variables["made"]; return 1; }" />'
    '<set-variable name="n" value="@(int.Parse((string)((JObject)context.Variables["j"])["x"]))" />',
    "an answer": '<send-request response-variable-name="r"><set-url>https://elsewhere/</set-url><set-header name="x-k"><value>@((string)context.Variables["made"])</value></set-header></send-request>'
    '<set-variable name="n" value="@(int.Parse(((IResponse)context.Variables["r"]).Body.As<string>(true)))" />',
}  # fmt: skip
ON_ERROR = (
    '<set-variable name="told" value="@(context.LastError.Message)" />'
    '<set-header name="x-error"><value>@(context.LastError.Message)</value></set-header>'
    '<trace source="e" severity="error"><message>@(context.LastError.Message + context.LastError.PolicyId)</message></trace>'
)
# Every pair of a change and a place, each with some way in: no two runs of the suite differ.
_random = random.Random(20261123)
PRODUCTS = [(_random.choice(sorted(set(WAYS) - {"a number"})), c, p) for c in CHANGES for p in PLACES]


def gone(text: str, made: str) -> None:
    """Neither the secret nor what was made of it, nor a large part of that, is there."""
    folded = text.lower()
    assert CANARY.lower() not in folded
    for at in range(0, max(1, len(made) - 7), 4):
        assert made[at : at + 8].lower() not in folded or len(made) < 6, made[at : at + 8]


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_products(change: str, traced: bool) -> None:
    for way, changed, place in PRODUCTS:
        if changed != change:
            continue
        making = f'<set-variable name="made" value="@{{ var t = context.Variables["s"].ToString(); return {CHANGES[change]}; }}" />'
        result = compiled(WAYS[way] + making + PLACES[place], ON_ERROR)
        assert result.document is not None, (place, [d.message for d in result.diagnostics])
        services = services_of()
        exchange = exchange_of(services)
        document = result.document.traced() if traced else result.document
        if traced:
            trace.start(exchange, document.secrets)
        asyncio.run(trial.run(document.bind(EMPTY), exchange, services))
        made = str(exchange.variables.get("made"))
        assert len(made) > 1, (way, change, place)
        outputs = [e.message + e.path + e.policy_id for e in exchange.errors]
        outputs.append(str(exchange.variables.get("told", "")))
        outputs.append(json.dumps(trace_records.shown(exchange, "verbose")))
        outputs.append(json.dumps([d for *_, d in services.metrics.emitted]))
        if traced:
            outputs.append(json.dumps(trace.document(exchange), ensure_ascii=False))
        for output in outputs:
            try:
                gone(output, made)
            except AssertionError as error:
                raise AssertionError(f"{way} / {change} / {place}: {error}\n{output}") from None
