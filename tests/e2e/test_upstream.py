"""`aforo init --upstream` in one step: real model servers of both wires behind the gate, for both families of clients."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from openai import AzureOpenAI, NotFoundError, OpenAI
from openai.types.chat import ChatCompletion

from tests.support.answering import Request, Response, answering
from tests.support.system import System, call, eventually, running_system

KEY = "the-servers-own-key"
JSON = {"Content-Type": "application/json"}


def hello(client: OpenAI, model: str) -> ChatCompletion:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello!"}])


def aforo(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "aforo", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def azure_client(system: System) -> AzureOpenAI:
    return AzureOpenAI(
        azure_endpoint=system.gateway, api_key=system.key, api_version="2024-10-21", max_retries=0
    )


def listed(*entries: dict[str, str]) -> Response:
    return Response(body=json.dumps({"object": "list", "data": entries}).encode(), headers=JSON)


def completion(request: Request, model: str) -> Response:
    """What a server says to a chat: "Good day", whole or as a stream."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    start = {"id": "1", "created": 1, "model": model}
    said = {"role": "assistant", "content": "Good day"}
    choice = {"index": 0, "finish_reason": "stop"}
    if not json.loads(request.body).get("stream"):
        whole = {
            **start,
            "object": "chat.completion",
            "choices": [{**choice, "message": said}],
            "usage": usage,
        }
        return Response(body=json.dumps(whole).encode(), headers=JSON)
    chunks = [{**start, "object": "chat.completion.chunk", "choices": [{**choice, "delta": said}]}]
    chunks.append({**start, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return Response(
        body="".join([*lines, "data: [DONE]\n\n"]).encode(), headers={"Content-Type": "text/event-stream"}
    )


def rows(system: System, count: int) -> list[dict[str, object]]:
    """The successful calls with the messages' log of each, in their order."""
    kql = """
        ApiManagementGatewayLogs | where ResponseCode == 200
        | join kind=inner (ApiManagementGatewayLlmLog | where SequenceNumber == 0) on CorrelationId
        | project TimeGenerated, BackendId, BackendUrl, DeploymentName=DeploymentName1, ModelName=ModelName1, TotalTokens=TotalTokens1
        | order by TimeGenerated asc"""
    return eventually(f"{count} rows", lambda: found if len(found := system.query(kql)) == count else None)


def test_a_server_that_speaks_openai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Request] = []

    def server(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return Response(401, b'{"error": {"message": "no such key"}}')
        if request.path == "/v1/models":
            return listed({"id": "llama3.1:8b"}, {"id": "text-embedding-3-small"})
        seen.append(request)
        model = json.loads(request.body)["model"]
        if request.path != "/v1/chat/completions" or model != "llama3.1:8b":
            return Response(404, json.dumps({"error": {"message": f"no model {model}"}}).encode())
        return completion(request, model)

    file = tmp_path / "aforo.yaml"
    monkeypatch.setenv("THE_KEY", KEY)
    with answering(server) as url, running_system(tmp_path) as system:
        data = ("--data", str(system.data))
        said = aforo("init", "--upstream", url, "--key-env", "THE_KEY", str(file))
        assert "llama3.1-8b (llama3.1:8b), text-embedding-3-small" in said
        text = file.read_text()
        assert KEY not in text
        # What a user writes beside what was found: callers of gpt-4o get llama.
        line = "    deployments:\n"
        assert text.count(line) == 1
        file.write_text(text.replace(line, f"{line}      gpt-4o: {{model: {{name: llama3.1:8b}}}}\n"))
        aforo("apply", str(file), *data)
        assert "Good day" in aforo("chat", "Hello!", *data)  # what there is: no deployment is named
        assert "Good day" in aforo("chat", "--deployment", "llama3.1-8b", "Hello!", *data)
        plain = OpenAI(base_url=f"{system.gateway}/openai/v1/", api_key=system.key, max_retries=0)
        with azure_client(system) as azure, plain:
            for client in (azure, plain):
                for model in ("gpt-4o", "llama3.1:8b"):
                    answer = hello(client, model)
                    assert answer.choices[0].message.content == "Good day"
                with pytest.raises(NotFoundError) as caught:
                    hello(client, "gpt-5")
                assert caught.value.code == "DeploymentNotFound"
        assert [request.path for request in seen] == ["/v1/chat/completions"] * 6
        assert [json.loads(request.body)["model"] for request in seen] == ["llama3.1:8b"] * 6
        # What opens the gate stays at the gate, what opens the server stays behind it.
        assert all(system.key not in json.dumps(request.headers) for request in seen)
        found = rows(system, 6)
        assert KEY not in json.dumps(found)
        assert {row["BackendUrl"] for row in found} == {f"{url}/v1/chat/completions"}
        assert {(row["BackendId"], row["ModelName"], row["TotalTokens"]) for row in found} == {
            ("upstream", "llama3.1:8b", 5)
        }
        assert [row["DeploymentName"] for row in found] == [
            "gpt-4o",
            "llama3.1-8b",
            "gpt-4o",
            "llama3.1:8b",
            "gpt-4o",
            "llama3.1:8b",
        ]
        status = json.loads(aforo("status", "--format", "json", *data))
        assert status["accounts"] == [
            {
                "name": "upstream",
                "stands": f"{url}/v1",
                "deployments": ["gpt-4o", "llama3.1-8b", "text-embedding-3-small"],
            }
        ]
        # The local account is out of service, and what is exported is applied again without a change.
        served = call("GET", f"{system['account']}/openai/models?api-version=2024-10-21")
        assert served.status == 404
        aforo("export", str(tmp_path / "state"), *data)
        again = aforo("apply", str(tmp_path / "state"), "--dry-run", "--format", "json", *data)
        assert json.loads(again)["changes"] == []


def test_a_server_that_speaks_azures_wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Request] = []

    def server(request: Request) -> Response:
        if request.headers.get("api-key") != KEY:
            return Response(401, b'{"error": {"code": "401", "message": "Access denied"}}')
        path = request.path.partition("?")[0]
        if path == "/openai/models":
            return listed({"id": "gpt-4o-2024-11-20"})
        if path == "/openai/deployments":
            return listed({"id": "my-chat", "model": "gpt-4o"})
        seen.append(request)
        if path in ("/openai/deployments/my-chat/chat/completions", "/openai/v1/chat/completions"):
            return completion(request, "gpt-4o-2024-11-20")
        return Response(404, b'{"error": {"code": "DeploymentNotFound", "message": "there is none"}}', JSON)

    file = tmp_path / "aforo.yaml"
    monkeypatch.setenv("THE_KEY", KEY)
    with answering(server) as url:
        said = aforo("init", "--upstream", f"{url}/openai", "--key-env", "THE_KEY", str(file))
        assert "my-chat (gpt-4o)" in said
        # From the first start on: the installation never has an account of its own.
        with running_system(tmp_path, config=file) as system:
            data = ("--data", str(system.data))
            eventually("the greeting", lambda: "no local account" in system.said())
            assert "sample model" not in system.said()
            assert "Good day" in aforo("chat", "Hello!", *data)
            plain = OpenAI(base_url=f"{system.gateway}/openai/v1/", api_key=system.key, max_retries=0)
            with azure_client(system) as azure, plain:
                for client in (azure, plain):
                    assert hello(client, "my-chat").choices[0].message.content == "Good day"
                # Whether a deployment is there is for Azure to say.
                with pytest.raises(NotFoundError, match="there is none"):
                    hello(azure, "another")
            assert [request.path for request in seen] == [
                "/openai/deployments/my-chat/chat/completions?api-version=2024-10-21",
                "/openai/deployments/my-chat/chat/completions?api-version=2024-10-21",
                "/openai/v1/chat/completions",
                "/openai/deployments/another/chat/completions?api-version=2024-10-21",
            ]
            found = rows(system, 3)
            assert [row["BackendId"] for row in found] == ["upstream", "upstream", "upstream-v1"]
            assert {row["DeploymentName"] for row in found} == {"my-chat"}
            accounts = "/providers/Microsoft.CognitiveServices/accounts?api-version=2024-10-01"
            (account,) = system.admin("GET", f"/subscriptions/{system['subscription_id']}{accounts}").json()[
                "value"
            ]
            assert account["properties"]["endpoint"] == f"{url}/"
            keys = system.admin("POST", f"{account['id']}/listKeys?api-version=2024-10-01")
            assert keys.status == 409


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
