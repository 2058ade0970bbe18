"""What the supervisor tells a process of the system, and what a process says to it. No plane in here.

The spec goes in over standard input, which then stays open: its end means that the supervisor is gone. What a
process has to say (`Said`) goes out over what was its standard output, one JSON object a line.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from aforo.app.last_words import tell_of_tasks
from aforo.settings import Layout

log = logging.getLogger("aforo.app")

# A list of mistakes must fit into one line that somebody reads.
_MOST_DETAILS = 50


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
    counters: str = (
        ""  # address of the server that limits count on, a secret; "": the process counts by itself
    )
    counters_closed: bool = False
    slot: int = 0  # of the two that take turns when a gateway is replaced while it serves
    siblings: dict[int, dict[str, int]] = {}  # the sockets of the other gateways, by index
    # The stamp of the snapshot that an earlier run left: control of this run is about to publish another.
    old_snapshot: tuple[int, int] = (0, 0)

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


class Mistake(msgspec.Struct, frozen=True):
    """One particular of why a process cannot start (`errors.Detail`, on its way to the supervisor)."""

    code: str
    message: str
    target: str = ""


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a process says: that it serves, with facts for `endpoints.json`; which snapshot it published or has put
    in force (modification time of the file in ns); or in one sentence why it ends."""

    ready: bool = False
    facts: dict[str, str] = {}
    snapshot_ns: int = 0
    failed: str = ""
    warning: str = ""  # to be told to whoever looks at the supervisor
    mistakes: tuple[Mistake, ...] = ()


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the supervisor tells a gateway while it runs: whose sockets to serve as well, as those have no process; or
    that another process has taken its place."""

    cover: tuple[int, ...] = ()
    retire: bool = False


_voice = -1


def take_voice() -> None:
    """Keep standard output for `say`; what anything else prints goes where the errors go."""
    global _voice
    _voice = os.dup(1)
    os.dup2(2, 1)


def say(said: Said) -> None:
    """Tell the supervisor. It may be gone: then nobody needs to know."""
    if len(said.mistakes) > _MOST_DETAILS:
        said = msgspec.structs.replace(said, mistakes=said.mistakes[:_MOST_DETAILS])
    line = msgspec.json.encode(said) + b"\n"
    try:
        while line:
            line = line[os.write(_voice, line) :]
    except BrokenPipeError:
        return


def read_spec() -> Spec | None:
    """The spec from standard input (one line); None when the supervisor went away before it wrote one."""
    # Unbuffered: the supervisor writes this one line and nothing more; its end is watched for later.
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            return None
        line += part
    return msgspec.json.decode(bytes(line), type=Spec)


def snapshot_stamp(path: Path) -> tuple[int, int]:
    """(modification time in ns, inode) of a published file: two publications never have the same; 0, 0 without it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def on_stop(
    loop: asyncio.AbstractEventLoop, stop: Callable[[], None], told_of: Callable[[Told], None] | None = None
) -> None:
    """Call `stop` at SIGTERM, and when the supervisor is gone. Ctrl-C is the supervisor's to pass on. What it tells goes
    to `told_of`."""
    tell_of_tasks(loop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def told() -> None:
        log.info("stopping: SIGTERM")
        stop()

    loop.add_signal_handler(signal.SIGTERM, told)

    heard = bytearray()

    def readable() -> None:
        data = os.read(0, 4096)
        if not data:
            loop.remove_reader(0)
            log.warning("stopping: the supervisor is gone")
            stop()
        elif told_of is not None:
            heard.extend(data)
            while b"\n" in heard:
                line, _, rest = bytes(heard).partition(b"\n")
                heard[:] = rest
                told_of(msgspec.json.decode(line, type=Told))

    loop.add_reader(0, readable)


def stop_event() -> threading.Event:
    """The same for a process without an event loop."""
    event = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: event.set())

    def watch() -> None:
        while os.read(0, 4096):
            pass
        if not event.is_set():
            log.warning("stopping: the supervisor is gone")
            event.set()

    threading.Thread(target=watch, name="supervisor-watch", daemon=True).start()
    return event
