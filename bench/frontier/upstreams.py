"""What answers the frontier's calls: nginx at once and of any size, and behind it the scripted upstream that waits or streams."""

from __future__ import annotations

import sys
from pathlib import Path

from bench import neighbours
from bench.open_loop import padded_answer
from bench.processes import Process, free_port
from bench.proxies import BODY_LIMIT_MB, KEPT

_UPSTREAM = """
  upstream scripted {{ server 127.0.0.1:{scripted}; keepalive {kept}; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ /deployments/(stream|delay-[0-9]+)/ {{
      proxy_pass http://scripted; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
    location ~ /deployments/size-(?<size>[0-9]+)/ {{
      # The whole request is read before it is answered, as a model does: who mirrors a request wants its body.
      mirror /dropped; client_body_buffer_size {limit}m;
      # A file has no POST; it is given all the same.
      rewrite ^ /answer-$size.json break; root {folder}; error_page 405 =200 /answer-$size.json;
    }}
    location = /dropped {{ internal; return 204; }}
    location /answer- {{ internal; root {folder}; default_type application/json; }}
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
"""


def scripted(folder: Path) -> Process:
    """The upstream that waits or streams, as its deployment's name says."""
    port = free_port()
    program = [sys.executable, "-m", "bench.frontier.scripted_upstream", str(port)]
    return Process(program, port, folder / "scripted.log")


def fast(folder: Path, scripted_port: int, sizes: tuple[int, ...]) -> Process:
    """nginx that answers at once, with as many bytes as the deployment's name says; others it asks the scripted one."""
    port = free_port()
    for size in sizes:
        (folder / f"answer-{size}.json").write_text(padded_answer(neighbours.ANSWER, size))
    text = _UPSTREAM.format(
        port=port,
        scripted=scripted_port,
        kept=KEPT,
        folder=folder,
        limit=BODY_LIMIT_MB,
        answer=neighbours.ANSWER,
    )
    return neighbours.nginx(folder, "upstream", port, text)
