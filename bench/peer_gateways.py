"""The gateways that Aforo is measured beside: how each is configured as its documentation says, started, and its log counted."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from bench import load
from bench.processes import ROOT, free_port
from bench.served import Served, tree_cpu_s, tree_mb
from tests.support import postgres

INSTALLED = ROOT / ".tools" / "peers"
WIRE = "/v1/chat/completions"


@dataclass(slots=True)
class Peer:
    """A gateway that runs: where and how it is called, which processes it is, and how many rows its log has."""

    name: str
    port: int
    path: str
    headers: Mapping[str, str]
    pids: Callable[[], list[int]]  # the roots of the gateway's own processes
    body: str = load.BODY
    stream_path: str = ""
    stream_headers: Mapping[str, str] = field(default_factory=dict)
    stream_body: str = ""
    beside: Callable[[], list[int]] = list  # roots of what it needs besides, such as a database
    rows: Callable[[], int] | None = None
    # How long a round waits for its log, and how long the log may hold rows back.
    settles_s: float = 0.0
    holds_s: float = 0.0
    log: str = "none"
    slow: bool = False
    ready_s: float | None = None
    # CPU seconds and MB, where they are not those of the processes' trees.
    own_cpu_s: Callable[[], float] | None = None
    own_mb: Callable[[], float] | None = None
    all_cpu_s: Callable[[], float] | None = None
    all_mb: Callable[[], float] | None = None

    def cpu_s(self) -> float:
        """CPU seconds of the gateway's processes so far."""
        return self.own_cpu_s() if self.own_cpu_s else sum(map(tree_cpu_s, self.pids()))

    def mb(self) -> float:
        """Memory of the gateway's processes."""
        return self.own_mb() if self.own_mb else sum(map(tree_mb, self.pids()))

    @property
    def needs_more(self) -> bool:
        """Whether it needs more than its own processes."""
        return self.all_cpu_s is not None or bool(self.beside())

    def whole_cpu_s(self) -> float:
        """The same with what it needs besides."""
        if self.all_cpu_s:
            return self.all_cpu_s()
        return self.cpu_s() + sum(map(tree_cpu_s, self.beside()))

    def whole_mb(self) -> float:
        """The same with what it needs besides."""
        return self.all_mb() if self.all_mb else self.mb() + sum(map(tree_mb, self.beside()))


def absent(name: str) -> str | None:
    """Why a gateway cannot be measured; None when it is installed."""
    if (INSTALLED / name / ".lock").exists():
        return None
    try:
        return (INSTALLED / f"{name}.why").read_text().strip()
    except OSError:
        return "not installed; `sh bench/peer_versions/install.sh` does it"


def _with(body: str, **changes: object) -> str:
    return json.dumps({**json.loads(body), **changes})


STREAMED = _with(load.BODY, stream=True)
_JSON = {"Content-Type": "application/json"}


