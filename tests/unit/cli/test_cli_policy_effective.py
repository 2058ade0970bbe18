"""`aforo policy effective`: of an APIOps folder, and of a system that a small server plays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aforo.cli import policy_effective
from aforo.cli.exits import Exit, Failure
from tests.support.answering import Request, Response, answering

FILES = {
    "policy.xml": "<policies>\n<inbound><set-method>POST</set-method></inbound>\n</policies>",
    "products/gold/policy.xml": "<policies><inbound>\n<base />\n"
    '<rate-limit calls="{{limit}}" renewal-period="60" /></inbound></policies>',
    "products/silver/productInformation.json": "{}",
    "apis/chat/policy.xml": '<policies><inbound>\n<base />\n<include-fragment fragment-id="{{which}}" />\n'
    "</inbound></policies>",
    "apis/chat/operations/create/policy.xml": "<policies>\n<inbound><base /></inbound></policies>",
    "apis/plain/apiInformation.json": "{}",
    "policy fragments/team/policy.xml": '<fragment>\n<set-variable name="team" value="1" />\n</fragment>',
    "named values/which/namedValueInformation.json": json.dumps({"properties": {"value": "team"}}),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_folder_for_a_person(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy_effective.command("Chat", "create", "gold", folder, "text")
    assert capsys.readouterr().out.splitlines() == [
        "operation  apis/chat/operations/create/policy.xml  1 | <policies>",
        "operation  apis/chat/operations/create/policy.xml  2 |     <inbound>",
        "global     policy.xml                              2 |         <set-method>POST</set-method>",
        "product    products/gold/policy.xml                3 |         "
        '<rate-limit calls="{{limit}}" renewal-period="60" />',
        'api        fragment team                           2 |         <set-variable name="team" value="1" />',
        "operation  apis/chat/operations/create/policy.xml  2 |     </inbound>",
        "                                                     |     <backend />",
        "                                                     |     <outbound />",
        "                                                     |     <on-error />",
        "operation  apis/chat/operations/create/policy.xml  2 | </policies>",
    ]


def test_a_folder_for_a_script(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy_effective.command("chat", "", "", folder, "json")
    told = json.loads(capsys.readouterr().out)
    assert told["value"] == "".join(f"{line['text']}\n" for line in told["lines"])
    assert [line for line in told["lines"] if line["fragment"]] == [
        {
            "text": '        <set-variable name="team" value="1" />',
            "scope": "api",
            "resourceId": "policy fragments/team/policy.xml",
            "fragment": "team",
            "line": 2,
        }
    ]
    assert {line["scope"] for line in told["lines"]} == {"global", "api", None}


def test_an_api_without_a_policy_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policy.xml").unlink()
    policy_effective.command("plain", product="silver", folder=folder, format="text")
    said = capsys.readouterr().out
    assert "global  (default)  1 |         <forward-request />\n" in said


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("chatt", "", ""), "has no API 'chatt'; it has 'chat'."),
        (("zzz", "create", ""), "has no API 'zzz'; it has chat, plain."),
        (("chat", "creat", ""), "has no operation with a policy of its own 'creat'; it has 'create'."),
        (("chat", "", "golden"), "has no product 'golden'; it has 'gold'."),
    ],
)
def test_names_that_are_not_there(folder: Path, names: tuple[str, str, str], says: str) -> None:
    with pytest.raises(Failure) as caught:
        policy_effective.command(*names, folder, "text")
    assert says in caught.value.message
    assert caught.value.code == Exit.USAGE


def test_a_wrong_document_is_code_4(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policy fragments" / "team" / "policy.xml").write_text("<policies />")
    with pytest.raises(Failure, match=r"policy fragments/team/policy\.xml:1:2: POL0103: the root") as caught:
        policy_effective.command("chat", "", "", folder, "text")
    assert caught.value.code == Exit.DIAGNOSTICS
    assert "include-fragment" in capsys.readouterr().out


# --- a running system --------------------------------------------------------------------------------------------

SERVICE = "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim"
LINE = {
    "text": "<policies>\x1b[2J",
    "scope": "api",
    "resourceId": f"{SERVICE}/apis/chat/policies/policy",
    "fragment": None,
    "line": 1,
}


class Played:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.requests: list[Request] = []
        self.answers: list[Response] = []

    def answer(self, request: Request) -> Response:
        if request.path == "/livez":
            return Response()
        if request.method == "GET":
            return Response(body=json.dumps({"value": [{"id": SERVICE}]}).encode())
        self.requests.append(request)
        return self.answers.pop(0)


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    system = Played(tmp_path)
    (tmp_path / "admin").write_text("admin-token\n")
    with answering(system.answer) as url:
        endpoints = {"control": url, "admin_token_file": str(tmp_path / "admin"), "subscription_id": "s-1"}
        (tmp_path / "endpoints.json").write_text(json.dumps(endpoints))
        yield system


def test_a_running_system_is_asked(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    body = {"lines": [LINE], "value": "<policies>\n", "diagnostics": []}
    played.answers = [Response(body=json.dumps(body).encode())]
    policy_effective.command("chat;rev=2", "a b", "gold", None, "text", played.data)
    (request,) = played.requests
    path = request.path.partition("?")[0]
    assert path == f"{SERVICE}/apis/chat;rev=2/operations/a%20b/listEffectivePolicy"
    assert json.loads(request.body) == {"productId": "gold"}
    # A document cannot write to the terminal of who looks at it.
    assert capsys.readouterr().out == "api  chat  1 | <policies>\\u001b[2J\n"


def test_what_the_system_refuses_is_said(played: Played) -> None:
    error = {"error": {"code": "ResourceNotFound", "message": "There is no API 'x'; did you mean 'y'?"}}
    played.answers = [
        Response(404, json.dumps(error).encode()),
        Response(500, b'{"error": {"message": "a bug"}}'),
    ]
    codes = []
    for _ in range(2):
        with pytest.raises(Failure) as caught:
            policy_effective.command("x", data=played.data, format="text")
        codes.append(caught.value.code)
    assert codes == [Exit.USAGE, Exit.FAILED]


def test_the_output_in_the_documentation_is_real(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "policies.md").read_text()
    section = page.partition("## See what runs in the end")[2].partition("\n## ")[0]
    files = re.findall(r"```xml\n(<!-- (.*?) -->\n.*?)```", section, re.DOTALL)
    assert len(files) == 2
    for text, name in files:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    policy_effective.command("chat", folder=tmp_path, format="text")
    assert f"makes\n\n```\n{capsys.readouterr().out}```\n" in section
