"""`aforo init --upstream` in one step: a server that speaks OpenAI behind the gate, for both families of clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from openai import AzureOpenAI, OpenAI
from openai.types.chat import ChatCompletion

from tests.support.answering import Request, Response, answering
from tests.support.system import eventually, running_system

KEY = "the-servers-own-key"


def hello(client: OpenAI, model: str) -> ChatCompletion:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello!"}])


def test_a_server_that_speaks_openai(tmp_path: Path) -> None:
    seen: list[Request] = []

    def server(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return Response(401, b'{"error": {"message": "no such key"}}')
        if request.path == "/v1/models":
            return Response(body=b'{"object": "list", "data": [{"id": "llama3:8b"}]}')
        seen.append(request)
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": json.loads(request.body)["model"],
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Good day"}}
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        }
        return Response(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})

    file = tmp_path / "aforo.yaml"
    environment = {**os.environ, "THE_KEY": KEY}

    def aforo(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "aforo", *arguments], env=environment, check=True, timeout=60)

    with answering(server) as url:
        aforo("init", "--upstream", url, "--key-env", "THE_KEY", str(file))
        assert KEY not in file.read_text()
        with running_system(tmp_path) as system:
            aforo("apply", str(file), "--data", str(system.data))
            azure = AzureOpenAI(
                azure_endpoint=system.gateway, api_key=system.key, api_version="2024-10-21", max_retries=0
            )
            plain = OpenAI(base_url=f"{system.gateway}/openai/v1/", api_key=system.key, max_retries=0)
            with azure, plain:
                for client in (azure, plain):
                    answer = hello(client, "llama3:8b")
                    assert answer.choices[0].message.content == "Good day"
            assert [request.path for request in seen] == ["/v1/chat/completions"] * 2
            assert [json.loads(request.body)["model"] for request in seen] == ["llama3:8b"] * 2
            # What opens the gate stays at the gate, what opens the server stays behind it.
            assert all(system.key not in json.dumps(request.headers) for request in seen)
            kql = "ApiManagementGatewayLogs | where ResponseCode == 200"
            rows = eventually("both rows", lambda: found if len(found := system.query(kql)) == 2 else None)
            assert KEY not in json.dumps(rows)


def test_the_identity_that_the_environment_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on App Service: the gateway asks the identity endpoint of its environment, and the server sees that token."""
    seen: list[Request] = []

    def server(request: Request) -> Response:
        path = request.path.partition("?")[0]
        if path == "/msi/token":
            seen.append(request)
            ends = str(int(time.time()) + 86_400)
            token = {"access_token": "a-token-of-the-cloud", "expires_on": ends, "token_type": "Bearer"}
            return Response(body=json.dumps(token).encode(), headers={"Content-Type": "application/json"})
        if path == "/openai/models":
            return Response(body=b'{"object": "list", "data": [{"id": "gpt-4o"}]}')
        if not path.endswith("/chat/completions"):
            return Response(404, b'{"error": {"message": "no such path"}}')
        seen.append(request)
        return Response(body=b'{"choices": []}', headers={"Content-Type": "application/json"})

    file = tmp_path / "aforo.yaml"
    with answering(server) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "of-this-machine")
        command = [sys.executable, "-m", "aforo"]
        init = [*command, "init", "--upstream", f"{url}/openai", "--identity", "managed", str(file)]
        subprocess.run(init, check=True, timeout=60)
        # The lab runs first, with the local account's own identity: applying the file switches to the environment's.
        with running_system(tmp_path) as system:
            subprocess.run([*command, "apply", str(file), "--data", str(system.data)], check=True, timeout=60)
            azure = AzureOpenAI(
                azure_endpoint=system.gateway, api_key=system.key, api_version="2024-10-21", max_retries=0
            )
            with azure:
                hello(azure, "gpt-4o")
    # The first token is `init`'s own, with which it looked at the models.
    *_, asked, called = seen
    assert [r.path.partition("?")[0] for r in (asked, called)] == [
        "/msi/token",
        "/openai/deployments/gpt-4o/chat/completions",
    ]
    assert asked.headers["x-identity-header"] == "of-this-machine"
    assert "resource=https" in asked.path
    assert called.headers["authorization"] == "Bearer a-token-of-the-cloud"
    assert "api-key" not in called.headers
