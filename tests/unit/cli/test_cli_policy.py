"""`aforo policy`: places of mistakes, and the Python of a document, without a running system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from aforo.cli import policy
from aforo.cli.exits import Exit, Failure

GOOD = """\
<policies>
  <inbound>
    <base />
    <set-header name="x-method" exists-action="override"><value>@(context.Request.Method)</value></set-header>
  </inbound>
</policies>
"""
WRONG = GOOD.replace("<base />", "<base />\n    <set-heaer name='x' />").replace(
    "Request.Method", "Request.Foo"
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.xml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.xml"
    path.write_text(WRONG)
    return path


def test_every_mistake_of_every_file_is_shown(
    good: Path, wrong: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught:
        policy.check([good, wrong], format="text")
    assert caught.value.exit_code == Exit.DIAGNOSTICS
    said = capsys.readouterr().out
    assert "good.xml: 0 errors, 0 remarks" in said
    assert "wrong.xml: 2 errors, 0 remarks" in said
    assert "wrong.xml:4:6: error" in said
    assert "set-header" in said
    assert "^^^^^^^^^" in said


def test_a_file_that_cannot_be_read_does_not_hide_the_others(
    good: Path, wrong: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "binary.xml").write_bytes(b"\xff\x80\x81")
    (tmp_path / "windows.xml").write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(typer.Exit) as caught:
        policy.check([tmp_path], format="text")
    assert caught.value.exit_code == Exit.DIAGNOSTICS
    said = capsys.readouterr().out
    assert "binary.xml is not UTF-8 (byte 0)" in said
    assert "windows.xml: 0 errors, 0 remarks" in said
    assert "wrong.xml: 2 errors" in said
    assert "2 of 4 documents compile." in said
    with pytest.raises(Failure, match="UTF-8"):
        policy.check([tmp_path / "binary.xml"], format="text")


def test_a_good_document_is_code_0(good: Path) -> None:
    policy.check([good], format="text")


def test_mistakes_as_json(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        policy.check([wrong], format="json")
    first, second = json.loads(capsys.readouterr().out)
    assert (first["file"], first["line"], first["severity"]) == ("wrong.xml", 4, "error")
    assert second["line"] == 5


def test_explain_shows_python_beside_the_authors_lines(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.explain(good)
    said = capsys.readouterr().out
    compile(said, "explained", "exec")
    assert "async def" in said
    assert "# 4: " in said


def test_explain_of_a_wrong_document_says_what_is_wrong(wrong: Path) -> None:
    with pytest.raises(Failure) as caught:
        policy.explain(wrong)
    assert caught.value.code == Exit.DIAGNOSTICS
    assert "wrong.xml:4:6" in caught.value.message


def test_backends_come_from_the_folder_or_are_assumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = '<set-backend-service backend-id="gpt" />'
    (tmp_path / "policy.xml").write_text(GOOD.replace("<base />", backend))
    policy.check([tmp_path], format="text")
    said = capsys.readouterr().out
    assert "policy.xml:3:38: info POL0304: there is no backend `gpt`" in said
    assert "policy.xml: 0 errors, 1 remark" in said
    (tmp_path / "backends" / "GPT").mkdir(parents=True)
    (tmp_path / "backends" / "GPT" / "backendInformation.json").write_text("{}")
    policy.check([tmp_path], format="text")
    assert "policy.xml: 0 errors, 0 remarks" in capsys.readouterr().out


def test_named_values_and_fragments_come_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "p.xml"
    document.write_text(
        GOOD.replace("<base />", '<base />\n    <include-fragment fragment-id="f" />').replace(
            "@(context.Request.Method)", "{{who}}"
        )
    )
    (tmp_path / "fragments").mkdir()
    (tmp_path / "fragments" / "f.xml").write_text('<fragment><set-variable name="v" value="1" /></fragment>')
    policy.check([document], named_value=["who=me"], fragments=tmp_path / "fragments", format="text")
    assert "p.xml: 0 errors, 0 remarks" in capsys.readouterr().out
    policy.check([document], format="text")
    said = capsys.readouterr().out
    assert "p.xml: 0 errors, 2 remarks" in said
    assert "there is no named value `who`" in said
    assert "there is no policy fragment `f`" in said
    with pytest.raises(Failure):
        policy.explain(document)


def test_an_apiops_tree_tells_scopes_fragments_and_named_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "policy.xml": "<policies><inbound><cors><allowed-origins><origin>*</origin></allowed-origins></cors></inbound></policies>",
        "apis/a/policy.xml": '<policies><inbound><base/><include-fragment fragment-id="f"/></inbound></policies>',
        "apis/a/operations/o/policy.xml": '<policies><inbound><forward-request timeout="{{code}}"/></inbound></policies>',
        "policyFragments/f/policy.xml": '<fragment><set-header name="x"><value>{{who}}</value></set-header></fragment>',
        "namedValues/who/namedValueInformation.json": '{"properties": {"displayName": "who", "value": "me"}}',
        "apis/a/specification.xml": "<wsdl/>",
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with pytest.raises(typer.Exit):
        policy.check([tmp_path])
    said = capsys.readouterr().out
    assert "operations/o/policy.xml:1:21: error" in said  # forward-request has no place in inbound
    assert "there is no named value `code`" in said
    assert "`who`" not in said
    assert "3 of 4 documents compile." in said


def test_wrong_options_are_usage_errors(good: Path) -> None:
    for options in ({"scope": "galaxy"}, {"named_value": ["nonsense"]}):
        with pytest.raises(Failure) as caught:
            policy.check([good], format="text", **options)  # type: ignore[arg-type]
        assert caught.value.code == Exit.USAGE
