"""Counters on a Valkey server that workers and machines share: each operation is one script there, and one round trip.

While the server is away either nobody who is limited passes, or each process goes on by itself from what it saw last
(`LocalShare`), and what it counted meanwhile is charged when the server is back. Keys leave this process as digests.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from aforo.egress.valkey import Script, Valkey, moved_on
from aforo.errors import Refusal, Unavailable, Upstream
from aforo.gateway import valkey_scripts as scripts
from aforo.gateway.counters import MemoryCounters
from aforo.gateway.signal import Reply
from aforo.gateway.windows import Name, name_of
from aforo.policy.services import Counter, CounterState, Reservation

log = logging.getLogger("aforo.gateway")

_US: Final = 1_000_000
_FAR_US: Final = 1 << 52
# What was seen of so many counters is kept for the time when the server is away, and so many ends of calls.
MOST_SEEN: Final = 20_000
MOST_LATER: Final = 20_000
_TOLD_EVERY_S: Final = 60.0


class _Shared(Reservation, frozen=True, eq=False):
    """A reservation on the server: where it was taken (us), and till when it is held (us; 0: for good)."""

    part_us: int
    till_us: int
    open: list[bool]  # empty when it is settled or released


class _Local(Reservation, frozen=True, eq=False):
    """A reservation of the time when the server was away."""

    of: MemoryCounters
    reservation: list[Reservation]


class LocalShare:
    """What this process counts by itself while the server is away: on top of what it saw of each counter last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.counters = MemoryCounters(clock)
        self.known: dict[Name, Counter] = {}  # what was counted meanwhile
        self._seen: dict[Name, tuple[int, float]] = {}
        self._look_at = MOST_SEEN

    def saw(self, counter: Counter, left: int) -> None:
        """The server said that so much is left."""
        seen, name = self._seen, name_of(counter, counter.key)
        if len(seen) >= MOST_SEEN and name not in seen:
            # The oldest half goes; what is called often is soon here again.
            self._seen = seen = dict(itertools.islice(seen.items(), MOST_SEEN // 2, None))
        seen[name] = counter.limit - left, self._clock()

    def used(self, counter: Counter) -> int:
        """What the server would still say, as far as was seen."""
        found = self._seen.get(name_of(counter, counter.key))
        if found is None:
            return 0
        used, at = found
        now, length_s, epoch_s = self._clock(), counter.window_s, counter.epoch_s
        if counter.form == "bucket":
            return max(0, used - int((now - at) * counter.limit / length_s))
        if counter.form == "sliding":
            return used if now - at < length_s else 0
        same = not length_s or (now - epoch_s) // length_s == (at - epoch_s) // length_s
        return used if same else 0

    def counts(self, counter: Counter) -> None:
        """From here on this process counts it."""
        if len(self.known) >= self._look_at:
            # Callers may make any number of keys; the counters forget those that are over.
            windows = self.counters.windows
            self.known = {n: said for n, said in self.known.items() if n in windows}
            self._look_at = max(MOST_SEEN, 2 * len(self.known))
        self.known[name_of(counter, counter.key)] = counter

    def counted(self) -> list[tuple[Counter, int]]:
        """What counts of the time away, and a new beginning. What is reserved still is not among it: it counts when it
        is settled."""
        now = self._clock()
        out: list[tuple[Counter, int]] = []
        for name, counter in self.known.items():
            window = self.counters.windows.get(name)
            if window is None:
                continue
            window.roll(now)
            taken = window.taken - sum(h.amount for h in (window.holds or {}).values())
            if taken >= 1:
                out.append((counter, int(taken)))
        self.counters, self.known, self._look_at = MemoryCounters(self._clock), {}, MOST_SEEN
        return out


class ValkeyCounters:
    """The `Counters` port over a server. `namespace` keeps services apart that share one. `closed`: while the server is
    away whatever has a limit is refused. `clock` is a test's; without, the server's clock counts."""

    def __init__(
        self,
        server: Valkey,
        namespace: str,
        *,
        closed: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._server = server
        self._namespace = hashlib.blake2b(namespace.encode(), digest_size=32).digest()
        self._closed = closed
        self._clock = clock
        self._share = LocalShare(clock or time.time)
        self._ids = f"{os.getpid():x}-{os.urandom(6).hex()}-"
        self._next = 0
        self._away = False
        self._later: list[tuple[Script, Counter, tuple[int | str, ...]]] = []
        self._told: dict[str, float] = {}

    async def reserve(self, counter: Counter, amount: int, held_s: float = 0.0) -> CounterState:
        counter = self._hidden(counter)
        self._next += 1
        hold = f"{self._ids}{self._next:x}"
        try:
            said = await self._ask(scripts.RESERVE, counter, amount, int(held_s * _US), hold)
        except BaseException:
            if held_s:
                # The call was given up while it waited: nobody else can end what it may have got.
                self._send(scripts.SETTLE, counter, (0, amount, 0, _FAR_US, hold))
            raise
        if said is None:
            self._let_pass()
            return await self._reserve_here(counter, amount, held_s)
        admitted, left, wait, part, till = said
        self._share.saw(counter, left)
        if not admitted:
            return CounterState(False, left, wait / _US)
        return CounterState(True, left, 0.0, _Shared(hold, counter, amount, part, till, [True]))

    async def charge(self, counter: Counter, amount: int) -> CounterState:
        return await self._charge(self._hidden(counter), amount)

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        counter = reservation.counter
        if isinstance(reservation, _Local):
            if not reservation.reservation:
                return CounterState(True, 0, 0.0)
            held = reservation.reservation.pop()
            if reservation.of is self._share.counters:
                return self._less(await reservation.of.settle(held, amount), counter)
            # The server came back meanwhile, and did not hear of what was reserved.
            return await self._charge(counter, amount)
        assert isinstance(reservation, _Shared)
        if not reservation.open:
            return CounterState(True, 0, 0.0)
        reservation.open.pop()
        arguments = _end(reservation, amount)
        left = await self._ask(scripts.SETTLE, counter, *arguments)
        if left is None:
            if reservation.till_us:
                self._put_off(scripts.SETTLE, counter, arguments)
            left = max(0, counter.limit - self._share.used(counter))
        else:
            self._share.saw(counter, left)
        return CounterState(True, left, 0.0)

    async def release(self, reservation: Reservation) -> None:
        """Nobody waits for it: commands keep their order."""
        if isinstance(reservation, _Local):
            if reservation.reservation and reservation.of is self._share.counters:
                await reservation.of.release(reservation.reservation.pop())
            return
        assert isinstance(reservation, _Shared)
        if not reservation.open:
            return
        reservation.open.pop()
        # What is held for good would be given back twice where only the reply was lost.
        again = reservation.till_us > 0
        self._send(scripts.SETTLE, reservation.counter, _end(reservation, 0), again=again)

    async def peek(self, counter: Counter) -> CounterState:
        counter = self._hidden(counter)
        said = await self._ask(scripts.PEEK, counter)
        if said is None:
            self._let_pass()
            here = self._less(await self._share.counters.peek(counter), counter)
            return CounterState(here.remaining > 0, here.remaining, here.retry_after_s or 1.0)
        admitted, left, wait = said
        self._share.saw(counter, left)
        return CounterState(bool(admitted), left, wait / _US)

    def beat(self) -> None:
        """To be called about once a second: what was counted while the server was away is charged when it is back."""
        if self._away and self._server.is_up:
            self._catch_up()

    def begin(self) -> None:
        """Connect before the first call needs it."""
        self._server.ask(("PING",), self._ignored)

    async def close(self) -> None:
        self.beat()
        await self._server.close()

    # --- the server -------------------------------------------------------------------------------------------------------

    async def _ask(self, script: Script, counter: Counter, *more: int | str) -> Any:
        """What the script says; None when the server is away."""
        reply = Reply()
        self._run(script, counter, more, reply.take)
        await reply
        value = reply.value
        if isinstance(value, Refusal):
            self._failed(value)
            return None
        if self._away:
            self._catch_up()
        return value

    def _run(
        self, script: Script, counter: Counter, more: tuple[int | str, ...], then: Callable[[Any], None]
    ) -> None:
        now = -1 if self._clock is None else self._now_us()
        of = counter.form, counter.window_s * _US, counter.epoch_s * _US, counter.limit
        self._server.run(script, ("aforo:count:" + counter.key,), (now, *of, *more), then)

    def _hidden(self, counter: Counter) -> Counter:
        """The counter under a digest: keys are as long as callers make them, and are nobody's business on the server."""
        window_s = counter.window_s
        form = counter.form if window_s else "fixed"
        said = f"{form}:{window_s}:{counter.key}".encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(said, digest_size=16, key=self._namespace).hexdigest()
        return Counter(key, counter.limit, window_s, form, counter.epoch_s)

    def _send(
        self, script: Script, counter: Counter, more: tuple[int | str, ...], *, again: bool = True
    ) -> None:
        def then(value: Any) -> None:
            if isinstance(value, Refusal):
                self._failed(value)
                if again:
                    self._put_off(script, counter, more)

        self._run(script, counter, more, then)

    def _put_off(self, script: Script, counter: Counter, more: tuple[int | str, ...]) -> None:
        if len(self._later) < MOST_LATER:
            self._later.append((script, counter, more))

    def _catch_up(self) -> None:
        self._away = False
        later, self._later = self._later, []
        for entry in later:
            self._send(*entry)
        for counter, taken in self._share.counted():
            self._send(scripts.CHARGE, counter, (taken,))

    def _failed(self, refusal: Refusal) -> None:
        self._away = True
        if not isinstance(refusal, Upstream):
            return  # a server that is away tells the log itself
        if moved_on(refusal):
            self._server.renew()
        now = time.monotonic()
        if now >= self._told.get(refusal.code, 0.0):
            self._told[refusal.code] = now + _TOLD_EVERY_S
            log.warning("the counters' server does not do what it is asked: %s", refusal.message)

    @staticmethod
    def _ignored(_reply: Any) -> None:
        return

    def _now_us(self) -> int:
        return round((self._clock or time.time)() * _US)

    # --- while it is away -------------------------------------------------------------------------------------------------

    def _let_pass(self) -> None:
        if self._closed:
            raise unchecked()

    async def _charge(self, counter: Counter, amount: int) -> CounterState:
        left = await self._ask(scripts.CHARGE, counter, amount)
        if left is not None:
            self._share.saw(counter, left)
            return CounterState(True, left, 0.0)
        # What has been spent counts, also where nobody passes.
        self._share.counts(counter)
        return self._less(await self._share.counters.charge(counter, amount), counter)

    async def _reserve_here(self, counter: Counter, amount: int, held_s: float) -> CounterState:
        share = self._share
        share.counts(counter)
        counters, used, own = share.counters, share.used(counter), counter
        if counter.form == "bucket":
            # Its limit is also how fast it drains: what was seen is held against this call alone.
            state = await counters.peek(counter)
            if amount > state.remaining - used:
                excess = amount + used - state.remaining
                wait_s = excess * counter.window_s / max(1, counter.limit)
                return CounterState(False, max(0, state.remaining - used), max(1.0, wait_s))
        else:
            own = msgspec.structs.replace(counter, limit=max(0, counter.limit - used))
        state = await counters.reserve(own, amount, held_s)
        if state.reservation is None:
            return CounterState(False, state.remaining, state.retry_after_s or 1.0)
        held = _Local(state.reservation.id, counter, amount, counters, [state.reservation])
        return CounterState(True, state.remaining, 0.0, held)

    def _less(self, state: CounterState, counter: Counter) -> CounterState:
        """A local state, with what was seen of the server."""
        left = max(0, state.remaining - self._share.used(counter))
        return CounterState(state.admitted, left, state.retry_after_s)


def unchecked() -> Unavailable:
    """The refusal of a call whose limit nobody can check."""
    return Unavailable(
        "Limits cannot be checked at the moment. Try again later.",
        code="CountersUnavailable",
        retry_after_s=1.0,
    )


def _end(reservation: _Shared, amount: int) -> tuple[int | str, ...]:
    return amount, reservation.amount, reservation.part_us, reservation.till_us, reservation.id