def portkey(stack: ExitStack, folder: Path, upstream: int) -> list[Peer]:
    """Portkey's open gateway: one Node process without its console; the provider comes with each call."""
    port = free_port()
    server = str(INSTALLED / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js")
    served = stack.enter_context(
        Served(
            ["node", server, f"--port={port}", "--headless"],
            port,
            folder / "portkey.log",
            env={"NODE_ENV": "production"},
        )
    )

    def headers(path: str) -> dict[str, str]:
        return {
            **_JSON,
            "Authorization": "Bearer none",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{upstream}{path}",
        }

    return [
        Peer(
            "Portkey",
            port,
            WIRE,
            headers("/v1"),
            lambda: [served.pid],
            stream_path=WIRE,
            stream_headers=headers("/deployments/stream/v1"),
            stream_body=STREAMED,
            ready_s=served.ready_s,
            log="none: the open gateway shows calls in its console while one looks and keeps nothing",
        )
    ]


_LITELLM = """
model_list:
  - model_name: gpt-35-turbo
    litellm_params: {{model: openai/gpt-35-turbo, api_base: "http://127.0.0.1:{upstream}/v1", api_key: none}}
  - model_name: stream
    litellm_params: {{model: openai/gpt-35-turbo, api_base: "http://127.0.0.1:{upstream}/deployments/stream/v1", api_key: none}}
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY}}
litellm_settings: {{request_timeout: 600, set_verbose: false, json_logs: true{callbacks}}}
"""


def litellm(stack: ExitStack, folder: Path, upstream: int) -> list[Peer]:
    """LiteLLM's proxy as its page on production says, without a database; once as it is, once with its HTTP logger."""
    receiver_port = free_port()
    receiver = stack.enter_context(
        Served(
            [sys.executable, "-m", "bench.log_receiver", str(receiver_port)],
            receiver_port,
            folder / "receiver.log",
            env={"PYTHONPATH": str(ROOT)},
        )
    )

    def started(name: str, callbacks: str) -> Peer:
        key = f"sk-{secrets.token_hex(16)}"
        port = free_port()
        config = folder / f"{name}.yaml"
        config.write_text(_LITELLM.format(upstream=upstream, callbacks=callbacks))
        served = stack.enter_context(
            Served(
                [
                    str(INSTALLED / "litellm/bin/litellm"),
                    *(
                        "--config",
                        str(config),
                        "--host",
                        "127.0.0.1",
                        "--port",
                        str(port),
                        "--num_workers",
                        "1",
                    ),
                ],
                port,
                folder / f"{name}.log",
                env={
                    "LITELLM_MASTER_KEY": key,
                    "LITELLM_LOG": "ERROR",
                    "LITELLM_MODE": "PRODUCTION",
                    # Prices from the package: it would fetch them from the network.
                    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                    "GENERIC_LOGGER_ENDPOINT": f"http://127.0.0.1:{receiver_port}/rows",
                },
                health="/health/liveliness",
                timeout_s=90.0,
            )
        )
        headers = {**_JSON, "Authorization": f"Bearer {key}"}
        return Peer(
            name,
            port,
            WIRE,
            headers,
            lambda: [served.pid],
            stream_path=WIRE,
            stream_headers=headers,
            stream_body=_with(STREAMED, model="stream"),
            ready_s=served.ready_s,
        )

    plain = started("LiteLLM", "")
    plain.log = "off"
    logged = started("LiteLLM, logging", ", callbacks: [generic_api]")
    logged.rows = lambda: int(_get(receiver.port, "/count"))
    # It sends every five seconds.
    logged.settles_s, logged.holds_s = 6.0, 7.0
    logged.log = (
        "its `generic_api` logger, both bodies, in batches to a receiver of ours, which is not counted; its spend log "
        "needs a database through Prisma, whose engines no package carries"
    )
    return [plain, logged]


def mlflow(stack: ExitStack, folder: Path, upstream: int) -> list[Peer]:
    """MLflow's gateway, a part of its server: an endpoint without and one with usage tracking, which writes traces."""
    port = free_port()
    if postgres.tool("initdb"):
        database = stack.enter_context(postgres.serving())
        uri = f"postgresql+psycopg2://aforo@/postgres?host={database.folder}"
        store = "PostgreSQL"
        root = int((database.folder / "data" / "postmaster.pid").read_text().split()[0])

        def beside() -> list[int]:
            return [root]

        def counted() -> int:
            return _psql(database.folder, "SELECT count(*) FROM trace_info")
    else:
        file = folder / "mlflow.db"
        uri, store = f"sqlite:///{file}", "SQLite"

        def beside() -> list[int]:
            return []

        def counted() -> int:
            return _sqlite(file, "SELECT count(*) FROM trace_info")

    programs = INSTALLED / "mlflow/bin"
    served = stack.enter_context(
        Served(
            [
                str(programs / "mlflow"),
                *("server", "--backend-store-uri", uri, "--default-artifact-root", str(folder / "artifacts")),
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            ],
            port,
            folder / "mlflow.log",
            env={
                "PATH": f"{programs}:/usr/bin:/bin",
                "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http,https",
                "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
                "MLFLOW_CRYPTO_KEK_PASSPHRASE": secrets.token_hex(20),
                # Seven processes for jobs that no gateway call needs; without them it has the machine for itself.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
            },
            health="/health",
            timeout_s=90.0,
        )
    )
    for name, path, tracked in (
        ("gpt-35-turbo", "/v1", True),
        ("plain", "/v1", False),
        ("stream", "/deployments/stream/v1", True),
        ("plain-stream", "/deployments/stream/v1", False),
    ):
        _endpoint(port, name, f"http://127.0.0.1:{upstream}{path}", tracked)

    def peer(name: str, model: str, stream: str) -> Peer:
        return Peer(
            name,
            port,
            "/gateway/mlflow/v1/chat/completions",
            _JSON,
            lambda: [served.pid],
            body=_with(load.BODY, model=model),
            stream_path="/gateway/mlflow/v1/chat/completions",
            stream_headers=_JSON,
            stream_body=_with(STREAMED, model=stream),
            beside=beside,
            ready_s=served.ready_s,
        )

    plain = peer("MLflow", "plain", "plain-stream")
    plain.log = f"off; it reads its configuration from {store} for each call"
    logged = peer("MLflow, logging", "gpt-35-turbo", "stream")
    logged.log = f"usage tracking: a trace for each call in {store}, both bodies"
    logged.rows = counted
    logged.settles_s, logged.holds_s = 7.0, 3.0
    return [plain, logged]


def _endpoint(port: int, name: str, base: str, tracked: bool) -> None:
    """What one clicks together in MLflow's portal: a key with its address, a model, an endpoint."""
    api = "/api/3.0/mlflow/gateway"
    secret = _post(
        port,
        f"{api}/secrets/create",
        {
            "secret_name": name,
            "secret_value": {"api_key": "none"},
            "provider": "openai",
            "auth_config": {"api_base": base},
        },
    )["secret"]["secret_id"]
    model = _post(
        port,
        f"{api}/model-definitions/create",
        {"name": name, "secret_id": secret, "provider": "openai", "model_name": "gpt-35-turbo"},
    )["model_definition"]["model_definition_id"]
    link = {"model_definition_id": model, "linkage_type": "PRIMARY", "weight": 1}
    _post(port, f"{api}/endpoints/create", {"name": name, "model_configs": [link], "usage_tracking": tracked})


def _post(port: int, path: str, body: object) -> dict[str, dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, json.dumps(body), _JSON)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}: {said[:300]!r}")
        found: dict[str, dict[str, str]] = json.loads(said)
        return found
    finally:
        connection.close()


def _get(port: int, path: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _psql(folder: Path, sql: str) -> int:
    command = [str(postgres.tool("psql")), "-h", str(folder), "-U", "aforo", "postgres", "-Atc", sql]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)


def _sqlite(file: Path, sql: str) -> int:
    import sqlite3

    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)
    try:
        return int(connection.execute(sql).fetchone()[0])
    finally:
        connection.close()
