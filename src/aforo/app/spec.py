"""What the supervisor tells a process of the system, and how a process says that it is ready. No plane in here.

The spec goes in over standard input, which then stays open: its end means that the supervisor is gone. What a
process has to say (`ready`) goes out over standard output, one JSON object a line.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from aforo.settings import Layout


class Spec(msgspec.Struct, frozen=True):
    """Everything that a process must know at its start. `sockets` maps a listener to inherited descriptors."""

    role: str  # gateway, control, account, shipper
    index: int
    data: str
    host: str
    gateway_port: int
    gateway_tls_port: int
    control_port: int
    control_tls_port: int
    account_port: int
    engine: str
    log_level: str
    issuer: str
    identity_header: str  # of this gateway, or for control: those of all, separated by blanks
    sockets: dict[str, int]
    config: str = ""
    certificate: str = ""
    certificate_key: str = ""

    @property
    def layout(self) -> Layout:
        return Layout(Path(self.data))

    @property
    def local_host(self) -> str:
        """The address under which the parts of this machine reach each other."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - a comparison

    def url(self, scheme: str, port: int) -> str:
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return f"{scheme}://{host}:{port}"


def read_spec() -> Spec:
    """The spec from standard input (one line)."""
    # Unbuffered: the supervisor writes this one line and nothing more; its end is watched for later.
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            break
        line += part
    return msgspec.json.decode(bytes(line), type=Spec)


def say_ready(**facts: object) -> None:
    """Tell the supervisor that this process serves."""
    sys.stdout.write(msgspec.json.encode({"ready": True, **facts}).decode() + "\n")
    sys.stdout.flush()


def on_stop(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM, and when the supervisor is gone. Ctrl-C is the supervisor's to pass on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGTERM, stop)

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop()

    loop.add_reader(0, readable)


def stop_event() -> threading.Event:
    """The same for a process without an event loop."""
    event = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: event.set())

    def watch() -> None:
        while os.read(0, 4096):
            pass
        event.set()

    threading.Thread(target=watch, name="supervisor-watch", daemon=True).start()
    return event
