"""`aforo up`: takes the data directory, opens the sockets, starts the processes, watches them, stops them in order.

A process that dies is started again, with growing pauses. The supervisor serves nothing itself.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket

import msgspec

from aforo.app import spool_sync
from aforo.app.child import Child
from aforo.app.listeners import is_loopback, listening
from aforo.app.spec import Spec
from aforo.errors import Conflict, Invalid, Unavailable
from aforo.identity.keys import Secrets, new_identity_header
from aforo.identity.private_files import write_private
from aforo.settings import Layout, Settings

READY_TIMEOUT_S = 60.0
# Gateways first: their last calls still need the rest. The shipper last: it stores what the others wrote.
_SERVING = ("gateway", "control", "account")
_STOP_ORDER = ("gateway", "account", "control", "shipper")


def run(settings: Settings) -> int:
    """The whole system until SIGTERM or Ctrl-C; the exit code. Conflict or Invalid when it cannot start."""
    layout = Layout(settings.data.resolve())
    _check(settings)
    for folder in (layout.root, layout.run, layout.logs, layout.spool, layout.tables, layout.snapshots):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _take(layout)
    sockets: list[socket.socket] = []
    try:
        layout.endpoints.unlink(missing_ok=True)
        names = () if is_loopback(settings.host) or settings.host in ("0.0.0.0", "::") else (settings.host,)  # noqa: S104
        secrets = Secrets(layout.secrets).ensure(names)
        system = _System(settings, layout, secrets)
        sockets = system.sockets
        return asyncio.run(system.run())
    finally:
        for sock in sockets:
            sock.close()
        os.close(lock)


def _check(settings: Settings) -> None:
    if not is_loopback(settings.host) and not settings.insecure_http:
        raise Invalid(
            f"--host {settings.host} can be reached from other machines, and keys and prompts would travel in clear "
            "over the http ports; add --insecure-http if that is meant (the https ports are there in any case)",
            code="InsecureHttp",
        )


def _take(layout: Layout) -> int:
    """The lock of the data directory: one system owns it."""
    descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Conflict(
            f"{layout.root} is in use by another system; stop that one, or name another directory with --data",
            code="DataInUse",
        ) from error
    return descriptor


class _System:
    """The processes of one system and what they have in common."""

    def __init__(self, settings: Settings, layout: Layout, secrets: Secrets) -> None:
        self._settings = settings
        self._layout = layout
        self._secrets = secrets
        self._stopping = asyncio.Event()
        self._facts: dict[str, str] = {}
        self._ports: dict[str, int] = {}
        self.sockets: list[socket.socket] = []
        host, ports = settings.host, settings.ports
        self._gateway = self._open(host, ports.gateway, "gateway", settings.workers)
        self._gateway_tls = self._open(host, ports.gateway_tls, "gateway-tls", settings.workers)
        (self._control,) = self._open(host, ports.control, "control", 1)
        (self._control_tls,) = self._open(host, ports.control_tls, "control-tls", 1)
        self._account: socket.socket | None = None
        if settings.engine != "none":
            (self._account,) = self._open(host, ports.account, "account", 1)
        headers = [new_identity_header() for _ in range(settings.workers)]
        self.children = self._plan(headers)

    def _open(self, host: str, port: int, what: str, count: int) -> list[socket.socket]:
        opened = listening(host, port, what, count)
        self.sockets.extend(opened)
        self._ports[what] = opened[0].getsockname()[1]
        return opened

    def _plan(self, headers: list[str]) -> list[Child]:
        settings = self._settings
        children = [
            self._child("control", 0, " ".join(headers), {"http": self._control, "https": self._control_tls}),
            self._child("shipper", 0, "", {}),
        ]
        if self._account is not None:
            children.append(self._child("account", 0, "", {"http": self._account}))
        for index in range(settings.workers):
            listeners = {"http": self._gateway[index], "https": self._gateway_tls[index]}
            children.append(self._child("gateway", index, headers[index], listeners))
        return children

    def _child(self, role: str, index: int, header: str, sockets: dict[str, socket.socket]) -> Child:
        settings = self._settings
        spec = Spec(
            role=role,
            index=index,
            data=str(self._layout.root),
            host=settings.host,
            gateway_port=self._ports["gateway"],
            gateway_tls_port=self._ports["gateway-tls"],
            control_port=self._ports["control"],
            control_tls_port=self._ports["control-tls"],
            account_port=self._ports.get("account", 0),
            engine=settings.engine,
            log_level=settings.log_level,
            issuer=self._issuer(),
            identity_header=header,
            sockets={name: sock.fileno() for name, sock in sockets.items()},
            config=str(settings.config.resolve()) if settings.config is not None else "",
            certificate=str(settings.certificate.resolve()) if settings.certificate is not None else "",
            certificate_key=str(settings.certificate_key.resolve())
            if settings.certificate_key is not None
            else "",
        )
        name = f"{role}-{index}" if role == "gateway" else role
        return Child(name, spec, self._layout.logs / f"{name}.log", self._told)

    def _issuer(self) -> str:
        """The issuer's name: made once, so that tokens outlive a start on another port."""
        path = self._layout.secrets / "issuer"
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            host = "127.0.0.1" if is_loopback(self._settings.host) else socket.gethostname()
            write_private(path, f"https://{host}:{self._ports['control-tls']}\n".encode())
            return path.read_text().strip()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        syncing = loop.create_task(spool_sync.run(self._layout.spool))
        serving = [child for child in self.children if child.spec.role in _SERVING]
        watching = [loop.create_task(child.keep_alive()) for child in serving]
        ready = loop.create_task(self._ready(serving))
        stopping = loop.create_task(self._stopping.wait())
        try:
            await asyncio.wait((ready, stopping, *watching), return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
                self._write_endpoints()
                # Nobody waits for the log side: what is recorded meanwhile lies in the spools.
                watching += [loop.create_task(c.keep_alive()) for c in self.children if c not in serving]
                await asyncio.wait((stopping, *watching), return_when=asyncio.FIRST_COMPLETED)
            failed = [t for t in watching if t.done()]
            for task in failed:
                task.result()
            return 1 if failed else 0
        finally:
            ready.cancel()
            stopping.cancel()
            await self._stop()
            for task in (*watching, syncing):
                task.cancel()
            await asyncio.gather(*watching, syncing, ready, stopping, return_exceptions=True)
            self._layout.endpoints.unlink(missing_ok=True)

    async def _ready(self, children: list[Child]) -> None:
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                for child in children:
                    await child.ready.wait()
        except TimeoutError:
            late = ", ".join(c.name for c in children if not c.ready.is_set())
            raise Unavailable(
                f"not ready within {READY_TIMEOUT_S:g} s: {late}; what they said is in {self._layout.logs}"
            ) from None

    def _told(self, facts: dict[str, str]) -> None:
        """A process is ready (for the first time or again)."""
        self._facts.update(facts)
        if self._layout.endpoints.exists():
            self._write_endpoints()

    def _write_endpoints(self) -> None:
        first = self.children[0].spec
        ports = self._ports
        pids: dict[str, int] = {"supervisor": os.getpid()}
        pids.update({c.name: c.pid for c in self.children if c.pid})
        endpoints = {
            "gateway": first.url("http", ports["gateway"]),
            "gateway_tls": first.url("https", ports["gateway-tls"]),
            "control": first.url("http", ports["control"]),
            "control_tls": first.url("https", ports["control-tls"]),
            "account": first.url("http", ports["account"]) if "account" in ports else None,
            "ca": str(self._secrets.tls.ca),
            "admin_token_file": str(self._secrets.admin_token_path),
            "subscription_key_file": str(self._secrets.subscription_key_path),
            **self._facts,
            "pids": pids,
        }
        draft = self._layout.endpoints.with_suffix(".draft")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(endpoints), indent=2) + b"\n")
        draft.chmod(0o600)
        draft.replace(self._layout.endpoints)

    async def _stop(self) -> None:
        for role in _STOP_ORDER:
            mine = [c for c in self.children if c.spec.role == role]
            await asyncio.gather(*(c.stop() for c in mine))
