"""A call into an ASGI application without a socket: what was sent, what came back, chunk by chunk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: Any,
    method: str,
    target: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | str | dict[str, Any] | None = None,
    client: tuple[str, int] = ("127.0.0.1", 40000),
    leave: Callable[[Answer], bool] | None = None,
) -> Answer:
    """One request. `leave(answer)` true after a chunk means the client goes away then."""
    path, _, query = target.partition("?")
    data = json.dumps(body).encode() if isinstance(body, dict) else (body or b"")
    data = data.encode() if isinstance(data, str) else data
    sent = {"host": "127.0.0.1:8082", "content-length": str(len(data)), **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
        "client": client,
        "server": ("127.0.0.1", 8082),
        "state": {},
    }
    answer = Answer()
    gone = asyncio.Event()
    given = False

    async def receive() -> dict[str, Any]:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": data, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            if message.get("body"):
                answer.chunks.append(message["body"])
            if not message.get("more_body"):
                gone.set()
        if leave is not None and leave(answer):
            gone.set()

    await app(scope, receive, send)
    return answer


def run_call(app: Any, method: str, target: str, **options: Any) -> Answer:
    """`call` for tests that are not coroutines."""
    return asyncio.run(call(app, method, target, **options))
