"""Every member of `context` that Azure's reference of policy expressions lists: (expression, its value as text)."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import pytest

from aforo.policy.context.types import world
from aforo.policy.exchange import Exchange, LastError
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.subject import Group, User
from tests.support.expressions import evaluate
from tests.support.policy_case import API, PRODUCT, exchange_of

CALL = """
POST https://gw.example.com/openai/deployments/gpt/chat/completions?a=1&a=2&b=%20x
Host: gw.example.com
Accept: a
Accept: b
Authorization: Basic dXNlcjpwYXNz

{"model":"m"}
"""


@lru_cache(maxsize=1)
def call() -> Exchange:
    exchange = exchange_of(CALL, ScriptedServices())
    exchange.product = msgspec.structs.replace(PRODUCT, apis=(API,), groups=(Group("g", "G"),))
    exchange.user = User(
        "u", "e@x", "F", "L", "note", 1704067200, (Group("developers", "Developers"),), (("Basic", "e@x"),)
    )
    exchange.variables["n"] = 5
    exchange.variables["s"] = "v"
    return exchange


MEMBERS: list[tuple[str, str | None]] = [
    ("context.Api.Id", "azure-openai"),
    ("context.Api.IsCurrentRevision", "True"),
    ("context.Api.Name", "Azure OpenAI"),
    ("context.Api.Path", "openai"),
    ("context.Api.Revision", "1"),
    ("context.Api.ServiceUrl", "https://api.example/base"),
    ("context.Api.ServiceUrl.Host", "api.example"),
    ("context.Api.Version", ""),
    ("context.Api.Protocols.First()", "https"),
    ("context.Api.SubscriptionKeyParameterNames.Header + context.Api.SubscriptionKeyParameterNames.Query", "api-keyapi-key"),
    ("context.Backend == null", "True"),
    ("context.Backend?.AzureRegion", None),
    ("context.Backend?.Id", None),
    ("context.Backend?.Type == BackendType.Single", "False"),
    ("context.Deployment.Gateway.Id", "managed"),
    ("context.Deployment.Gateway.InstanceId", "managed"),
    ("context.Deployment.Gateway.IsManaged", "True"),
    ("context.Deployment.GatewayId", "managed"),
    ("context.Deployment.Region", "West Europe"),
    ("context.Deployment.ServiceId", "apim"),
    ("context.Deployment.ServiceName", "apim-lab"),
    ("context.Deployment.SustainabilityInfo?.CurrentCarbonIntensity", None),
    ("context.Deployment.Certificates.Count", "0"),
    ('context.Deployment.Certificates.ContainsKey("x")', "False"),
    ('context.Deployment.Certificates.Any(c => c.Value.Thumbprint == "x")', "False"),
    ("context.Elapsed.TotalSeconds >= 0", "True"),
    ("context.Elapsed > TimeSpan.Zero", "True"),
    ("context.GraphQL == null", "True"),
    ('context.GraphQL?.GraphQLArguments["id"]', None),
    ('context.GraphQL?.Parent["id"]', None),
    ("context.LastError == null", "True"),
    ("context.LastError?.Source + context.LastError?.Reason + context.LastError?.Message + context.LastError?.Scope + context.LastError?.Section + context.LastError?.Path + context.LastError?.PolicyId", ""),
    ("context.Operation.Id + context.Operation.Method + context.Operation.Name + context.Operation.UrlTemplate", "chatPOSTChat/deployments/{deployment-id}/chat/completions?api-version={api-version}"),
    ("context.Product.Apis.Count()", "1"),
    ("context.Product.Apis.First().Name", "Azure OpenAI"),
    ('string.Join(",", context.Product.Apis.Select(a => a.Id + a.Path))', "azure-openaiopenai"),
    ("context.Product.ApprovalRequired", "False"),
    ("context.Product.Groups.First().Id + context.Product.Groups.First().Name", "gG"),
    ("context.Product.Id + context.Product.Name", "starterStarter"),
    ("context.Product.State == ProductState.Published", "True"),
    ("context.Product.State", "Published"),
    ("context.Product.SubscriptionsLimit", "5"),
    ("context.Product.SubscriptionLimit ?? 0", "5"),
    ("context.Product.SubscriptionRequired", "True"),
    ('context.Request.Body.As<JObject>(preserveContent: true)["model"]', "m"),
    ("context.Request.Body != null", "True"),
    ("context.Request.Body.As<string>().Length", "13"),
    ("context.Request.Body.As<byte[]>(true).Length", "13"),
    ("context.Request.Certificate == null", "True"),
    ("context.Request.Certificate?.Thumbprint", None),
    ("context.Request.Certificate != null && context.Request.Certificate.Verify()", "False"),
    ("context.Request.Foundry?.Deployment", "gpt"),
    ('context.Request.Headers.GetValueOrDefault("accept", "none")', "a,b"),
    ('context.Request.Headers["Accept"].Length', "2"),
    ('context.Request.Headers["Accept"].First()', "a"),
    ('context.Request.Headers.ContainsKey("ACCEPT")', "True"),
    ('context.Request.Headers.TryGetValue("Accept", out var v) ? v[1] : ""', "b"),
    ("context.Request.Headers.Count", "3"),
    ('string.Join(",", context.Request.Headers.Keys)', "host,accept,authorization"),
    ('string.Join(";", context.Request.Headers.Select(h => h.Key + "=" + string.Join(",", h.Value)))', "host=gw.example.com;accept=a,b;authorization=Basic dXNlcjpwYXNz"),
    ('context.Request.Headers.Where(h => h.Key != "Host").ToDictionary(h => h.Key, h => h.Value.First()).Count', "3"),
    ('string.Join(";", from h in context.Request.Headers orderby h.Key select h.Key)', "accept;authorization;host"),
    ('{ var r = ""; foreach (var h in context.Request.Headers) { r += h.Key + ":" + h.Value[0] + ";"; } return r; }', "host:gw.example.com;accept:a;authorization:Basic dXNlcjpwYXNz;"),
    ("context.Request.IpAddress", "10.1.2.3"),
    ('context.Request.MatchedParameters["deployment-id"]', "gpt"),
    ('context.Request.MatchedParameters.GetValueOrDefault("x", "none")', "none"),
    ('context.Request.MatchedParameters.ContainsKey("deployment-id")', "True"),
    ('context.Request.MatchedParameters.TryGetValue("deployment-id", out string d) ? d : ""', "gpt"),
    ("context.Request.MatchedParameters.Count", "1"),
    ("context.Request.MatchedParameters.Keys.First()", "deployment-id"),
    ("context.Request.Method", "POST"),
    ("context.Request.OriginalUrl", "https://gw.example.com/openai/deployments/gpt/chat/completions?a=1&a=2&b=%20x"),
    ("context.Request.OriginalUrl.Path + context.Request.OriginalUrl.Host + context.Request.OriginalUrl.Port + context.Request.OriginalUrl.Scheme + context.Request.OriginalUrl.QueryString", "/openai/deployments/gpt/chat/completionsgw.example.com443https?a=1&a=2&b=%20x"),
    ("context.Request.Url", "https://api.example/base/deployments/gpt/chat/completions?a=1&a=2&b=%20x"),
    ('context.Request.Url.Path + "|" + context.Request.Url.Host + "|" + context.Request.Url.Port + "|" + context.Request.Url.Scheme + "|" + context.Request.Url.QueryString', "/base/deployments/gpt/chat/completions|api.example|443|https|?a=1&a=2&b=%20x"),
    ('context.Request.Url.Query["a"].Length', "2"),
    ('context.Request.Url.Query.GetValueOrDefault("b")', " x"),
    ('context.Request.Url.Query.GetValueOrDefault("a", "")', "1,2"),
    ('context.Request.Url.Query.ContainsKey("zz")', "False"),
    ('string.Join("&", context.Request.Url.Query.Select(q => q.Key + "=" + q.Value.First()))', "a=1&b= x"),
    ("context.Request.Url.Query.Count", "2"),
    ('context.Request.Url.ToString().Contains("gw")', "False"),
    ("context.Request.PrivateEndpointConnection?.Name + context.Request.PrivateEndpointConnection?.GroupId + context.Request.PrivateEndpointConnection?.MemberName", ""),
    ("context.RequestId", "01234567-89ab-cdef-0123-456789abcdef"),
    ('context.RequestId.ToString("N")', "0123456789abcdef0123456789abcdef"),
    ("context.Response?.StatusCode", None),
    ("context.Response == null", "True"),
    ("context.Response.StatusCode", "0"),
    ('context.Response?.Headers.GetValueOrDefault("x", "d")', None),
    ("context.Response?.Body?.As<JObject>()", None),
    ("context.Subscription.CreatedDate", "11/14/2023 22:13:20"),
    ("context.Subscription.CreatedDate.Year > 1", "True"),
    ("context.Subscription.EndDate", None),
    ("context.Subscription.EndDate.HasValue", "False"),
    ('context.Subscription.EndDate?.ToString("o") ?? "none"', "none"),
    ("context.Subscription.StartDate", None),
    ("context.Subscription.Id + context.Subscription.Name", "team-aTeam A"),
    ("context.Subscription.Key", None),
    ("context.Subscription.PrimaryKey + context.Subscription.SecondaryKey", ""),
    ("context.Timestamp", "07/01/2026 12:00:00"),
    ("context.Timestamp.Kind", "Utc"),
    ("context.Timestamp.AddHours(1) > context.Timestamp", "True"),
    ("context.Tracing", "False"),
    ("context.User.Email + context.User.FirstName + context.User.LastName + context.User.Id + context.User.Note", "e@xFLunote"),
    ('context.User.Groups.Any(g => g.Name == "Developers")', "True"),
    ('string.Join(",", context.User.Groups.Select(g => g.Id))', "developers"),
    ("context.User.Identities.First().Provider + context.User.Identities.First().Id", "Basice@x"),
    ("context.User.RegistrationDate", "01/01/2024 00:00:00"),
    ('context.Variables["n"]', "5"),
    ('(int)context.Variables["n"] + 1', "6"),
    ('context.Variables.ContainsKey("n")', "True"),
    ('context.Variables.GetValueOrDefault<int>("n", 3)', "5"),
    ('context.Variables.GetValueOrDefault("zz", "d")', "d"),
    ('context.Variables.TryGetValue("s", out object o) ? (string)o : ""', "v"),
    ("context.Variables.Count", "2"),
    ('string.Join(",", context.Variables.Keys)', "n,s"),
    ('string.Join(",", context.Variables.Select(v => v.Key + v.Value))', "n5,sv"),
    ('context.Variables.Keys.Contains("n")', "True"),
    ('context.Variables.Any(p => p.Key == "s")', "True"),
    ('{ foreach (var kv in context.Variables) { if (kv.Key == "s") return kv.Value; } return null; }', "v"),
    ("context.Workspace == null", "True"),
    ("context.Workspace?.Id + context.Workspace?.Name", ""),
    ('{ context.Trace("x"); return 1; }', "1"),
    ('{ context.Trace($"x {context.RequestId}"); return 1; }', "1"),
    ('context.Request.Headers.GetValueOrDefault("Authorization","").AsBasic().UserId', "user"),
    ('context.Request.Headers.GetValueOrDefault("Authorization","").TryParseBasic(out var c) ? c.Password : "no"', "pass"),
    ('"x".AsJwt() == null', "True"),
    ('"x".TryParseJwt(out Jwt j) ? j.Id : "bad"', "bad"),
    ('new Dictionary<string, IList<string>> { ["a"] = new List<string> { "1", "2" } }.ToQueryString()', "a=1&a=2"),
    ("((IRequest)context.Request).Method", "POST"),
    ("((IContext)context).Api.Id", "azure-openai"),
    ('(context.Request.Body?.As<JObject>(true)?["stream"]?.Value<bool>()).GetValueOrDefault()', "False"),
    ("context.Request.Headers.GetValueOrDefault(\"Authorization\")?.Split(' ')?.Last()", "dXNlcjpwYXNz"),
    ("context.Request.Body.AsFormUrlEncodedContent().Count", "1"),
    ("context.Request.Headers.Values.First()[0]", "gw.example.com"),
    ('context.Variables.GetValueOrDefault<string>("s").Length', "1"),
    ('new JObject(context.Request.Headers.Select(h => new JProperty(h.Key, string.Join(",", h.Value)))).ToString(Formatting.None)', '{"host":"gw.example.com","accept":"a,b","authorization":"Basic dXNlcjpwYXNz"}'),
    ("JsonConvert.SerializeObject(context.Request.MatchedParameters)", '{"deployment-id":"gpt"}'),
    ("JsonConvert.SerializeObject(context.Request.Headers)", '{"host":["gw.example.com"],"accept":["a","b"],"authorization":["Basic dXNlcjpwYXNz"]}'),
    ("JsonConvert.SerializeObject(context.Variables)", '{"n":5,"s":"v"}'),
    ("JsonConvert.SerializeObject(context.Request.Url.Query)", '{"a":["1","2"],"b":[" x"]}'),
    ("JsonConvert.SerializeObject(context.User.Groups)", '[{"Id":"developers","Name":"Developers"}]'),
    ("JsonConvert.SerializeObject(context.LastError)", "null"),
    ("context.Request.Url.Query.Keys.Any() && context.Request.Url.Query.Values.SelectMany(x => x).Count() == 3", "True"),
    ('{ var h = context.Request.Headers; return string.Join("|", new [] {"Accept","X-None"}.Select(n => h.GetValueOrDefault(n, "-"))); }', "a,b|-"),
    ('context.Request.Headers.Where(h => h.Key.StartsWith("a", StringComparison.OrdinalIgnoreCase)).SelectMany(h => h.Value, (h, v) => h.Key + "=" + v).Last()', "authorization=Basic dXNlcjpwYXNz"),
    ('{ var b = context.Request.Body.As<JObject>(true); b["user"] = context.Subscription?.Id ?? "anonymous"; b["n"] = context.Variables.GetValueOrDefault<int>("n") + 1; return b.ToString(Formatting.None); }', '{"model":"m","user":"team-a","n":6}'),
    ("context.Request.Url.Path.Split(new [] {'/'}, StringSplitOptions.RemoveEmptyEntries).Skip(2).First()", "gpt"),
    ('Regex.Match(context.Request.Url.Path, "/deployments/(?<d>[^/]+)/").Groups["d"].Value', "gpt"),
    ('context.Request.Url.Scheme + "://" + context.Request.Url.Host + (context.Request.Url.Port == 443 ? "" : ":" + context.Request.Url.Port) + context.Request.Url.Path', "https://api.example/base/deployments/gpt/chat/completions"),
    ('context.User.Groups.Select(g => g.Name.ToLowerInvariant()).Intersect(new [] {"developers","admins"}).Any() ? "in" : "out"', "in"),
    ('(from g in context.User.Groups where g.Name != "" select g.Id).First()', "developers"),
    ('new JObject(new JProperty("id", context.RequestId), new JProperty("at", context.Timestamp), new JProperty("status", context.Response?.StatusCode)).ToString(Formatting.None)', '{"id":"01234567-89ab-cdef-0123-456789abcdef","at":"2026-07-01T12:00:00Z","status":null}'),
    ('context.Variables.GetValueOrDefault<bool>("missing") ? 1 : 0', "0"),
    ('((string)context.Variables["s"]).ToUpper() + context.Variables["n"].ToString()', "V5"),
    ('(context.Variables["n"] as int? ?? 0) + 1', "6"),
    ('context.Variables["n"] is int k && k > 3 ? "big" : "small"', "big"),
    ('context.Variables.GetValueOrDefault("n", 0) % 2 == 1', "True"),
    ("(context.RequestId.GetHashCode() & 0x7fffffff) % 100 < 100", "True"),
    ('Convert.ToInt32(context.Variables["n"]) * 2', "10"),
    ('int.Parse(context.Variables["n"].ToString()) + 1', "6"),
    ('$"{context.Api.Name}/{context.Operation.Id} {context.Timestamp:yyyyMMdd} {context.Variables["n"],4}"', "Azure OpenAI/chat 20260701    5"),
    ("context.Request.Url.Query.GetValueOrDefault(\"a\", \"0\").Split(',').Select(int.Parse).Sum()", "3"),
    ('string.Join("&", context.Request.Url.Query.Where(q => q.Key != "b").SelectMany(q => q.Value.Select(v => q.Key + "=" + Uri.EscapeDataString(v))))', "a=1&a=2"),
    ('"{\\"alg\\":\\"none\\"}".Length + context.Api.Path.Length', "20"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MEMBERS, ids=[t for t, _ in MEMBERS])
def test_member(text: str, expected: str | None) -> None:
    assert evaluate(text, world(), call()) == expected


def test_the_last_error_has_all_its_properties() -> None:
    exchange = exchange_of(CALL, ScriptedServices())
    exchange.last_error = LastError("choose", "Bad", "m", scope="api", section="inbound", path="choose[1]")
    shown = '{"Source":"choose","Reason":"Bad","Message":"m","Scope":"api","Section":"inbound","Path":"choose[1]","PolicyId":""}'
    assert evaluate("JsonConvert.SerializeObject(context.LastError)", world(), exchange) == shown
    assert (
        evaluate(
            "context.LastError.Source + context.LastError.Path + context.LastError.Section", world(), exchange
        )
        == "choosechoose[1]inbound"
    )
