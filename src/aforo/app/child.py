"""One process of the system, seen from the supervisor: started, told what it is, watched, stopped."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from aforo.app.spec import Spec
from aforo.errors import Unavailable

# How long a process may take to stop by itself: a gateway lets its calls end.
STOP_TIMEOUT_S = 35.0
# A process that keeps dying at its start is not a hiccup; the first start is not tried for ever.
_PAUSES_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 30.0


class Child:
    """A process of a role. `on_ready` gets what it said when it became ready (ids, nothing secret)."""

    def __init__(
        self, name: str, spec: Spec, log_path: Path, on_ready: Callable[[dict[str, str]], None]
    ) -> None:
        self.name = name
        self.spec = spec
        self.ready = asyncio.Event()
        self.pid = 0
        self._log_path = log_path
        self._on_ready = on_ready
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def keep_alive(self) -> None:
        """Run the process; start it again when it dies. Unavailable when it never becomes ready."""
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            code = await self._run()
            if self.is_stopping():
                return
            if not self.ready.is_set():
                raise Unavailable(
                    f"the {self.name} process ended with code {code} before it was ready:\n{self._last_words()}"
                )
            failures = 0 if time.monotonic() - started > _STEADY_S else failures + 1
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])

    async def _run(self) -> int:
        with self._log_path.open("ab") as log:
            self._log_path.chmod(0o600)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "aforo.app",
                self.spec.role,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                pass_fds=tuple(self.spec.sockets.values()),
                # Ctrl-C at the terminal is for the supervisor, which stops the others in order.
                start_new_session=True,
            )
        self._process = process
        self.pid = process.pid
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(self.spec) + b"\n")
        async for line in process.stdout:
            said = msgspec.json.decode(line)
            if said.pop("ready", False):
                self.ready.set()
                self._on_ready(said)
        code = await process.wait()
        self._process = None
        self.pid = 0
        return code

    def is_stopping(self) -> bool:
        return self._stopping

    async def stop(self) -> None:
        """SIGTERM, and after a while SIGKILL."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _last_words(self, lines: int = 12) -> str:
        try:
            text = self._log_path.read_text(errors="replace")
        except OSError:
            return "(it said nothing)"
        return "\n".join(text.splitlines()[-lines:]) or "(it said nothing)"
