"""`aforo up`: takes the data directory, opens the sockets, starts the processes, watches them, stops them in order.

A process that dies is started again, with growing pauses. The supervisor serves nothing itself; what it does stands
in DIR/logs/supervisor.log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time

import msgspec

from aforo.app import spool_sync
from aforo.app.child import Child
from aforo.app.counters_server import MEMORY, CountersServer, check_counters, needs_server, shown
from aforo.app.gateways import Gateways
from aforo.app.journal import journal
from aforo.app.last_words import tell_of_tasks
from aforo.app.listeners import is_loopback, listening
from aforo.app.ownership import owned, translated
from aforo.app.spec import Spec, snapshot_stamp
from aforo.errors import Invalid, Refusal, Unavailable
from aforo.private_files import write_private
from aforo.settings import ACCOUNT_PORT, Layout, Settings

log = logging.getLogger("aforo.supervisor")

READY_TIMEOUT_S = 60.0
# Until all gateways have what control published at this start; longer only says so.
IN_FORCE_TIMEOUT_S = 2.0
KILLED = 130
ENDPOINTS_AGAIN_S = 10.0
# Gateways first: their last calls still need the rest. The shipper last: it stores what the others wrote.
_SERVING = ("counters", "control", "gateway", "account")
_STOP_ORDER = ("gateway", "account", "control", "shipper", "counters")


def run(settings: Settings) -> int:
    """The whole system until SIGTERM or Ctrl-C; the exit code. A Refusal when it cannot start."""
    layout = Layout(settings.data.resolve())
    _check(settings)
    with owned(layout) as family, journal(layout.logs / "supervisor.log"):
        layout.endpoints.unlink(missing_ok=True)
        system = _System(settings, layout, family)
        try:
            return asyncio.run(system.run())
        except Refusal as refusal:
            log.error("ended: %s", refusal.message)
            raise
        finally:
            system.close()


def _check(settings: Settings) -> None:
    if not is_loopback(settings.host) and not settings.insecure_http:
        raise Invalid(
            f"--host {settings.host} can be reached from other machines, and keys and prompts would travel in clear "
            "over the http ports; add --insecure-http if that is meant (the https ports are there in any case)",
            code="InsecureHttp",
        )
    check_counters(settings)


class _System:
    """The processes of one system and what they have in common. `family` is the descriptor that all inherit."""

    def __init__(self, settings: Settings, layout: Layout, family: int) -> None:
        self._settings = settings
        self._layout = layout
        self._family = family
        self._stopping = asyncio.Event()
        self._killed = False
        self._ports: dict[str, int] = {}
        self._sockets: list[socket.socket] = []
        self._paths: dict[str, str] = {}
        self.children: list[Child] = []
        self._plans: list[tuple[Child, int, dict[str, socket.socket]]] = []
        self._counters: CountersServer | None = None
        self._gateways: Gateways | None = None  # when all are ready
        self._watching: dict[Child, asyncio.Task[None]] = {}
        self._coming: set[Child] = set()  # processes that are to take another one's place
        self._leaving: set[Child] = set()  # those whose place was taken, and which end their calls
        self._rolling: asyncio.Task[None] | None = None
        self._gateway_sockets: list[socket.socket] = []
        self._watch_changed = asyncio.Event()
        # A publication of this start is known by not being this one.
        self._old_snapshot = snapshot_stamp(layout.snapshots / "current.bundle")

    def close(self) -> None:
        """Close the listeners."""
        for sock in self._sockets:
            sock.close()
        if self._counters is not None:
            self._counters.close()

    def _open(self) -> None:
        """The listeners of all roles, and the processes that will have them (not started yet)."""
        settings, host, ports = self._settings, self._settings.host, self._settings.ports
        try:
            gateway = self._listen(host, ports.gateway, "gateway", settings.workers)
            gateway_tls = self._listen(host, ports.gateway_tls, "gateway-tls", settings.workers)
            self._gateway_sockets = [*gateway, *gateway_tls]
            (control,) = self._listen(host, ports.control, "control", 1)
            (control_tls,) = self._listen(host, ports.control_tls, "control-tls", 1)
            self._add("control", 0, {"http": control, "https": control_tls})
            for index in range(settings.workers):
                self._add("gateway", index, {"http": gateway[index], "https": gateway_tls[index]})
            if settings.engine != "none":
                (account,) = self._listen(host, ports.account, "account", 1)
                self._add("account", 0, {"http": account})
            self._add("shipper", 0, {})
            if needs_server(settings):
                self._counters = CountersServer(self._layout, self._changed)
                self.children.append(self._counters)
        except Refusal:
            self.close()
            raise

    def _listen(self, host: str, port: int, what: str, count: int) -> list[socket.socket]:
        opened = listening(host, port, what, count)
        self._sockets.extend(opened)
        self._ports[what] = opened[0].getsockname()[1]
        return opened

    def _add(self, role: str, index: int, sockets: dict[str, socket.socket]) -> None:
        name = f"{role}-{index}" if role == "gateway" else role
        child = self._child(name, role, sockets)
        self.children.append(child)
        self._plans.append((child, index, sockets))

    def _child(self, name: str, role: str, sockets: dict[str, socket.socket]) -> Child:
        # A gateway has those of the others too: it serves them when their process has died.
        mine = self._gateway_sockets if role == "gateway" else list(sockets.values())
        descriptors = (self._family, *(sock.fileno() for sock in mine))
        return Child(name, role, descriptors, self._layout.logs / f"{name}.log", self._changed)

    def _prepare(self) -> list[Spec]:
        """Make the secrets, then what each process must know. Loads cryptography: beside the starting processes."""
        from aforo.identity.keys import Secrets, new_identity_header

        settings, layout = self._settings, self._layout
        names = () if is_loopback(settings.host) or settings.host in ("0.0.0.0", "::") else (settings.host,)  # noqa: S104
        secrets = Secrets(layout.secrets).ensure(names)
        self._paths = {
            "ca": str(secrets.tls.ca),
            "admin_token_file": str(secrets.admin_token_path),
            "subscription_key_file": str(secrets.subscription_key_path),
        }
        # The issuer's name is made once, so that tokens outlive a start on another port.
        named = layout.secrets / "issuer"
        if not named.exists():
            host = "127.0.0.1" if is_loopback(settings.host) else socket.gethostname()
            write_private(named, f"https://{host}:{self._ports['control-tls']}\n".encode())
        issuer = named.read_text().strip()
        headers = [new_identity_header() for _ in range(settings.workers)]
        return [self._spec(child, index, sockets, issuer, headers) for child, index, sockets in self._plans]

    def _spec(
        self, child: Child, index: int, sockets: dict[str, socket.socket], issuer: str, headers: list[str]
    ) -> Spec:
        settings, ports = self._settings, self._ports
        header = {"gateway": headers[index], "control": " ".join(headers)}.get(child.role, "")
        return Spec(
            role=child.role,
            index=index,
            data=str(self._layout.root),
            host=settings.host,
            gateway_port=ports["gateway"],
            gateway_tls_port=ports["gateway-tls"],
            control_port=ports["control"],
            control_tls_port=ports["control-tls"],
            # Without an account of ours its address still has to be one, and whoever wants may serve there.
            account_port=ports.get("account") or settings.ports.account or ACCOUNT_PORT,
            engine=settings.engine,
            log_level=settings.log_level,
            issuer=issuer,
            identity_header=header,
            sockets={name: sock.fileno() for name, sock in sockets.items()},
            config=str(settings.config.resolve()) if settings.config is not None else "",
            certificate=str(settings.certificate.resolve()) if settings.certificate is not None else "",
            certificate_key=str(settings.certificate_key.resolve())
            if settings.certificate_key is not None
            else "",
            counters=self._counters_url() if child.role == "gateway" else "",
            counters_closed=settings.counters_closed,
            siblings=self._siblings(index) if child.role == "gateway" else {},
            old_snapshot=self._old_snapshot,
        )

    def _siblings(self, index: int) -> dict[int, dict[str, int]]:
        return {
            other: {name: sock.fileno() for name, sock in sockets.items()}
            for child, other, sockets in self._plans
            if child.role == "gateway" and other != index
        }

    def _counters_url(self) -> str:
        if self._counters is not None:
            return self._counters.url
        return "" if self._settings.counters == MEMORY else self._settings.counters

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        tell_of_tasks(loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, number)
        # A terminal that goes away says SIGHUP too.
        hang_up = self._told_to_stop if os.isatty(0) else self._told_to_reload
        loop.add_signal_handler(signal.SIGHUP, hang_up, signal.SIGHUP)
        loop.add_signal_handler(signal.SIGUSR2, self._told_to_reload, signal.SIGUSR2)
        with translated(self._layout.root):
            self._open()
        log.info("starting on %s, ports %s", self._layout.root, self._ports)
        syncing = loop.create_task(spool_sync.run(self._layout.spool))
        serving = [child for child in self.children if child.role in _SERVING]
        watching = self._watching
        watching.update((child, loop.create_task(child.keep_alive())) for child in serving)
        failed: list[asyncio.Task[None]] = []
        ready = loop.create_task(self._ready(serving))
        stopping = loop.create_task(self._stopping.wait())
        try:
            await asyncio.wait((ready, stopping, *watching.values()), return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
                self._gateways = self._made_gateways()
                with translated(self._layout.root):
                    self._write_endpoints()
                # Nobody waits for the log side: what is recorded meanwhile lies in the spools.
                watching.update(
                    (c, loop.create_task(c.keep_alive())) for c in self.children if c not in serving
                )
                while not stopping.done() and not any(t.done() for t in watching.values()):
                    changed = loop.create_task(self._watch_changed.wait())
                    watched = (stopping, changed, *watching.values())
                    await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
                    self._watch_changed.clear()
            failed = [t for t in watching.values() if t.done()]
            for task in failed:
                task.result()
        finally:
            ready.cancel()
            stopping.cancel()
            if self._rolling is not None:
                self._rolling.cancel()
            await self._stop()
            living = (*watching.values(), syncing)
            for task in living:
                task.cancel()
            await asyncio.gather(*living, ready, stopping, return_exceptions=True)
            self._layout.endpoints.unlink(missing_ok=True)
            log.info("stopped")
        # Only now: while the processes were ending somebody may have asked for more.
        return KILLED if self._killed else 1 if failed else 0

    def _told_to_stop(self, number: int) -> None:
        """In order at first; who asks again does not want to wait."""
        log.info("%s", signal.Signals(number).name)
        if self._stopping.is_set():
            log.warning("asked again: killing all processes")
            self._killed = True
            for child in (*self.children, *self._coming, *self._leaving):
                child.kill()
        self._stopping.set()

    def _made_gateways(self) -> Gateways:
        children = [c for c in self.children if c.role == "gateway"]
        plans = {index: (child.name, sockets) for child, index, sockets in self._plans if child in children}

        def again(index: int) -> Child:
            name, sockets = plans[index]
            child = self._child(name, "gateway", sockets)
            self._coming.add(child)
            return child

        return Gateways(children, again, self._swapped, self._tell_endpoints, self._published_ns)

    def _swapped(self, old: Child, new: Child, living: asyncio.Task[None]) -> None:
        """Another process serves in the place of one, which ends by itself."""
        self._coming.discard(new)
        self.children[self.children.index(old)] = new
        self._leaving.add(old)
        del self._watching[old]
        self._watching[new] = living
        self._watch_changed.set()
        self._tell_endpoints()

    def _told_to_reload(self, number: int) -> None:
        log.info("%s", signal.Signals(number).name)
        if self._gateways is None or self._stopping.is_set():
            log.warning("the system is not ready to have its gateways replaced")
            return
        if self._rolling is None or self._rolling.done():
            self._leaving.clear()
            self._rolling = asyncio.get_running_loop().create_task(self._gateways.roll())

    async def _ready(self, children: list[Child]) -> None:
        """Comes back when all serve, and gateways what control has published now (its addresses may have changed)."""
        started = time.monotonic()
        specs = await asyncio.to_thread(self._prepared)
        for (child, _, _), spec in zip(self._plans, specs, strict=True):
            child.spec.set_result(spec)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                for child in children:
                    await child.ready.wait()
        except TimeoutError:
            late = ", ".join(c.name for c in children if not c.ready.is_set())
            raise Unavailable(
                f"not ready within {READY_TIMEOUT_S:g} s: {late}; what they said is in {self._layout.logs}"
            ) from None
        until = time.monotonic() + IN_FORCE_TIMEOUT_S
        while late := self._behind(children):
            if time.monotonic() > until:
                log.warning("%s: still without the published configuration", late)
                break
            await asyncio.sleep(0.01)
        log.info("ready after %.2f s", time.monotonic() - started)

    def _prepared(self) -> list[Spec]:
        with translated(self._layout.root):
            return self._prepare()

    @staticmethod
    def _behind(children: list[Child]) -> str:
        """The gateways that do not serve yet what control published."""
        published_ns = max(c.snapshot_ns for c in children if c.role == "control")
        return ", ".join(c.name for c in children if c.role == "gateway" and c.snapshot_ns < published_ns)

    def _published_ns(self) -> int:
        return max(c.snapshot_ns for c in self.children if c.role == "control")

    def _changed(self, _child: Child) -> None:
        """A process has said something, or has died: the other gateways serve its socket."""
        if self._gateways is not None:
            self._gateways.cover()
        self._tell_endpoints()

    def _tell_endpoints(self) -> None:
        """Who asks the file finds those that live."""
        if self._layout.endpoints.exists():
            try:
                self._write_endpoints()
            except OSError as error:
                log.error("%s cannot be written: %s", self._layout.endpoints, error.strerror)
                # A full disk gets room again, and nobody may change until then.
                asyncio.get_running_loop().call_later(ENDPOINTS_AGAIN_S, self._tell_endpoints)

    def _write_endpoints(self) -> None:
        first = self._plans[0][0].spec.result()
        ports = self._ports
        pids: dict[str, int] = {"supervisor": os.getpid()}
        pids.update({c.name: c.pid for c in self.children if c.pid})
        facts: dict[str, str] = {}
        for child in self.children:
            facts.update(child.facts)
        endpoints = {
            "gateway": first.url("http", ports["gateway"]),
            "gateway_tls": first.url("https", ports["gateway-tls"]),
            "control": first.url("http", ports["control"]),
            "control_tls": first.url("https", ports["control-tls"]),
            "account": first.url("http", ports["account"]) if "account" in ports else None,
            "counters": shown(self._counters_url()),
            **self._paths,
            **facts,
            "pids": pids,
            "reload": msgspec.to_builtins(self._gateways.reload) if self._gateways is not None else None,
        }
        text = msgspec.json.format(msgspec.json.encode(endpoints), indent=2) + b"\n"
        # Each start writes it anew: no disk is waited for.
        write_private(self._layout.endpoints, text, durable=False)

    async def _stop(self) -> None:
        for role in _STOP_ORDER:
            mine = [c for c in (*self.children, *self._coming, *self._leaving) if c.role == role]
            await asyncio.gather(*(c.stop() for c in mine))
