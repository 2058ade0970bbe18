"""The files that `aforo init` writes are readable, whole, and say what was asked for."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from aforo.cli import init
from aforo.cli.apply import _read
from aforo.cli.exits import Failure
from aforo.cli.upstream import Deployed, Upstream
from aforo.cli.yaml_text import before, replaced
from aforo.control.apply import Resolve, read_files
from aforo.control.desired import DesiredState
from aforo.control.lab import REGION_PORTS, lab_yaml
from aforo.model.kinds.account import ACCOUNT_TYPE, DEPLOYMENT_TYPE
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.backend import BACKEND_TYPE
from aforo.model.kinds.named_value import NAMED_VALUE_TYPE
from tests.support.answering import Request, Response, answering

AZURE = Upstream(
    "azure", "https://192.0.2.1/openai", (Deployed("chat", "gpt-4o", "2024-11-20"), Deployed("embed", "ada"))
)
OPENAI = Upstream("openai", "http://127.0.0.1:11434/v1", (Deployed("llama3-8b", "llama3:8b"),))


def read(path: Path, environment: dict[str, str] | None = None) -> DesiredState:
    """The desired state in a file, as `aforo apply` sends it."""
    resolve = Resolve(str(uuid.UUID(int=1)), lambda *_: str(uuid.UUID(int=2)), environment=environment)
    return asyncio.run(read_files(path.name, _read(path), resolve))


def of_type(state: DesiredState, wanted: str) -> dict[str, Any]:
    return {w.id.name: w.body["properties"] for w in state.resources if w.kind.type == wanted}


@pytest.mark.parametrize("found", [AZURE, OPENAI], ids=["azure", "openai"])
@pytest.mark.parametrize(("key_env", "identity"), [("THE_KEY", False), (None, True), (None, False)])
def test_every_form_reads_without_a_mistake(
    found: Upstream, key_env: str | None, identity: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", 'k"}: {#')
    file = tmp_path / "aforo.yaml"
    file.write_text(init.with_upstream(lab_yaml(), found, key_env=key_env, identity=identity))
    state = read(file)
    assert [str(m) for m in state.mistakes] == []
    backends = of_type(state, BACKEND_TYPE)
    assert backends["upstream"]["url"] == found.base_url
    assert {b["resourceId"] for b in backends.values()} == {"upstream"}
    assert sorted(backends) == (["upstream", "upstream-v1"] if found.wire == "azure" else ["upstream"])
    assert of_type(state, ACCOUNT_TYPE) == {
        "upstream": {"endpoint": "https://192.0.2.1/"}
        if found.wire == "azure"
        else {"endpoint": "http://127.0.0.1:11434/v1", "wire": "openai"}
    }
    models = {name: body["model"] for name, body in of_type(state, DEPLOYMENT_TYPE).items()}
    assert models == (
        {"chat": {"name": "gpt-4o", "version": "2024-11-20"}, "embed": {"name": "ada"}}
        if found.wire == "azure"
        else {"llama3-8b": {"name": "llama3:8b"}}
    )
    values = of_type(state, NAMED_VALUE_TYPE)
    if key_env:
        assert values["upstream-key"]["value"] == 'k"}: {#'
        assert values["upstream-key"]["secret"] is True
    else:
        assert values == {}
        assert "credentials" not in backends["upstream"]
    assert 'k"}: {#' not in file.read_text()
    assert "aoai-activategenai" not in file.read_text()


def test_a_private_server_gets_leave_and_a_public_one_needs_none() -> None:
    private = yaml.safe_load(init.with_upstream(lab_yaml(), OPENAI, key_env=None, identity=False))
    (service,) = private["services"].values()
    assert service["privateEgress"] == ["127.0.0.1:11434"]
    public = Upstream("azure", "https://1.1.1.1/openai", ())
    (service,) = yaml.safe_load(init.with_upstream(lab_yaml(), public, key_env=None, identity=False))[
        "services"
    ].values()
    assert "privateEgress" not in service


@pytest.mark.parametrize("wire", ["openai", "azure"])
def test_hostile_names_of_models_stay_in_their_place(wire: str) -> None:
    evil = "a\nservices: {}"
    hostile = Upstream(wire, "http://127.0.0.1:1/v1", (Deployed("a-services", evil),), (evil, "b"))  # type: ignore[arg-type]
    text = init.with_upstream(lab_yaml(), hostile, key_env=None, identity=False)
    read = yaml.safe_load(text)
    assert list(read["services"]) == list(yaml.safe_load(lab_yaml())["services"])
    assert read["accounts"]["upstream"]["deployments"] == {"a-services": {"model": {"name": evil}}}


def test_an_account_that_lists_models_alone_is_written_without_guesses(tmp_path: Path) -> None:
    silent = Upstream("azure", "https://192.0.2.1/openai", (), ("gpt-4o-2024-11-20",))
    text = init.with_upstream(lab_yaml(), silent, key_env=None, identity=False)
    assert yaml.safe_load(text)["accounts"] == {"upstream": {"endpoint": "https://192.0.2.1/"}}
    assert '# Its models: "gpt-4o-2024-11-20"' in text
    (tmp_path / "aforo.yaml").write_text(text)
    assert read(tmp_path / "aforo.yaml").mistakes == ()


def test_very_many_models_make_no_endless_file() -> None:
    names = tuple(Deployed(f"m{i}", f"m{i}") for i in range(init.MOST_DEPLOYMENTS + 5))
    text = init.with_upstream(
        lab_yaml(), Upstream("openai", "http://127.0.0.1:1/v1", names), key_env=None, identity=False
    )
    assert len(yaml.safe_load(text)["accounts"]["upstream"]["deployments"]) == init.MOST_DEPLOYMENTS
    assert "# It lists 5 more." in text


def test_without_an_upstream_it_is_the_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init.init(tmp_path)
    file = tmp_path / "aforo.yaml"
    assert file.read_text() == lab_yaml()
    assert str(file) in capsys.readouterr().out
    assert [str(m) for m in read(file).mistakes] == []


def test_the_whole_command_against_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ollama(request: Request) -> Response:
        return (
            Response(body=json.dumps({"data": [{"id": "llama3:8b"}]}).encode())
            if request.path == "/v1/models"
            else Response(404)
        )

    with answering(ollama) as url:
        init.init(tmp_path / "mine.yaml", upstream=url)
        assert f"{url}/v1" in (tmp_path / "mine.yaml").read_text()
    said = capsys.readouterr().out
    assert "speaks OpenAI" in said
    assert "llama3-8b (llama3:8b)" in said
    assert "--deployment llama3-8b" in said


def test_a_value_of_the_environment_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    file = tmp_path / "aforo.yaml"
    file.write_text(init.with_upstream(lab_yaml(), AZURE, key_env="THE_KEY", identity=False))
    with pytest.raises(Failure, match="THE_KEY"):
        _read(file)
    # Sent without the value, the system says where it is wanted, and does not look into its own environment.
    resolve = Resolve(
        str(uuid.UUID(int=1)), lambda *_: str(uuid.UUID(int=2)), environment={"THE_KEY": "the system's"}
    )
    state = asyncio.run(read_files("aforo.yaml", {"aforo.yaml": file.read_text()}, resolve))
    (mistake,) = state.mistakes
    assert "THE_KEY" in mistake.message
    assert mistake.place is not None


def test_files_that_a_yaml_names_are_sent_with_it(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.xml").write_text("<policies/>")
    file = tmp_path / "aforo.yaml"
    file.write_text("policy: {file: policies/p.xml}\n")
    assert _read(file) == {"aforo.yaml": "policy: {file: policies/p.xml}\n", "policies/p.xml": "<policies/>"}
    file.write_text("policy: {file: ../outside.xml}\n")
    with pytest.raises(Failure, match="leads out"):
        _read(file)


YAML = """\
# top
a:
  x: 1

  # about b
  b:
    c: 2
    # inside

  # about d
  d: 3
