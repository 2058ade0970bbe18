"""`aforo init --upstream` in one step: a server that speaks OpenAI behind the gate, for both families of clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from openai import AzureOpenAI, OpenAI

from tests.support.answering import Request, Response, answering
from tests.support.system import eventually, running_system

KEY = "the-servers-own-key"


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
            messages = [{"role": "user", "content": "Hello!"}]
            azure = AzureOpenAI(
                azure_endpoint=system.gateway, api_key=system.key, api_version="2024-10-21", max_retries=0
            )
            plain = OpenAI(base_url=f"{system.gateway}/openai/v1/", api_key=system.key, max_retries=0)
            with azure, plain:
                for client in (azure, plain):
                    answer = client.chat.completions.create(model="llama3:8b", messages=messages)  # type: ignore[arg-type]
                    assert answer.choices[0].message.content == "Good day"
            assert [request.path for request in seen] == ["/v1/chat/completions"] * 2
            assert [json.loads(request.body)["model"] for request in seen] == ["llama3:8b"] * 2
            # What opens the gate stays at the gate, what opens the server stays behind it.
            assert all(system.key not in json.dumps(request.headers) for request in seen)
            kql = "ApiManagementGatewayLogs | where ResponseCode == 200"
            rows = eventually("both rows", lambda: found if len(found := system.query(kql)) == 2 else None)
            assert KEY not in json.dumps(rows)
