"""How a server ends: it accepts nothing more, its calls end, and clients hear that their connections close."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection
from typing import Protocol

from aforo.gateway.call import Call

# Who has been silent so long is not about to call.
LINGER_S = 3.0
# What a process whose place another one has taken gives its calls: streams may last.
RETIRED_S = 600.0


class Connection(Protocol):
    """A client's."""

    deadline: float

    @property
    def current(self) -> Call | None: ...

    @property
    def transport(self) -> asyncio.Transport | None: ...

    def abort(self) -> None: ...


class Draining(Protocol):
    """What ends."""

    draining: bool
    linger_s: float
    listeners: list[asyncio.Server]
    empty: asyncio.Event

    @property
    def connections(self) -> Collection[Connection]: ...


def begin(server: Draining, linger_s: float) -> None:
    """Accept nothing more, and close what is idle. With `linger_s` that stays open so long (`sweep` closes it): a client
    who is just about to call gets his answer, and with it that the connection closes."""
    server.draining = True
    server.linger_s = linger_s
    for listener in server.listeners:
        listener.close()
    for connection in list(server.connections):
        call = connection.current
        if call is not None:
            # Its answer says that the connection closes. Where its head has left, the next one says so.
            if not (linger_s and call.first_byte_us):
                call.keep_alive = False
        elif linger_s:
            connection.deadline = min(connection.deadline, time.monotonic() + linger_s)
        elif connection.transport is not None:
            connection.transport.close()


async def end(server: Draining, timeout_s: float) -> int:
    """Wait for the calls; how many connections had to be cut."""
    if server.connections:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await server.empty.wait()
    for connection in (left := list(server.connections)):
        connection.abort()
    return len(left)


async def retire(server: Draining, told_to_end: asyncio.Event) -> None:
    """Another process has taken this one's place: its calls have all the time that they need, until it is told to end."""
    begin(server, LINGER_S)
    loop = asyncio.get_running_loop()
    waiting = [loop.create_task(told_to_end.wait())]
    if server.connections:
        waiting.append(loop.create_task(server.empty.wait()))
        await asyncio.wait(waiting, timeout=RETIRED_S, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
