"""Which operation a path means."""

from __future__ import annotations

import pytest

from aforo.snapshot import routes
from aforo.snapshot.routes import Router

APIS = {
    "openai": [
        ("POST", "/deployments/{deployment-id}/chat/completions"),
        ("POST", "/deployments/special/chat/completions"),
        ("POST", "/deployments/{deployment-id}/*"),
        ("GET", "/models/?api-version={api-version}"),
        ("GET", "/files/{a}/{b}"),
        ("GET", "/files/x/{b}"),
        ("GET", "/Files/{a}/y"),
    ],
    "openai/v1": [("POST", "/chat/completions"), ("GET", "/{*rest}"), ("MYVERB", "/verb")],
    "": [("GET", "/plain"), ("GET", "/openai/v1-is-not-this")],
}


def router() -> Router[str, str]:
    made: Router[str, str] = Router()
    for path, operations in APIS.items():
        made.add(path or "(root)", path, [(m, t, f"{m} {t}") for m, t in operations])
    return made


def found(method: str, path: str) -> tuple[str, str, str, dict[str, str]] | None:
    match = router().match(method, path)
    return (match.api, match.operation, match.path, match.parameters) if match else None


D = "deployment-id"


@pytest.mark.parametrize(
    ("request_line", "operation", "path", "parameters"),
    [
        ("POST /openai/deployments/gpt/chat/completions", "POST /deployments/{deployment-id}/chat/completions",
         "/deployments/gpt/chat/completions", {D: "gpt"}),
        ("POST /OPENAI/Deployments/GPT/Chat/completions", "POST /deployments/{deployment-id}/chat/completions",
         "/Deployments/GPT/Chat/completions", {D: "GPT"}),
        ("POST /openai/deployments/special/chat/completions", "POST /deployments/special/chat/completions",
         "/deployments/special/chat/completions", {}),
        # A literal that leads nowhere gives way to the parameter beside it.
        ("POST /openai/deployments/special/other", "POST /deployments/{deployment-id}/*",
         "/deployments/special/other", {D: "special", "*": "other"}),
        ("POST /openai/deployments/g%20t/a%2Fb/c", "POST /deployments/{deployment-id}/*",
         "/deployments/g%20t/a%2Fb/c", {D: "g t", "*": "a/b/c"}),
        ("POST /openai/deployments/gpt", "POST /deployments/{deployment-id}/*", "/deployments/gpt", {D: "gpt", "*": ""}),
        ("GET /openai/models", "GET /models/?api-version={api-version}", "/models", {}),
        ("GET /openai/models/", "GET /models/?api-version={api-version}", "/models/", {}),
        ("GET //openai///models", "GET /models/?api-version={api-version}", "/models", {}),
        ("GET /openai/files/x/y", "GET /files/x/{b}", "/files/x/y", {"b": "y"}),
        ("GET /openai/files/z/y", "GET /Files/{a}/y", "/files/z/y", {"a": "z"}),
        ("GET /openai/files/z/q", "GET /files/{a}/{b}", "/files/z/q", {"a": "z", "b": "q"}),
        ("POST /openai/v1/chat/completions", "POST /chat/completions", "/chat/completions", {}),
        ("GET /openai/v1", "GET /{*rest}", "/", {"*": ""}),
        ("GET /openai/v1/models", "GET /{*rest}", "/models", {"*": "models"}),
        ("MYVERB /openai/v1/verb", "MYVERB /verb", "/verb", {}),
        ("GET /plain", "GET /plain", "/plain", {}),
        ("GET /openai/v1-is-not-this", "GET /openai/v1-is-not-this", "/openai/v1-is-not-this", {}),
    ],
)  # fmt: skip
def test_the_operation(request_line: str, operation: str, path: str, parameters: dict[str, str]) -> None:
    method, _, target = request_line.partition(" ")
    match = found(method, target)
    assert match is not None
    assert match[1:] == (operation, path, parameters)


@pytest.mark.parametrize(
    "request_line",
    ["GET /", "GET /openai", "DELETE /openai/models", "GET /openaix/models", "PUT /plain", "GET /plain/more",
     "GET /openai/files/a", "GET /openai/files/a/b/c", "POST /openai/v1/models", "get /plain",
     "GET /openai/v1/./x", "GET /openai/v1/../models", "GET /openai/v1/%2e%2E/models", "GET /openai/v1/a%2f%2e%2e",
     "GET /openai/v1/a%5C..", "GET /openai/v1/..\\a", "GET /openai/v1/a%2F.", ""],
)  # fmt: skip
def test_no_operation(request_line: str) -> None:
    method, _, target = request_line.partition(" ")
    assert found(method, target) is None


def test_dots_inside_a_name_are_a_name() -> None:
    for path in (
        "/openai/v1/a..b",
        "/openai/v1/...",
        "/openai/v1/.well-known",
        "/openai/v1/a%2eb",
        "/openai/v1/%252e%252e",
    ):
        assert found("GET", path) is not None


def test_whose_path_it_is_without_an_operation() -> None:
    made = router()
    assert made.api_of("/OpenAI/v1/nothing") == "openai/v1"
    assert made.api_of("/openai/nothing") == "openai"
    assert made.api_of("/nothing") == "(root)"
    assert Router[str, str]().api_of("/x") is None


def test_the_same_answer_when_remembered() -> None:
    made = router()
    for method, path in (("GET", "/openai/v1/a"), ("GET", "/nothing"), ("POST", "/openai/v1/a")):
        assert made.match(method, path) == made.match(method, path)


def test_a_flood_of_paths_is_no_flood_of_memory() -> None:
    made = router()
    for n in range(3 * routes.MAX_REMEMBERED):
        made.match("GET", f"/openai/v1/{n}")
    assert len(made._remembered) <= routes.MAX_REMEMBERED
    made = router()
    for n in range(100):
        assert made.match("GET", f"/openai/v1/{n:0{routes.MAX_REMEMBERED_LENGTH}}") is not None
    assert not made._remembered


def test_a_deep_path_is_no_deep_stack() -> None:
    match = found("GET", "/openai/v1" + "/a" * 8000)
    assert match is not None
    assert len(match[3]["*"]) == 2 * 8000 - 1
