"""The pool of query processes, as the control process uses it; and the way to ask the files without one.

A process answers one query at a time. One that eats its memory or its time is killed and made anew: its own
query gets a clear answer, all others do not notice. It knows no HTTP and no KQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from aforo.errors import Limited, Unavailable
from aforo.logs.question import (
    FRAME,
    Ask,
    Cancel,
    Outcome,
    QueryAnswer,
    QueryRequest,
    Ready,
    Reply,
    pack,
    unpack_from_process,
)

log = logging.getLogger("aforo.logs.query")

DEFAULT_MEMORY_BYTES = 1 << 30
LONGEST_TIMEOUT_S = 600.0
DEFAULT_WAITING = 100

# How long a process may take to notice that its time is over, before it is killed.
GRACE_S = 2.0
START_S = 60.0

# A query process gets no credentials: of our environment only what Python itself needs.
_ENVIRONMENT = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "TMPDIR",
)


class _Process:
    """One query process and our end of its pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.ready = asyncio.Event()
        self.gone = False
        self._said: asyncio.Queue[Reply | None] = asyncio.Queue()
        # Frames are read by a task of their own, so that whoever waits for an answer can be cancelled at any
        # point without leaving half a frame in the pipe.
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, root: Path, memory_bytes: int, threads: int, geoip: Path | None) -> _Process:
        environment = {k: v for k in _ENVIRONMENT if (v := os.environ.get(k)) is not None}
        # With less the engine's threads wait for each other; each reserves addresses (engine.ARENA_BYTES).
        environment["MALLOC_ARENA_MAX"] = str(2 + threads)
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "aforo.logs.engine",
                str(root),
                f"--memory={memory_bytes}",
                f"--threads={threads}",
                *(() if geoip is None else (f"--geoip={geoip}",)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
                limit=1 << 20,
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    async def listen(self) -> Reply:
        """The next answer; EOFError when it has died."""
        reply = await self._said.get()
        if reply is None:
            self._said.put_nowait(None)
            raise EOFError
        return reply

    async def say(self, message: Ask | Cancel) -> None:
        """EOFError when it has died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"".join(pack(message)))
            await self._process.stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            raise EOFError from error

    async def end(self) -> int:
        """Kill it if it still lives; what it died of (negative: a signal)."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        code = await self._process.wait()
        await self._reader
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code

    async def died_unasked(self) -> None:
        """Comes back when it has died before it was asked anything."""
        while True:
            if await self._said.get() is None:
                self._said.put_nowait(None)
                return

    async def died(self) -> int:
        """Its exit code, once the pipe has closed; it is killed when it only closed its pipe."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                return await self._process.wait()
        return await self.end()

    async def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        try:
            while True:
                head_size, body_size = FRAME.unpack(await pipe.readexactly(FRAME.size))
                head = await pipe.readexactly(head_size)
                body = await pipe.readexactly(body_size) if body_size else b""
                match unpack_from_process(head, body):
                    case Ready():
                        self.ready.set()
                    case Reply() as reply:
                        self._said.put_nowait(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone = True
            self._said.put_nowait(None)


class QueryPool:
    """Query processes over the tables below `tables_root`.

    `processes` is how many queries run at once; the first process is started by `start`, the others when they
    are needed. `waiting` more may wait in a queue; beyond that a query is refused with `Limited`. `geoip` is where
    a database of where addresses are lies, if there is one.
    """

    def __init__(
        self,
        tables_root: Path,
        *,
        processes: int = 2,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        timeout_s: float = LONGEST_TIMEOUT_S,
        waiting: int = DEFAULT_WAITING,
        threads: int | None = None,
        geoip: Path | None = None,
    ) -> None:
        self.root = tables_root
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._geoip = geoip
        self._threads = threads if threads is not None else min(4, os.cpu_count() or 1)
        self._places = asyncio.Semaphore(processes)
        self._most_waiting = waiting
        self._waiting = 0
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()
        self._number = 0
        self._closed = False

    async def start(self) -> None:
        """Start the first process; comes back before it is warm (half a second later)."""
        await self._warm()

    async def close(self) -> None:
        """Kill all processes; queries that still run get `Unavailable`."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with self._starting:  # one that is just being started is ended too
            await asyncio.gather(*(p.end() for p in list(self._all)))
        self._all.clear()
        self._idle.clear()

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(sorted(p.pid for p in self._all))

    async def query(self, request: QueryRequest) -> QueryAnswer:
        """The answer, within `request.timeout_s` and a grace. Cancelling the task ends the query in its process."""
        if self._closed:
            raise Unavailable("The query processes are shut down.")
        request = msgspec.structs.replace(request, timeout_s=min(request.timeout_s, self._timeout_s))
        deadline = time.monotonic() + request.timeout_s
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise Limited(
                f"{self._waiting} queries are waiting already; try again in a moment.", retry_after_s=5.0
            )
        self._waiting += 1
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + request.timeout_s):
                await self._places.acquire()
        except TimeoutError:
            return QueryAnswer(
                outcome=Outcome.TIMEOUT,
                message=f"The query waited for {request.timeout_s:g} s behind others and was not begun.",
            )
        finally:
            self._waiting -= 1
        try:
            return await self._ask(request, deadline)
        finally:
            self._places.release()

    async def _ask(self, request: QueryRequest, deadline: float) -> QueryAnswer:
        process = await self._take()
        self._number += 1
        number = self._number
        asked = False
        try:
            if not process.ready.is_set():
                await self._until_ready(process)
            left_s = max(0.001, deadline - time.monotonic())
            asked = True
            await process.say(Ask(number, msgspec.structs.replace(request, timeout_s=left_s)))
            async with asyncio.timeout(left_s + GRACE_S):
                reply = await process.listen()
        except asyncio.CancelledError:
            # Nobody waits for the answer. The place in the pool is free at once; the process comes back by itself.
            if asked:
                self._background(self._recover(process, number))
            else:
                self._idle.append(process)
            raise
        except TimeoutError:
            await self._replace(process)
            return _timed_out(request.timeout_s)
        except EOFError:
            code = await process.died()
            await self._replace(process)
            return self._dead(process.pid, code)
        except BaseException:
            await self._replace(process)
            raise
        assert reply.number == number
        if reply.leaving:
            await self._replace(process)
        else:
            self._idle.append(process)
        if reply.answer.outcome is Outcome.TIMEOUT:
            return _timed_out(request.timeout_s)
        return reply.answer

    def _dead(self, pid: int, code: int) -> QueryAnswer:
        if self._closed:
            raise Unavailable("The query processes are shut down.")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        log.warning("query process %d died: %s", pid, how)
        return QueryAnswer(
            outcome=Outcome.MEMORY,
            message=f"The query's process died ({how}), most likely because it needed more memory than a query may use.",
        )

    async def _take(self) -> _Process:
        async with self._starting:
            while self._idle:
                process = self._idle.pop()
                if not process.gone:
                    return process
                # It died with nothing to do; nobody's query is to pay for that.
                self._background(self._replace(process))
            return await self._begin()

    async def _warm(self) -> None:
        async with self._starting:
            if not self._all and not self._closed:
                self._idle.append(await self._begin())

    async def _begin(self) -> _Process:
        process = await _Process.start(self.root, self._memory_bytes, self._threads, self._geoip)
        self._all.add(process)
        return process

    async def _until_ready(self, process: _Process) -> None:
        """Wait until it is warm. `Unavailable` when it dies on the way: that is not the query's fault."""
        waits = asyncio.create_task(process.ready.wait())
        dies = asyncio.create_task(process.died_unasked())
        try:
            async with asyncio.timeout(START_S):
                await asyncio.wait((waits, dies), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise Unavailable("The query process did not start in time.", retry_after_s=10.0) from None
        finally:
            waits.cancel()
            dies.cancel()
        if not process.ready.is_set():
            raise Unavailable("The query process could not start; the log says why.", retry_after_s=10.0)

    async def _recover(self, process: _Process, number: int) -> None:
        """Bring back a process whose query was given up; kill it when it does not listen."""
        try:
            await process.say(Cancel(number))
            async with asyncio.timeout(GRACE_S):
                reply = await process.listen()
        except (TimeoutError, EOFError):
            await self._replace(process)
            return
        if reply.leaving:
            await self._replace(process)
        else:
            self._idle.append(process)

    async def _replace(self, process: _Process) -> None:
        """End it; warm another in the background when it was the last."""
        await process.end()
        self._all.discard(process)
        if not self._closed:
            self._background(self._warm())

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def ask_files(
    tables_root: Path,
    request: QueryRequest,
    *,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    geoip: Path | None = None,
) -> QueryAnswer:
    """Ask the table files from this process, for the command line when no system is running."""
    from aforo.kql.natives import geo_addresses
    from aforo.logs.evaluate import Evaluator  # the engine's libraries take half a second to load
    from aforo.logs.versions import TableVersions

    geo_addresses.look_in(geoip)
    evaluator = Evaluator(TableVersions(tables_root), memory_bytes=memory_bytes, threads=os.cpu_count() or 1)
    return evaluator.answer(request)


def _timed_out(timeout_s: float) -> QueryAnswer:
    return QueryAnswer(outcome=Outcome.TIMEOUT, message=f"The query did not end within {timeout_s:g} s.")
