"""When there are too many clients, or one is too slow: whose connection ends. It reads no byte and knows no call's way.

Memory has a bound because each of these has one: connections (`most_connections`), what a connection may hold unread and
unsent, heads, bodies that are read whole.
"""

from __future__ import annotations

import heapq
import resource
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, Protocol, TypeVar

# A body that comes slower than this, second for second, is not worth a connection ...
BODY_BYTES_PER_S = 250
# ... after so many of such seconds; each fast one makes up for a slow one.
SLOW_SECONDS = 60
# Of bodies that policies and the meter must see whole, all calls together: what is beyond 256 KB of each.
HELD_BYTES = 1024 * 1024 * 1024
# Where nobody has said what the process may have.
MOST_CONNECTIONS = 10_000
# Of the descriptors that the process may have, those for backends, files and the rest.
_OWN_DESCRIPTORS = 256


class Arriving(Protocol):
    """A call, as far as its body's speed goes."""

    received: int


class Connection(Protocol):
    """A client's connection, as far as it may have to go."""

    deadline: float

    @property
    def current(self) -> object | None:
        """Its call, None while it is idle."""

    @property
    def arriving(self) -> Arriving | None:
        """The call whose body is waited for."""

    def abort(self) -> None: ...

    def turn_away(self) -> None: ...


C = TypeVar("C", bound=Connection)


class Room:
    """Bytes that all calls together may hold of bodies that must be seen whole."""

    def __init__(self, most_bytes: int = HELD_BYTES) -> None:
        self.left = self._least = self._most = most_bytes

    def take(self, size: int) -> bool:
        """Whether there was so much; it is taken then."""
        if size > self.left:
            return False
        self.left -= size
        self._least = min(self._least, self.left)
        return True

    def lend(self, size: int, lent: list[Callable[[], None]]) -> bool:
        """`take`; how it is given back is put into `lent`."""
        if not self.take(size):
            return False
        lent.append(partial(self.give_back, size))
        return True

    def most_held(self) -> int:
        """The most that was held at once since this was last asked."""
        held, self._least = self._most - self._least, self.left
        return held

    def give_back(self, size: int) -> None:
        self.left += size


class SlowBodies:
    """Finds request bodies that drip; to be asked about all that are arriving, once a second."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, int]] = {}

    def drip(self, arriving: Iterable[Arriving]) -> set[int]:
        """The `id`s of the calls whose body has come too slowly for too long."""
        seen: dict[int, tuple[int, int]] = {}
        over: set[int] = set()
        for call in arriving:
            before, slow = self._seen.get(id(call), (call.received - BODY_BYTES_PER_S, 0))
            slow = max(0, slow + (1 if call.received - before < BODY_BYTES_PER_S else -1))
            seen[id(call)] = call.received, slow
            if slow > SLOW_SECONDS:
                over.add(id(call))
        self._seen = seen
        return over


class Crowd(Generic[C]):
    """All connections of a server. `most` is how many there may be."""

    def __init__(self) -> None:
        self.connections: set[C] = set()
        self.most = MOST_CONNECTIONS
        self.turned_away = 0  # clients that came when there was no room
        self.room = Room()
        self._bodies = SlowBodies()

    def met(self, connection: C) -> None:
        """A client has come. Where there are too many, those go that have been idle longest; else this one."""
        connections = self.connections
        if len(connections) >= self.most:
            self.turned_away += 1
            # Several at once: looking for them costs a look at all.
            idle = heapq.nsmallest(
                1 + self.most // 100,
                (c for c in connections if c.current is None),
                key=lambda c: c.deadline,
            )
            for other in idle:
                other.abort()
            if not idle:
                connection.turn_away()
        connections.add(connection)

    def cut_dripping(self) -> None:
        """End the calls whose body has come too slowly for too long; call it once a second."""
        arriving = [(c, call) for c in self.connections if (call := c.arriving) is not None]
        over = self._bodies.drip(call for _, call in arriving)
        for connection, call in arriving:
            if id(call) in over:
                connection.abort()


def most_connections() -> int:
    """How many clients this process can hold, by the descriptors that it may have; it takes all that it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    # Calls under way need one for their backend too, idle connections none.
    return max(64, soft - max(_OWN_DESCRIPTORS, soft // 4))
