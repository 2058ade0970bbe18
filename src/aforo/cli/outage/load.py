"""Clients that call without a pause and know what they saw of each call, asking again as the SDKs do.

A call is known by its mark; each time it is asked has a mark of its own, `c12-1`, which its row has in the URL. It knows
no process and no table.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from aforo.cli.exits import Failure

MODEL = "gpt-4o"
PATH = f"/openai/deployments/{MODEL}/chat/completions?api-version=2024-10-21&mark="
MOST_ASKED = 3  # the SDKs ask twice more
_FIRST_PAUSE_S = 0.5
_TIMEOUT_S = 30.0
_DONE = b"data: [DONE]"
_MAX_HEAD = 64 * 1024


class Cut(Exception):  # noqa: N818 - a fact about the call
    """The connection ended, or could not be made, before the answer was whole."""


@dataclass(slots=True)
class Seen:
    """What the clients saw. `answered`: marks of what was answered to its end, and by which status."""

    begun: int = 0
    done: int = 0  # calls answered 200 and whole, in the end
    failed: int = 0  # calls that were not, however often they were asked
    again: int = 0  # calls that had to be asked more than once
    cut: set[str] = field(default_factory=set)  # asked; the connection ended before the answer did
    broken: set[str] = field(default_factory=set)  # streams that ended with an error event
    answered: dict[str, int] = field(default_factory=dict)
    regions: Counter[str] = field(default_factory=Counter)  # who answered, as its header says
    slowest_s: float = 0.0  # of a call, pauses between its attempts included


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Load:
    """`clients` tasks; every second one streams. `start` and `stop`; nothing is begun after `stop`."""

    def __init__(self, host: str, port: int, key: str, clients: int) -> None:
        self.seen = Seen()
        self._where = (host, port)
        self._key = key
        self._clients = clients
        self._ending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.ensure_future(self._client(n)) for n in range(self._clients)]

    async def stop(self) -> None:
        """Lets calls under way end; each of them is counted."""
        self._ending.set()
        await asyncio.gather(*self._tasks)

    async def _client(self, number: int) -> None:
        streams = bool(number % 2)
        asked = {"messages": [{"role": "user", "content": f"Hello from client {number}!"}], "stream": streams}
        connection = Connection(*self._where)
        try:
            while not self._ending.is_set():
                self.seen.begun += 1
                await self._call(connection, f"c{self.seen.begun}", json.dumps(asked).encode(), streams)
        finally:
            connection.close()

    async def _call(self, connection: Connection, name: str, body: bytes, streams: bool) -> None:
        seen, started = self.seen, time.monotonic()
        for attempt in range(1, MOST_ASKED + 1):
            if attempt == 2:
                seen.again += 1
            if await self._ask(connection, f"{name}-{attempt}", body, streams):
                seen.done += 1
                break
            if attempt < MOST_ASKED:
                # The SDKs' pause: half a second, then twice as long, with some chance in it.
                pause = _FIRST_PAUSE_S * 2 ** (attempt - 1)
                await asyncio.sleep(pause * (1 - random.random() / 4))  # noqa: S311 - no secret
        else:
            seen.failed += 1
        seen.slowest_s = max(seen.slowest_s, time.monotonic() - started)

    async def _ask(self, connection: Connection, mark: str, body: bytes, streams: bool) -> bool:
        """Whether it was answered well, and to the end."""
        seen = self.seen
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await connection.post(PATH + mark, {"api-key": self._key}, body)
        except (Cut, TimeoutError):
            connection.close()
            seen.cut.add(mark)
            return False
        seen.answered[mark] = answer.status
        if answer.status != 200:
            return False
        if streams and _DONE not in answer.body:
            seen.broken.add(mark)
            return False
        seen.regions[answer.headers.get("x-ms-region", "")] += 1
        return True


class Connection:
    """One connection, kept as long as the other side keeps it; made anew when it is needed."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """The whole answer. Raises `Cut`; Failure for what is no HTTP."""
        more = {
            "Host": f"{self._host}:{self._port}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in (more | headers).items())
        try:
            if self._reader is None or self._writer is None or self._reader.at_eof():
                self.close()
                self._reader, self._writer = await asyncio.open_connection(
                    self._host, self._port, limit=_MAX_HEAD
                )
            self._writer.write(f"POST {target} HTTP/1.1\r\n{lines}\r\n".encode() + body)
            answer = await _read(self._reader)
        except (OSError, EOFError) as error:
            raise Cut(str(error)) from error
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def _read(reader: asyncio.StreamReader) -> Answer:
    """One answer; EOFError (`IncompleteReadError` is one) when it ends before its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    try:
        status = int(head[0].split(" ")[1])
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Answer(status, headers, await _chunks(reader))
        return Answer(status, headers, await reader.readexactly(int(headers["content-length"])))
    except (IndexError, KeyError, ValueError) as error:
        raise Failure(f"The gateway's answer cannot be read: {head[0]}.") from error


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    out = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        data = await reader.readexactly(size + 2)
        if not size:
            # The gateway sends no trailers: behind the last chunk stands an empty line, which was read with it.
            return bytes(out)
        out += data[:size]
