"""Boot settings: what must be known before anything is read from a store. No plane reads them; `app` does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_DATA = Path(".aforo")
GATEWAY_PORT = 8080
GATEWAY_TLS_PORT = 8444
CONTROL_PORT = 8081
CONTROL_TLS_PORT = 8443
ACCOUNT_PORT = 8082


@dataclass(frozen=True, slots=True)
class Ports:
    """Listening ports; 0 picks a free one."""

    gateway: int = GATEWAY_PORT
    gateway_tls: int = GATEWAY_TLS_PORT
    control: int = CONTROL_PORT
    control_tls: int = CONTROL_TLS_PORT
    account: int = ACCOUNT_PORT


@dataclass(frozen=True, slots=True)
class Settings:
    """What `aforo up` was told."""

    data: Path = DEFAULT_DATA
    config: Path | None = None
    host: str = "127.0.0.1"
    ports: Ports = Ports()
    workers: int = 1
    # What limits count on: a Valkey server (URL), "memory" of each worker, "" for what `workers` needs.
    counters: str = field(default="", repr=False)
    counters_closed: bool = False  # refuse what has a limit while that server is away
    insecure_http: bool = False
    certificate: Path | None = None
    certificate_key: Path | None = None
    engine: str = "auto"  # local account: auto, llama, scripted, none
    log_level: str = "warning"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie below the data directory."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def endpoints(self) -> Path:
        return self.root / "endpoints.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def store(self) -> Path:
        return self.root / "store.sqlite"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def spool(self) -> Path:
        """One folder per writer below it: `gateway-0`, `account`, `control`."""
        return self.root / "spool"

    @property
    def tables(self) -> Path:
        """`<workspace id>/<table>` below it, each a Delta table."""
        return self.root / "tables"

    @property
    def geoip(self) -> Path:
        """Where addresses are, in MaxMind's format: put there by the operator, if at all."""
        return self.root / "geoip.mmdb"

    @property
    def logs(self) -> Path:
        """What the processes say."""
        return self.root / "logs"

    @property
    def counters(self) -> Path:
        """What limits have counted: a journal per gateway, or what the server of `--workers` keeps."""
        return self.root / "counters"

    @property
    def traces(self) -> Path:
        """Traces of calls that asked for one: a bounded number, for an hour."""
        return self.root / "traces"

    @property
    def owners(self) -> Path:
        """Whose stored answers, files and jobs of model services are: a database that all gateways share."""
        return self.root / "state" / "owners.sqlite"

    @property
    def metrics(self) -> Path:
        """What the shipper has counted of all calls, for `/metrics`."""
        return self.root / "run" / "metrics.txt"

    @property
    def events(self) -> Path:
        """What loggers of type `file` get, one file of JSON lines per logger."""
        return self.root / "events"

    @property
    def exports(self) -> Path:
        """Logs that diagnostic settings deliver to folders, one folder per storage account."""
        return self.root / "exports"

    @property
    def deliveries(self) -> Path:
        """What is on its way to destinations of diagnostic settings, and how far each is."""
        return self.root / "deliveries"

    @property
    def run(self) -> Path:
        """Sockets of the running system."""
        return self.root / "run"
