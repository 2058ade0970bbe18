"""Expressions in the manner of real policies: each must compile; a few must not, for a stated reason."""

from __future__ import annotations

import pytest

from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.scopes import Scope
from aforo.source import Source, render

COMPILE = [
    '@(context.Request.Headers.GetValueOrDefault("Authorization","scheme param").Split(\' \').Last())',
    '@(context.Variables.ContainsKey("maxAge") ? int.Parse((string)context.Variables["maxAge"]) : 3600)',
    r'@(Regex.Match(context.Response.Headers.GetValueOrDefault("Cache-Control",""), @"max-age=(?<maxAge>\d+)").Groups["maxAge"]?.Value)',
    '@((bool)((IResponse)context.Variables["tokenstate"]).Body.As<JObject>()["active"] == false)',
    '@(context.Variables["response"] == null || ((IResponse)context.Variables["response"]).StatusCode >= 500)',
    '@($"token={(string)context.Variables["token"]}")',
    '@(context.Request.Method == "POST" && !((Jwt)context.Variables["jwt"]).Claims["group"].Contains("finance"))',
    '@{ var r = context.Response.Body.As<JObject>(); foreach (var k in new [] {"a","b"}) { r.Property(k).Remove(); } return r.ToString(); }',
    '@{ string[] value; if (context.Request.Headers.TryGetValue("Authorization", out value)) { if (value != null && value.Length > 0) { return Encoding.UTF8.GetString(Convert.FromBase64String(value[0])); } } return null; }',
    '@{ return new JObject(new JProperty("requestId", context.RequestId), new JProperty("url", context.Request.Url.ToString())).ToString(); }',
    '@(context.Variables.GetValueOrDefault<int>("attempt", 0) + 1)',
    '@(context.Variables.GetValueOrDefault("attempt", 0) < 3)',
    '@(context.Variables.GetValueOrDefault<string>("a").ToLower().Equals("b"))',
    '@((string)context.Variables.GetValueOrDefault<JObject>("cfg")["name"])',
    '@(new Random(context.RequestId.GetHashCode()).Next(1, 101))',
    '@((context.RequestId.GetHashCode() & 0x7fffffff) % 2 == 0)',
    '@((int)context.Variables["i"] % ((JArray)context.Variables["list"]).Count)',
    '@(((JArray)context.Variables["list"])[(int)context.Variables["i"]]["url"].ToString())',
    '@((JObject)((JArray)context.Variables["list"])[0])',
    '@(context.Response != null && (context.Response.StatusCode == 429 || context.Response.StatusCode.ToString().StartsWith("5")))',
    '@(context.Response.StatusCode >= 200 && context.Response.StatusReason.Contains("OK"))',
    '@(context.Request.Body?.As<JObject>(true)?["stream"]?.Value<bool>() ?? false)',
    '@(context.Request.Body.As<JObject>(preserveContent: true)["messages"].Last["content"].ToString())',
    '@(context.Request.Body.As<string>(preserveContent: true).Length > 1000)',
    '@(context.Request.Url.Path.Split(\'/\').ElementAtOrDefault(3))',
    '@(context.Request.Url.Query.GetValueOrDefault("api-version", "2024-10-21"))',
    '@(context.Request.MatchedParameters["deployment-id"])',
    '@(context.Request.MatchedParameters.GetValueOrDefault("deployment-id", "none"))',
    '@(context.Request.Headers["Host"][0])',
    '@(context.Request.Headers.Where(h => h.Key.StartsWith("x-")).Select(h => h.Key + "=" + string.Join(",", h.Value)).ToArray<string>())',
    '@(context.Request.Headers.GetValueOrDefault("Authorization","").Split(\' \').Last().AsJwt()?.Claims.GetValueOrDefault("oid", ""))',
    '@(context.Request.Headers.GetValueOrDefault("Authorization","").AsBasic().UserId)',
    '@(context.Subscription?.Id ?? "none")',
    '@(context.Product?.Name?.ToString())',
    '@(context.User?.Groups?.Select(g => g.Name).ToList())',
    '@(context.Deployment.Gateway.Id + context.Deployment?.Region)',
    '@(context.Api.ServiceUrl.Host + context.Api.Revision)',
    '@(context.Operation.UrlTemplate + context.Operation.Method)',
    '@(context.Elapsed.TotalMilliseconds > 100)',
    '@(context.Elapsed)',
    '@(context.Timestamp.ToString("o"))',
    '@(DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ"))',
    '@(DateTime.Now.AddSeconds(30) > (DateTime)context.Variables["until"])',
    '@(new DateTimeOffset(DateTime.UtcNow).ToUnixTimeSeconds())',
    '@(DateTimeOffset.UtcNow.AddSeconds(5).ToUnixTimeMilliseconds())',
    '@(Guid.NewGuid().ToString("N").Substring(0, 8))',
    '@(String.IsNullOrEmpty(context.LastError.Message) ? String.Empty : context.LastError.Reason)',
    '@(JsonConvert.SerializeObject(new { source = context.LastError.Source, code = context.Response.StatusCode }))',
    '@((string)((JObject)context.Variables["o"]).SelectToken("$.a[0].b"))',
    '@(((JObject)context.Variables["o"]).Value<string>("name"))',
    '@(((JToken)context.Variables["o"]).SelectToken("a").ToObject<JArray>())',
    '@(System.Net.WebUtility.UrlDecode(context.Request.Headers.GetValueOrDefault("x","")))',
    '@(string.Join(",", new List<string> { "a", "b" }.Where(s => s != "a")))',
    '@{ var list = new JArray(); list.Add(new JObject() { { "url", "https://a" }, { "priority", 1 }, { "isThrottling", false }, { "retryAfter", DateTime.MinValue } }); return list; }',
    '@{ JArray backends = (JArray)context.Variables["b"]; List<int> low = new List<int>(); for (int i = 0; i < backends.Count; i++) { JObject backend = (JObject)backends[i]; if (!backend.Value<bool>("isThrottling")) { low.Add(i); } } if (low.Count == 1) { return low[0]; } if (low.Count > 0) { return low[new Random().Next(0, low.Count)]; } else { return 0; } }',
    '@{ JArray backends = (JArray)context.Variables["b"]; int i = context.Variables.GetValueOrDefault<int>("i"); int retryAfter = Convert.ToInt32(context.Response.Headers.GetValueOrDefault("Retry-After", "-1")); if (retryAfter == -1) { retryAfter = 10; } JObject backend = (JObject)backends[i]; backend["isThrottling"] = true; backend["retryAfter"] = DateTime.Now.AddSeconds(retryAfter); return backends; }',
    '@{ var body = context.Request.Body.As<JObject>(true); if (body.ContainsKey("model") && body["model"].Type == JTokenType.String) { return (string)body["model"]; } return "unknown"; }',
    '@{ try { return context.Request.Body.As<JObject>(true)["model"]?.ToString(); } catch (Exception ex) { context.Trace(ex.Message); return ""; } }',
    '@{ byte[] key = Encoding.UTF8.GetBytes("k"); using (var hmac = new System.Security.Cryptography.HMACSHA256(key)) { return Convert.ToBase64String(hmac.ComputeHash(Encoding.UTF8.GetBytes("v"))); } }',
    '@{ var d = new Dictionary<string, int>() { { "gpt-4", 10 }, { "gpt-35", 20 } }; int v; return d.TryGetValue("gpt-4", out v) ? v : 0; }',
    '@(context.Request.Body.AsFormUrlEncodedContent()["grant_type"].Single())',
    '@(context.Variables.GetValueOrDefault<IResponse>("r")?.StatusCode ?? 0)',
    '@((int)((IResponse)context.Variables["r"]).StatusCode == (Int32)context.Variables["c"])',
    '@(((String)context.Variables["a"]).Contains("b", StringComparison.OrdinalIgnoreCase))',
    '@(context.Request.OriginalUrl.ToString().Contains("/openai/") ? "a" : "b")',
    '@(Convert.ToInt32((string)context.Variables["n"]) / 2.0 * Math.Ceiling(1.5))',
    '@(context.Request.IpAddress == "10.0.0.1" || System.Net.WebUtility.HtmlEncode("<") == "&lt;")',
    '@{ object v; if (context.Variables.TryGetValue("a", out v)) { return v.ToString(); } return context.Variables.GetValueOrDefault("b"); }',
    '@(Regex.IsMatch(context.Request.Method, "^(get|post)$", RegexOptions.IgnoreCase | RegexOptions.Singleline))',
]  # fmt: skip

REFUSED = [
    ("@(context.Request.Heders)", "CS0203"),
    ('@(context.Variables["a"].Foo)', "CS0203"),
    ('@(System.IO.File.Exists("a"))', "CS0202"),
    ('@(context.Api.Id = "x")', "CS0209"),
    ('@("a" + )', "CS0101"),
]


@pytest.mark.parametrize("text", COMPILE)
def test_compiles(text: str) -> None:
    document = f'<policies><outbound><set-variable name="v" value="{text}" /></outbound></policies>'
    result = compile_document(Source("a.xml", document), Scope.API, CompileContext())
    assert result.document is not None, "\n".join(render(result.source, d) for d in result.diagnostics)


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_refused(text: str, code: str) -> None:
    document = f'<policies><outbound><set-variable name="v" value="{text}" /></outbound></policies>'
    result = compile_document(Source("a.xml", document), Scope.API, CompileContext())
    assert [d.code for d in result.diagnostics if d.is_error] == [code]
