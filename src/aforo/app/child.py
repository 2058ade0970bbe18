"""One process of the system, seen from the supervisor: started, told what it is, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from aforo.app.spec import Said, Spec, Told
from aforo.errors import Detail, Unavailable

log = logging.getLogger("aforo.supervisor")

# How long a process may take to stop by itself: a gateway lets its calls end.
STOP_TIMEOUT_S = 35.0
# The same where another one has taken its place: nobody waits for its end.
RETIRE_TIMEOUT_S = 700.0
# A process that keeps dying at its start is not a hiccup; the first start is not tried for ever.
_PAUSES_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 30.0
_LONGEST_LINE = 1 << 20
_LARGEST_LOG = 16 * 1024 * 1024
# How glibc gets memory, where the operator has not said it: a large body has pages of its own, which go back when it
# goes (else the heap keeps the largest that ever was: 8 bodies of 4 MB at once, 300 MB for good), and threads that
# libraries start share two heaps. What TLS reads into has 256 KB and a header, twice for each read: it must stay in the
# heap, for pages of its own cost a call as much as all of its encryption.
_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(320 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(512 * 1024),
    # The tables' library brings an allocator of its own, which keeps what was freed, a heap for each of eight threads: by
    # itself a shipper of 100 MB has 220 after some minutes (docs/decisions/0160).
    "_RJEM_MALLOC_CONF": "narenas:1,dirty_decay_ms:200,muzzy_decay_ms:0,background_thread:true,lg_tcache_max:13",
}
# The shipper makes and frees the same columns again and again: pages that go back each time cost a quarter of what it
# does. What it keeps is bounded by a batch, and goes back once a minute (logs/retention.py).
_MEMORY_OF = {
    # Bodies of some megabytes are put together for each call: with pages that go back at once a third of what such a call
    # costs is to fetch them again. What lies free in the middle goes back every half minute (heap.py).
    "gateway": {
        **_MEMORY,
        "MALLOC_MMAP_THRESHOLD_": str(16 * 1024 * 1024),
        "MALLOC_TRIM_THRESHOLD_": str(16 * 1024 * 1024),
    },
    "shipper": {
        **_MEMORY,
        "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
        "MALLOC_TRIM_THRESHOLD_": str(32 * 1024 * 1024),
    },
}


class Child:
    """A process of a role. `descriptors` are what it inherits; `on_change` hears of its life: what it says, its end.

    It is started before there is anything to tell it (loading its libraries takes most of its start): `spec`
    is set by whoever knows it.
    """

    def __init__(
        self,
        name: str,
        role: str,
        descriptors: tuple[int, ...],
        log_path: Path,
        on_change: Callable[[Child], None],
    ) -> None:
        self.name = name
        self.role = role
        self.spec: asyncio.Future[Spec] = asyncio.get_running_loop().create_future()
        self.ready = asyncio.Event()
        self.pid = 0  # of the process that serves now
        self.facts: dict[str, str] = {}
        self.snapshot_ns = 0
        self._failed: Said | None = None
        self._descriptors = descriptors
        self._log_path = log_path
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def keep_alive(self) -> None:
        """Run the process; start it again when it dies. Unavailable when it never becomes ready."""
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            try:
                ended = how_it_ended(await self._run())
            except OSError as error:
                # No memory or descriptor for it, or a full disk: the others go on, and it is tried again.
                if not self.ready.is_set():
                    raise
                ended = f"could not be run ({error.strerror or error})"
            lived_s = time.monotonic() - started
            if self.is_stopping():
                log.info("%s: stopped (%s)", self.name, ended)
                return
            if not self.ready.is_set():
                log.error("%s: %s before it was ready", self.name, ended)
                raise self._never_ready(ended)
            failures = 0 if lived_s > _STEADY_S else failures + 1
            pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
            log.warning(
                "%s: %s, unasked, after %.1f s; next start in %g s", self.name, ended, lived_s, pause_s
            )
            self._on_change(self)
            await asyncio.sleep(pause_s)

    async def _run(self) -> int:
        keep_small(self._log_path)
        with self._log_path.open("ab") as said:
            self._log_path.chmod(0o600)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "aforo.app",
                self.role,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=said,
                pass_fds=self._descriptors,
                env={**_MEMORY_OF.get(self.role, _MEMORY), **os.environ},
                # Ctrl-C at the terminal is for the supervisor, which stops the others in order.
                start_new_session=True,
                limit=_LONGEST_LINE,
            )
        self._process = process
        log.info("%s: started as process %d", self.name, process.pid)
        if self.is_stopping():
            process.terminate()
        assert process.stdin is not None
        try:
            process.stdin.write(msgspec.json.encode(await self.spec) + b"\n")
            await self._listen(process)
            return await process.wait()
        finally:
            # Also when this is cancelled: its end of the pipe tells the process to end.
            process.stdin.close()
            self._process = None
            self.pid = 0

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                said = msgspec.json.decode(line, type=Said)
            except msgspec.MsgspecError:
                log.error("%s: said what is no message: %r", self.name, line[:200])
                continue
            self._heard(said, process.pid)

    def _heard(self, said: Said, pid: int) -> None:
        """What the process says of itself."""
        if said.warning:
            log.warning("%s: %s", self.name, said.warning)
            sys.stderr.write(f"aforo: {self.name}: {said.warning}\n")
        if said.failed:
            self._failed = said
            log.error("%s: %s", self.name, said.failed)
        self.snapshot_ns = said.snapshot_ns or self.snapshot_ns
        if said.ready:
            log.info("%s: ready", self.name)
            self.pid = pid
            self.facts = said.facts
            self.ready.set()
        self._on_change(self)

    def is_stopping(self) -> bool:
        return self._stopping

    async def stop(self) -> None:
        """SIGTERM, and after a while SIGKILL."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            log.warning("%s: did not stop within %g s", self.name, STOP_TIMEOUT_S)
            self.kill()
            await process.wait()

    def tell(self, told: Told) -> None:
        """Tell it while it runs; nothing where it does not."""
        process = self._process
        if self.pid and process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(msgspec.json.encode(told) + b"\n")

    async def retire(self) -> None:
        """Another process has taken its place: it lets its calls end, and who is connected hears of it with his next
        answer."""
        process = self._process
        self._stopping = True
        self.tell(Told(retire=True))
        if process is not None and self.pid:
            try:
                async with asyncio.timeout(RETIRE_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                log.warning("%s: did not end within %g s of its retirement", self.name, RETIRE_TIMEOUT_S)
        await self.stop()

    def kill(self) -> None:
        """SIGKILL, now."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _never_ready(self, ended: str) -> Unavailable:
        if self._failed is not None:
            details = tuple(Detail(m.code, m.message, m.target) for m in self._failed.mistakes)
            return Unavailable(self._failed.failed, details=details)
        return Unavailable(
            f"the {self.name} process {ended} before it was ready; {self._log_path} ends with\n{self._last_words()}"
        )

    def _last_words(self, lines: int = 12) -> str:
        try:
            text = self._log_path.read_text(errors="replace")
        except OSError:
            text = ""
        return "\n".join(text.splitlines()[-lines:]) or "(nothing)"


def how_it_ended(code: int) -> str:
    """An exit code, or the signal that it stands for."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    why = ": by somebody, or for want of memory" if -code == signal.SIGKILL else ""
    return f"was ended by {name}{why}"


def keep_small(path: Path) -> None:
    """A log that has grown large is put aside (one back) when its process starts."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > _LARGEST_LOG:
            path.replace(path.with_name(f"{path.name}.1"))
