"""Commands against a system that a small server plays, and against none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from aforo.cli import apply, chat, query, running, status
from aforo.cli.exits import Exit, Failure
from tests.support.answering import Request, Response, answering

TOKEN = "admin-token"
KEY = "subscription-key"


class Played:
    """A data directory whose endpoints lead to a function."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.requests: list[Request] = []
        self.answers: list[Response] = []

    def answer(self, request: Request) -> Response:
        if request.path in ("/livez", "/readyz"):
            return Response()
        self.requests.append(request)
        return self.answers.pop(0)


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    system = Played(tmp_path)
    (tmp_path / "admin").write_text(f"{TOKEN}\n")
    (tmp_path / "key").write_text(f"{KEY}\n")
    with answering(system.answer) as url:
        endpoints = {
            "gateway": url,
            "control": url,
            "admin_token_file": str(tmp_path / "admin"),
            "subscription_key_file": str(tmp_path / "key"),
            "workspace_id": "w-1",
        }
        (tmp_path / "endpoints.json").write_text(json.dumps(endpoints))
        yield system


def test_a_query_goes_to_the_workspace_with_the_admin_token(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    table = {"name": "PrimaryResult", "columns": [{"name": "n", "type": "long"}], "rows": [[3]]}
    played.answers = [Response(body=json.dumps({"tables": [table]}).encode())]
    query.query("T | count", "PT1H", "table", played.data)
    (request,) = played.requests
    assert (request.method, request.path) == ("POST", "/v1/workspaces/w-1/query")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(request.body) == {"query": "T | count", "timespan": "PT1H"}
    assert capsys.readouterr().out == "n\n3\n"


def test_a_mistake_in_a_query_is_code_4_and_a_bug_is_code_1(played: Played) -> None:
    played.answers = [
        Response(400, b'{"error": {"code": "BadArgumentError", "message": "no table X"}}'),
        Response(500, b'{"error": {"code": "InternalServerError", "message": "under 123"}}'),
    ]
    codes = []
    for _ in range(2):
        with pytest.raises(Failure) as caught:
            query.query("X", None, "table", played.data)
        codes.append(caught.value.code)
    assert codes == [Exit.DIAGNOSTICS, Exit.FAILED]


def test_a_partial_answer_is_shown_and_fails(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    table = {"name": "PrimaryResult", "columns": [{"name": "n", "type": "long"}], "rows": [[3]]}
    body = {"tables": [table], "error": {"code": "PartialError", "message": "too many rows"}}
    played.answers = [Response(body=json.dumps(body).encode())]
    with pytest.raises(Failure, match="too many rows"):
        query.query("T", None, "csv", played.data)
    assert capsys.readouterr().out == "n\n3\n"


def test_apply_sends_the_files_and_shows_what_changed(
    played: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state"
    (folder / "apis" / "a").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config.yaml").write_text("not ours")
    (folder / "apis" / "a" / "policy.xml").write_text("<policies/>")
    (folder / "apis" / "a" / "logo.png").write_bytes(b"\x89PNG")
    played.answers = [
        Response(body=b'{"changes": [{"action": "create", "id": "/apis/a"}], "diagnostics": []}')
    ]
    apply.apply(folder, dry_run=True, data=played.data, format="table")
    (request,) = played.requests
    assert request.path == "/aforo/v1/apply"
    sent = json.loads(request.body)
    assert sent == {"path": "state", "files": {"apis/a/policy.xml": "<policies/>"}, "dryRun": True}
    said = capsys.readouterr().out
    assert "/apis/a" in said
    assert "1 change would be made." in said


def test_apply_with_mistakes_is_code_4_and_says_where(
    played: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "aforo.yaml"
    file.write_text("x: 1\n")
    diagnostic = {
        "file": "aforo.yaml",
        "line": 1,
        "column": 1,
        "severity": "error",
        "code": "APP1",
        "message": "no x",
        "hints": ["y?"],
    }
    played.answers = [Response(400, json.dumps({"changes": [], "diagnostics": [diagnostic]}).encode())]
    with pytest.raises(typer.Exit) as caught:
        apply.apply(file, data=played.data, format="table")
    assert caught.value.exit_code == Exit.DIAGNOSTICS
    assert capsys.readouterr().out == "aforo.yaml:1:1: error APP1: no x\n    hint: y?\n"


def test_apply_refuses_what_is_no_text(played: Played, tmp_path: Path) -> None:
    file = tmp_path / "aforo.yaml"
    file.write_bytes(b"a: \xff\xfe")
    with pytest.raises(Failure, match="UTF-8") as caught:
        apply.apply(file, data=played.data)
    assert caught.value.code == Exit.USAGE
    assert played.requests == []


def test_an_export_never_writes_outside_its_folder(played: Played, tmp_path: Path) -> None:
    played.answers = [Response(body=b'{"files": {"../outside.yaml": "x"}}')]
    with pytest.raises(Failure, match="outside"):
        apply.export(tmp_path / "out", data=played.data)
    assert not (tmp_path / "outside.yaml").exists()


@pytest.mark.parametrize(
    ("secrets", "path"), [(False, "/aforo/v1/export"), (True, "/aforo/v1/export?secrets=true")]
)
def test_an_export_with_secrets_is_asked_for_and_private(
    played: Played, tmp_path: Path, secrets: bool, path: str
) -> None:
    played.answers = [Response(body=b'{"files": {"aforo.yaml": "x: 1\\n"}}')]
    apply.export(tmp_path / "out", secrets, played.data)
    assert [request.path for request in played.requests] == [path]
    written = tmp_path / "out" / "aforo.yaml"
    assert written.read_text() == "x: 1\n"
    assert not secrets or written.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("word", ["xml", ""])
def test_a_format_that_is_none_is_code_2(played: Played, tmp_path: Path, word: str) -> None:
    with pytest.raises(Failure, match="--format must be one of table, json") as caught:
        apply.apply(tmp_path / "aforo.yaml", data=played.data, format=word)
    assert caught.value.code == Exit.USAGE


def test_chat_waits_for_a_model_that_loads(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        {"choices": [], "prompt_filter_results": []},
        {"choices": [{"delta": {"role": "assistant"}}]},
        {"choices": [{"delta": {"content": "Good "}}]},
        {"choices": [{"delta": {"content": "day\x1b[2J"}}]},
        {"choices": [], "usage": {"total_tokens": 3}},
    ]
    stream = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events) + b"data: [DONE]\n\n"
    played.answers = [
        Response(503, b'{"error": {"message": "loading"}}', {"Retry-After": "0"}),
        Response(200, stream, {"Content-Type": "text/event-stream"}),
    ]
    chat.chat("Hello", system="Be short.", wait=5, data=played.data)
    assert capsys.readouterr().out == "Good day\\u001b[2J\n"
    assert [r.headers["api-key"] for r in played.requests] == [KEY, KEY]
    messages = json.loads(played.requests[1].body)["messages"]
    assert messages == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello"}]


def _told(played: Played) -> None:
    """The system says which subscription it is, and has one account that stands elsewhere."""
    file = played.data / "endpoints.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "subscription_id": "s"}))
    account = {"id": "/a", "name": "there", "properties": {"endpoint": "http://llm.example/v1"}}
    deployments = [
        {"name": name, "properties": {"model": {"name": model}}}
        for name, model in (("embed", "text-embedding-3"), ("small", "llama"), ("large", "llama"))
    ]
    played.answers = [
        Response(body=json.dumps({"value": listed}).encode()) for listed in ([account], deployments)
    ]


def test_chat_takes_what_is_deployed_where_nothing_is_named(played: Played) -> None:
    _told(played)
    played.answers.append(Response(200, b"data: [DONE]\n\n"))
    chat.chat("Hello", data=played.data)
    assert [r.path.partition("?")[0] for r in played.requests] == [
        "/subscriptions/s/providers/Microsoft.CognitiveServices/accounts",
        "/a/deployments",
        "/openai/deployments/large/chat/completions",
    ]
    # Who names one waits for no list.
    played.answers.append(Response(200, b"data: [DONE]\n\n"))
    chat.chat("Hello", deployment="gpt-4o", data=played.data)
    assert len(played.requests) == 4


def test_status_tells_the_accounts_and_their_deployments(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    _told(played)
    status.status("table", played.data)
    said = capsys.readouterr().out
    assert "there    http://llm.example/v1  embed, large, small" in said


def _streamed(*choices: object) -> Response:
    events = b"".join(b"data: " + json.dumps({"choices": [c]}).encode() + b"\n\n" for c in choices)
    return Response(200, events + b"data: [DONE]\n\n")


def test_chat_bounds_an_answer_and_says_when_it_was_cut(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    said, cut = {"delta": {"content": "and so on"}}, {"delta": {}, "finish_reason": "length"}
    played.answers = [_streamed(said, cut) for _ in range(3)]
    played.answers.append(_streamed(said, {"delta": {}, "finish_reason": "stop"}))
    shown = []
    for bound in (chat.MAX_TOKENS, 7, 0, 7):
        chat.chat("Hello", deployment="m", max_tokens=bound, data=played.data)
        shown.append(capsys.readouterr())
    asked = [json.loads(r.body) for r in played.requests]
    assert [body.get("max_tokens") for body in asked] == [400, 7, None, 7]
    assert not any("max_completion_tokens" in body for body in asked)
    # The answer alone is on stdout.
    assert {each.out for each in shown} == {"and so on\n"}
    assert "cut short: --max-tokens is 400 (0:" in shown[0].err
    assert "cut short: --max-tokens is 7 (0:" in shown[1].err
    assert "longest that the model gives" in shown[2].err
    assert shown[3].err == ""


def test_chat_says_also_of_a_whole_answer_that_it_was_cut(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}
    played.answers = [Response(200, json.dumps(answer).encode())]
    chat.chat("Hello", deployment="m", format="json", data=played.data)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == answer
    assert "--max-tokens is 400" in shown.err


@pytest.mark.parametrize(
    "error",
    [
        {"code": "unsupported_parameter", "param": "max_tokens", "message": "Unsupported parameter."},
        {"message": "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."},
    ],
)
def test_chat_bounds_models_that_know_the_newer_name_alone(
    played: Played, capsys: pytest.CaptureFixture[str], error: dict[str, str]
) -> None:
    refusal = Response(400, json.dumps({"error": error}).encode())
    played.answers = [refusal, _streamed({"delta": {"content": "Good day"}})]
    chat.chat("Hello", deployment="o4-mini", max_tokens=9, wait=0, data=played.data)
    assert capsys.readouterr().out == "Good day\n"
    assert [
        {k: v for k, v in json.loads(r.body).items() if k.startswith("max_")} for r in played.requests
    ] == [{"max_tokens": 9}, {"max_completion_tokens": 9}]
    # Once, and only for that.
    played.answers = [refusal, refusal]
    with pytest.raises(Failure, match="400"):
        chat.chat("Hello", deployment="o4-mini", data=played.data)
    other = {"param": "max_tokens", "code": "invalid_value", "message": "max_tokens is too large: 900000."}
    played.answers = [Response(400, json.dumps({"error": other}).encode())]
    with pytest.raises(Failure, match="too large"):
        chat.chat("Hello", deployment="o4-mini", max_tokens=900_000, data=played.data)
    assert played.answers == []


def test_chat_tells_a_stream_that_was_cut(played: Played) -> None:
    played.answers = [Response(200, b'data: {"choices": [{"delta": {"content": "Good "}}]}\n\n')]
    with pytest.raises(Failure, match="may not be whole"):
        chat.chat("Hello", data=played.data)


def test_chat_shows_what_the_gateway_refused(played: Played) -> None:
    played.answers = [Response(401, b'{ "statusCode": 401, "message": "Access denied." }')]
    with pytest.raises(Failure, match=r"401: Access denied\."):
        chat.chat("Hello", data=played.data)


def test_status_of_a_living_system(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    status.status("json", played.data)
    said = json.loads(capsys.readouterr().out)
    assert said["ready"] is True
    assert [entry["live"] for entry in said["listeners"]] == [True, True]


def test_without_a_system_everything_says_so_with_code_3(tmp_path: Path) -> None:
    file = tmp_path / "aforo.yaml"
    file.write_text("")
    nowhere = tmp_path / "nothing"
    for command in (
        lambda: status.status("table", nowhere),
        lambda: chat.chat("Hello", data=nowhere),
        lambda: apply.apply(file, data=nowhere),
        lambda: query.query("T", None, "table", nowhere),
    ):
        with pytest.raises(Failure) as caught:
            command()
        assert caught.value.code == Exit.UNREACHABLE
        assert str(nowhere) in caught.value.message


def test_a_broken_endpoints_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text("{")
    with pytest.raises(Failure, match="cannot be read"):
        running.read(tmp_path)