e: 4
"""


def test_blocks_are_replaced_with_their_comment_and_nothing_else() -> None:
    assert replaced(YAML, ("a", "b"), "b: 9") == YAML.replace(
        "  # about b\n  b:\n    c: 2\n    # inside\n", "  b: 9\n    # inside\n"
    )
    assert yaml.safe_load(replaced(YAML, ("a", "d"), "")) == {"a": {"x": 1, "b": {"c": 2}}, "e": 4}
    assert yaml.safe_load(before(YAML, ("*", "d"), "new:\n  - 1")) == {
        "a": {"x": 1, "b": {"c": 2}, "new": [1], "d": 3},
        "e": 4,
    }
    with pytest.raises(KeyError):
        replaced(YAML, ("a", "e"), "")


def test_the_template_of_two_regions_reads_without_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "aforo.yaml"
    init.init(file, template="ha")
    state = read(file)
    assert [str(m) for m in state.mistakes] == []
    backends = of_type(state, BACKEND_TYPE)
    members = backends["regions"]["pool"]["services"]
    assert [m["priority"] for m in members] == [1, 2]
    apis = of_type(state, API_TYPE)
    assert [api["path"] for api in apis.values()] == ["openai", "openai/v1"]
    assert apis["azure-openai-v1"]["subscriptionKeyParameterNames"]["bearer"] == "enabled"
    for name, port in REGION_PORTS.items():
        assert backends[name]["url"] == f"http://127.0.0.1:{port}/openai"
        assert backends[name]["circuitBreaker"]["rules"][0]["acceptRetryAfter"] is True
    assert "aforo demo region east" in capsys.readouterr().out
    with pytest.raises(Failure, match="--upstream goes with the template lab"):
        init.init(tmp_path / "other.yaml", upstream="http://127.0.0.1:1", template="ha")
    with pytest.raises(Failure, match="--template must be one of lab, ha"):
        init.init(tmp_path / "other.yaml", template="hal")
