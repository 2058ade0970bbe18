"""What `aforo init` finds out about a model server, against servers that answer like the real ones."""

from __future__ import annotations

import json

import pytest

from aforo.cli.exits import Exit, Failure
from aforo.cli.upstream import Deployed, Upstream, probe
from tests.support.answering import Answer, Request, Response, answering

KEY = "k" * 40
TWO = (Deployed("m-1", "m-1"), Deployed("m-2", "m-2"))


def _list(*names: str) -> Response:
    return Response(body=json.dumps({"object": "list", "data": [{"id": n} for n in names]}).encode())


def _openai(request: Request) -> Response:
    if request.path != "/v1/models":
        return Response(404, b"not found")
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return Response(401, b'{"error": {"message": "no such key", "code": "invalid_api_key"}}')
    return _list("m-1", "m-2")


def _ollama(request: Request) -> Response:
    return _list("llama3:8b") if request.path == "/v1/models" else Response(404, b"404 page not found")


def _azure(request: Request) -> Response:
    if request.headers.get("api-key") != KEY:
        return Response(
            401, b'{"error": {"code": "401", "message": "Access denied due to invalid subscription key"}}'
        )
    if request.path.startswith("/openai/models?"):
        return _list("gpt-35-turbo-0125", "gpt-4o-2024-11-20")
    if request.path.startswith("/openai/deployments?"):
        listed = [
            {"id": "chat", "model": "gpt-4o", "status": "succeeded"},
            {"id": "embed", "model": "text-embedding-3-large"},
            {"id": "no name", "model": "of a deployment"},
        ]
        return Response(body=json.dumps({"object": "list", "data": listed}).encode())
    return Response(404, b'{"error": {"code": "404", "message": "Resource not found"}}')


def _azure_without_list(request: Request) -> Response:
    return Response(404) if request.path.startswith("/openai/deployments?") else _azure(request)


@pytest.mark.parametrize(
    ("server", "path", "key", "wire", "base", "deployments", "models"),
    [
        (_openai, "", True, "openai", "/v1", TWO, ()),
        (_openai, "/v1", True, "openai", "/v1", TWO, ()),
        (_openai, "/v1/", True, "openai", "/v1", TWO, ()),
        (_ollama, "", False, "openai", "/v1", (Deployed("llama3-8b", "llama3:8b"),), ()),
        (
            _azure,
            "/openai",
            True,
            "azure",
            "/openai",
            (Deployed("chat", "gpt-4o"), Deployed("embed", "text-embedding-3-large")),
            (),
        ),
        (
            _azure_without_list,
            "/openai",
            True,
            "azure",
            "/openai",
            (),
            ("gpt-35-turbo-0125", "gpt-4o-2024-11-20"),
        ),
    ],
)
def test_the_wire_is_found(
    server: Answer,
    path: str,
    key: bool,
    wire: str,
    base: str,
    deployments: tuple[Deployed, ...],
    models: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    with answering(server) as url:
        found = probe(url + path, key_env="THE_KEY" if key else None, identity=None)
        assert found == Upstream(wire, url + base, deployments, models)  # type: ignore[arg-type]
        assert found.endpoint == (f"{url}/" if wire == "azure" else f"{url}/v1")


def test_models_get_names_that_a_path_can_have() -> None:
    models = (
        "llama3.1:8b",
        "Qwen/Qwen3-8B",
        "other/Qwen3-8B",
        "mistral:latest",
        "llama3.1-8b",
        "x" * 80,
        "x" * 90,
        "日本",
        "gpt-4o",
    )
    with answering(lambda _request: _list(*models, "gpt-4o")) as url:
        found = probe(f"{url}/v1", key_env=None, identity=None)
    assert [(d.name, d.model) for d in found.deployments] == [
        ("llama3.1-8b-2", "llama3.1:8b"),
        ("Qwen3-8B", "Qwen/Qwen3-8B"),
        ("Qwen3-8B-2", "other/Qwen3-8B"),
        ("mistral", "mistral:latest"),
        ("llama3.1-8b", "llama3.1-8b"),
        ("x" * 64, "x" * 80),
        ("x" * 62 + "-2", "x" * 90),
        ("model", "日本"),
        ("gpt-4o", "gpt-4o"),
    ]


def test_a_refused_key_is_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "wrong-and-secret")
    with answering(_openai) as url, pytest.raises(Failure) as caught:
        probe(url, key_env="THE_KEY", identity=None)
    assert "THE_KEY" in caught.value.message
    assert "no such key" in caught.value.message
    assert "wrong-and-secret" not in caught.value.message + caught.value.hint


def test_a_server_that_wants_a_key_says_how_to_give_it() -> None:
    with answering(_openai) as url, pytest.raises(Failure, match="--key-env"):
        probe(url, key_env=None, identity=None)


def test_a_server_without_models_is_told_with_what_was_tried() -> None:
    with answering(lambda _request: Response(404)) as url, pytest.raises(Failure) as caught:
        probe(url, key_env=None, identity=None)
    assert f"GET {url}/v1/models: 404" in caught.value.hint
    assert f"{url}/openai/models" in caught.value.hint


def test_a_page_that_answers_everything_is_no_model_server() -> None:
    with answering(lambda _request: Response(200, b"<html>welcome</html>")) as url, pytest.raises(Failure):
        probe(url, key_env=None, identity=None)


@pytest.mark.parametrize("url", ["", "example", "ftp://x/", "http://", "http://u:p@x/", "http://x/?k=v"])
def test_a_wrong_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(Failure) as caught:
        probe(url, key_env=None, identity=None)
    assert caught.value.code == Exit.USAGE


def test_nobody_there_is_unreachable() -> None:
    with answering(_openai) as url:
        pass
    with pytest.raises(Failure) as caught:
        probe(url, key_env=None, identity=None)
    assert caught.value.code == Exit.UNREACHABLE


def test_an_empty_variable_and_two_credentials_are_usage_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    for options in ({"key_env": "THE_KEY", "identity": None}, {"key_env": "THE_KEY", "identity": "managed"}):
        with pytest.raises(Failure) as caught:
            probe("http://127.0.0.1:1", **options)  # type: ignore[arg-type]
        assert caught.value.code == Exit.USAGE
