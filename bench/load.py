"""Load: wrk with a chat body, and single timed calls of streams. It knows no proxy."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.processes import environment, find

CONNECTIONS = 32
PATH = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
STREAM_PATH = "/openai/deployments/stream/chat/completions?api-version=2023-05-15"
# About 300 bytes.
BODY = json.dumps(
    {
        "model": "gpt-35-turbo",
        "messages": [
            {"role": "system", "content": "You are an AI professor who explains things shortly and exactly."},
            {
                "role": "user",
                "content": "Hello! What does an API Management Service in Azure do, and why would one want it?",
            },
        ],
        "temperature": 0.7,
        "max_tokens": 200,
        "user": "bench",
    }
)

_LUA = """
wrk.method = "POST"
wrk.body = [=[{body}]=]
wrk.headers["Content-Type"] = "application/json"
{headers}
{pace}
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %f %f\\n", summary.requests, summary.duration,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
_RESULT = re.compile(r"RESULT (\d+) (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw. `failed` counts answers other than 2xx and 3xx, `broken` connections that failed."""

    calls: int
    seconds: float
    failed: int
    broken: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


def run(
    folder: Path,
    port: int,
    seconds: float,
    *,
    key: str = "none",
    rate: float | None = None,
    path: str = PATH,
    body: str = BODY,
    scheme: str = "http",
    connections: int = CONNECTIONS,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """wrk with one thread and 32 connections for `seconds`; `rate` (calls/s) paces it, else as fast as it goes.

    `headers` are sent in place of the `api-key` with `key`.
    """
    program = find("wrk")
    assert program is not None
    pace = ""
    if rate is not None:
        # wrk waits that long before each request of a connection; starts are spread over one period.
        period_ms = connections / rate * 1000
        pace = f"local n = 0\nfunction delay() n = n + 1; if n <= {connections} then return math.floor(n * {period_ms / connections:.6f}) end; return math.floor({period_ms:.6f} + math.random()) end"
    script = folder / "chat.lua"
    sent = {"api-key": key} if headers is None else headers
    lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in sent.items())
    script.write_text(_LUA.format(body=body, headers=lines, pace=pace))
    url = f"{scheme}://127.0.0.1:{port}{path}"
    command = [
        program,
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "10s",
        "-s",
        str(script),
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    found = _RESULT.search(done.stdout)
    if not found:
        raise RuntimeError(f"wrk said: {done.stdout}{done.stderr}")
    calls, micros, failed, broken = (int(found[i]) for i in range(1, 5))
    return Load(calls, micros / 1e6, failed, broken, float(found[5]) / 1000, float(found[6]) / 1000)


class StreamProbe:
    """Times streams over one kept connection, so that no connect is part of the figure."""

    def __init__(self, port: int, key: str = "none") -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Content-Type": "application/json", "api-key": key}
        self._body = json.dumps({**json.loads(BODY), "stream": True})

    def first_byte_ms(self) -> float:
        """Milliseconds from sending a request to the first byte of its first event; the stream is read to its end."""
        started = time.perf_counter()
        self._connection.request("POST", STREAM_PATH, self._body, self._headers)
        response = self._connection.getresponse()
        first = response.read1(1)
        took_ms = (time.perf_counter() - started) * 1000
        rest = response.read()
        if response.status != 200 or not first or b"data: [DONE]" not in rest:
            raise RuntimeError(f"the stream came with {response.status} and {(first + rest)[-200:]!r}")
        return took_ms

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()
