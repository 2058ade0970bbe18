"""Turns of the loop: who has much to do lets others have theirs in between. It knows no connection and no call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aforo.gateway.signal import Signal

# After a read of so much: as long as reads are full the loop goes on with them, a whole body in one turn.
LARGE_READ_BYTES: Final = 128 * 1024


def next_turn() -> Signal:
    """Set when the others of the loop have had their turn: for what takes a millisecond or more."""
    turn = Signal()
    asyncio.get_running_loop().call_soon(turn.set)
    return turn


def rest(transport: asyncio.Transport, goes_on: Callable[[], bool]) -> None:
    """Read nothing more of it in this turn; `goes_on` says then whether its reads are still wanted."""
    transport.pause_reading()
    asyncio.get_running_loop().call_soon(_read_on, transport, goes_on)


def _read_on(transport: asyncio.Transport, goes_on: Callable[[], bool]) -> None:
    if goes_on() and not transport.is_closing():
        transport.resume_reading()
