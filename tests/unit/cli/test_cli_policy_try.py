"""`aforo policy try`: what a policy does to a request, without a running system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aforo.cli import policy_try
from aforo.cli.exits import Exit, Failure

POLICY = """\
<policies>
  <inbound>
    <base />
    <set-variable name="team" value="@(context.Request.Headers.GetValueOrDefault("x-team", "none"))" />
    <set-variable name="derived" value="@("{{key}}".ToLower())" />
    <send-request mode="new" response-variable-name="who">
      <set-url>https://who.example/{{path}}?k={{key}}</set-url>
    </send-request>
    <choose>
      <when condition="@(((IResponse)context.Variables["who"]).StatusCode == 404)">
        <return-response><set-status code="403" reason="No" /></return-response>
      </when>
    </choose>
  </inbound>
  <backend>
    <retry condition="@(context.Response.StatusCode == 429)" count="2" interval="1"><forward-request /></retry>
  </backend>
  <outbound><base /><set-header name="x-team"><value>@((string)context.Variables["team"])</value></set-header></outbound>
</policies>
"""
REQUEST = b"""# a comment of an editor
POST /openai/chat?x=1 HTTP/1.1
Host: gate.example
X-Team: blue
Authorization: Bearer CANARY-caller

{"a":1}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "policy.xml").write_text(POLICY)
    (tmp_path / "request.http").write_bytes(REQUEST)
    (tmp_path / "busy.http").write_bytes(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n\r\n")
    (tmp_path / "good.http").write_bytes(b'HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\n{"text":1}')
    (tmp_path / "gone.http").write_bytes(b"404 Not Found\n")
    (tmp_path / "values.yaml").write_text("path: abc\nkey: {value: CANARY-key, secret: true}\n")
    return tmp_path


def attempt(files: Path, **options: Any) -> None:
    given: dict[str, Any] = {
        "request": files / "request.http",
        "values": files / "values.yaml",
        "format": "text",
    }
    policy_try.command(files / "policy.xml", **given | options)


def test_what_goes_out_and_what_comes_back(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt(files, backend=[files / "busy.http", files / "good.http"], api_path="openai")
    said = capsys.readouterr().out
    assert (
        said
        == """\
request of a policy: GET https://who.example/abc?k=*****
sent to the backend: POST https://api/chat?x=1
  x-team: blue
  authorization: *****

  {"a":1}

sent to the backend: POST https://api/chat?x=1
  x-team: blue
  authorization: *****

  {"a":1}

response: 201 Created
  content-length: 3
  x-team: blue

  {"t

variables
  team = blue
  derived = *****
  who = *****
"""
    )


def test_answers_to_requests_of_policies(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt(files, answer=[f"GET https://who.example/abc?k=CANARY-key={files / 'gone.http'}"])
    assert "response: 403 No" in capsys.readouterr().out
    attempt(files, answer=[f"https://who.example/abc?k=CANARY-key={files / 'gone.http'}"])
    assert "response: 403 No" in capsys.readouterr().out


def test_the_trace_has_the_lines_of_the_document(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt(files, trace=True, backend=[files / "busy.http", files / "good.http"])
    said = capsys.readouterr().out
    assert "CANARY" not in said
    assert "    set-variable  policy.xml:4:5  +" in said
    assert '        @(context.Request.Headers.GetValueOrDefault("x-team", "none")) = blue\n' in said
    assert '        @("{{key}}".ToLower()) = *****\n        variable derived: *****\n' in said
    assert said.count("      forward-request  policy.xml:16:") == 2
    attempt(files, trace=True, format="json")
    out = capsys.readouterr().out
    assert "CANARY" not in out
    told = json.loads(out)
    assert told["response"]["status"] == 200
    entry = told["trace"]["traceEntries"]["inbound"][1]
    assert entry["source"] == "set-variable"
    assert entry["place"] == {"file": "policy.xml", "line": 4, "column": 5}
    assert entry["data"]["changes"] == [{"what": "variable", "name": "team", "value": "blue"}]
    attempt(files, format="json")
    assert "trace" not in json.loads(capsys.readouterr().out)


def test_an_error_goes_through_on_error(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = POLICY.replace("<base />", "<base /><set-variable name='n' value='@(int.Parse(\"x\"))' />", 1)
    (files / "policy.xml").write_text(
        text.replace("</policies>", "<on-error><set-status code='418' reason='Tea' /></on-error></policies>")
    )
    attempt(files)
    said = capsys.readouterr().out
    assert said.startswith(
        "error: ExpressionValueEvaluationFailure of set-variable at api/inbound set-variable[1]: "
    )
    assert "response: 418 Tea" in said


@pytest.mark.parametrize(
    ("change", "options", "says", "code"),
    [
        (("policy.xml", b"<policies><inbound><nothing/></inbound></policies>"), {}, "POL0201", Exit.DIAGNOSTICS),
        (("request.http", b"\n\n"), {}, "a request has a first line", Exit.USAGE),
        (("request.http", b"POST\n"), {}, "a request begins with", Exit.USAGE),
        (("request.http", b"GET /\nno header\n"), {}, "no header line", Exit.USAGE),
        (("good.http", b"HTTP/1.1 fine\n"), {"backend": "good.http"}, "a response begins with", Exit.USAGE),
        (("values.yaml", b"- a\n"), {}, "has to map names to values", Exit.USAGE),
        (("values.yaml", b"a: [1\n"), {}, "is not YAML, line 2", Exit.USAGE),
        (("values.yaml", b"a: {secret: true}\n"), {}, "'a' has no value", Exit.USAGE),
        (None, {"answer": ["nothing"]}, "--answer wants", Exit.USAGE),
        (None, {"answer": ["https://x=/nowhere"]}, "cannot be read", Exit.USAGE),
        (None, {"scope": "galaxy"}, "--scope", Exit.USAGE),
        (None, {"format": "xml"}, "--format", Exit.USAGE),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    files: Path, change: tuple[str, bytes] | None, options: dict[str, Any], says: str, code: Exit
) -> None:
    if change is not None:
        (files / change[0]).write_bytes(change[1])
    if "backend" in options:
        options = {"backend": [files / options["backend"]]}
    with pytest.raises(Failure) as caught:
        attempt(files, **options)
    assert says in str(caught.value)
    assert caught.value.code == code
