"""Two regions behind the lab's API: one is throttled, cut in the middle of a stream, killed, then both are; what clients
see of it, what the record says, and what `aforo status` shows."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, AzureOpenAI, InternalServerError

from aforo.control.lab import lab_yaml
from tests.support.system import System, eventually, running_system

RETRY = """
            <backend>
              <retry condition="@(context.Response.StatusCode == 429 || context.Response.StatusCode >= 500)" count="2" interval="0" first-fast-retry="true">
                <forward-request buffer-request-body="true" timeout="5" />
              </retry>
            </backend>"""
REGION = """
      {name}:
        url: {url}
        protocol: http
        circuitBreaker:
          rules:
            - name: busy
              failureCondition:
                count: 1
                interval: PT1M
                statusCodeRanges: [{{min: 429, max: 429}}, {{min: 500, max: 599}}]
              tripDuration: PT1H
              acceptRetryAfter: true"""
POOL = """
      regions:
        pool:
          services: [{id: /backends/east, priority: 1}, {id: /backends/west, priority: 2}]

"""


class Region:
    """Answers every request with `says`, and closes the connection."""

    def __init__(self) -> None:
        self.says = b""
        self.heard = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    data = b""
                    while b"\r\n\r\n" not in data:
                        data += connection.recv(65_536)
                    head, _, body = data.partition(b"\r\n\r\n")
                    size = next(
                        int(line.split(b":")[1])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length")
                    )
                    while len(body) < size:
                        body += connection.recv(65_536)
                    self.heard += 1
                    connection.sendall(self.says)

    def kill(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def answer(status: int, body: bytes, *more: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d x" % status, b"content-type: application/json", b"connection: close"]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), *more, b"", body])


def completion(text: str) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    whole = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    return answer(200, json.dumps(whole).encode())


def half_a_stream() -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": "half"}}
    event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    data = b"data: %b\n\n" % json.dumps(event).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n" % (len(data), data)


@contextmanager
def two_regions(folder: Path) -> Iterator[tuple[System, Region, Region]]:
    east, west = Region(), Region()
    own = '<set-backend-service base-url="{{openai-endpoint}}/openai" />'
    text = lab_yaml().replace(own, '<set-backend-service backend-id="regions" />', 1)
    text = text.replace("            </inbound>\n", f"            </inbound>{RETRY}\n", 1)
    both = "".join(REGION.format(name=n, url=r.url) for n, r in (("east", east), ("west", west)))
    backends = f"    privateEgress: [127.0.0.0/8]\n    backends:{both}{POOL}"
    text = text.replace("    loggers:\n", f"{backends}    loggers:\n", 1)
    file = folder / "aforo.yaml"
    file.write_text(text)
    with running_system(folder, config=file) as system:
        yield system, east, west


def taken_out(system: System) -> list[tuple[str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "aforo", "status", "--format", "json", "--data", str(system.data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [(h["backend"], h["rule"]) for h in json.loads(done.stdout)["backendsTakenOut"]]


def attempts(row: dict[str, Any]) -> list[tuple[str, Any]]:
    told = row["BackendAttempts"]
    told = json.loads(told) if isinstance(told, str) and told else told or []
    return [(a["backend"], a.get("status") or a["reason"]) for a in told]


def test_a_region_that_fails_costs_no_call(tmp_path: Path) -> None:
    with two_regions(tmp_path) as (system, east, west):
        client = AzureOpenAI(
            azure_endpoint=system.gateway, api_key=system.key, api_version="2024-10-21", max_retries=0
        )

        def chat(**options: Any) -> Any:
            asked = [{"role": "user", "content": "Hello!"}]
            return client.chat.completions.create(model="gpt-4o", messages=asked, **options)

        def said() -> str:
            return str(chat().choices[0].message.content)

        west.says = completion("west")
        # Throttled: the next region answers in the same call. Then its own word lets it in again.
        east.says = answer(429, b"{}", b"retry-after: 5")
        assert said() == "west"
        assert eventually("east is shown", lambda: taken_out(system)) == [("east", "busy")]
        east.says = completion("east")
        eventually("east is back", lambda: said() == "east")
        # Cut in the middle of a stream: the client is told, and nothing is begun again.
        east.says = half_a_stream()
        heard = west.heard
        pieces: list[str] = []
        stream = chat(stream=True)
        with pytest.raises(APIError) as broken:
            pieces.extend(chunk.choices[0].delta.content for chunk in stream)
        assert (pieces, broken.value.code) == (["half"], "BackendConnectionFailure")
        assert west.heard == heard
        # And then both are gone.
        east.kill()
        assert said() == "west"
        west.kill()
        with pytest.raises(InternalServerError) as down:
            chat()
        assert down.value.status_code == 503
        assert 0 < int(down.value.response.headers["retry-after"]) <= 3600
        assert [name for name, _ in taken_out(system)] == ["east", "west"]

        kql = (
            "ApiManagementGatewayLogs | order by TimeGenerated asc"
            " | project ResponseCode, BackendId, Attempts, Aborted, BackendAttempts, BackendRoute"
        )
        rows = eventually("the last row", lambda: found if (found := system.query(kql))[-1:] and found[-1]["ResponseCode"] == 503 else None)  # fmt: skip
        first, cut, last = rows[0], rows[-3], rows[-1]
        assert (first["ResponseCode"], first["BackendId"], first["Attempts"]) == (200, "west", 2)
        assert attempts(first) == [("east", 429), ("west", 200)]
        assert (cut["BackendId"], cut["Aborted"], cut["Attempts"]) == ("east", "backend", 1)
        assert attempts(last) == [("west", "BackendConnectionFailure")]
        passed = json.loads(last["BackendRoute"])["passedOver"]
        assert [(p["backend"], p["why"]) for p in passed] == [
            ("east", "BreakerOpen"),
            ("west", "BreakerOpen"),
        ]
