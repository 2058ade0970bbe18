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

from aforo.egress.valkey import Script, Valkey, moved_on
from aforo.errors import Refusal, Unavailable, Upstream
from aforo.gateway import valkey_scripts as scripts
from aforo.gateway.counters import MemoryCounters
from aforo.gateway.signal import Reply
from aforo.gateway.windows import Form, Name
from aforo.policy.services import CounterState, Reservation

log = logging.getLogger("aforo.gateway")

_US: Final = 1_000_000
_FAR_US: Final = 1 << 52
# What was seen of so many counters is kept for the time when the server is away, and so many ends of calls.
MOST_SEEN: Final = 20_000
MOST_LATER: Final = 20_000
_TOLD_EVERY_S: Final = 60.0


class _Shared(Reservation, frozen=True, eq=False):
    """A reservation on the server: where it was taken (us), and till when it is held (us; 0: for good)."""

    name: Name
    epoch_s: int
    limit: int
    part_us: int
    till_us: int
    open: list[bool]  # empty when it is settled or released


class _Local(Reservation, frozen=True, eq=False):
    """A reservation of the time when the server was away."""

    name: Name
    epoch_s: int
    limit: int
    of: MemoryCounters
    reservation: list[Reservation]


class LocalShare:
    """What this process counts by itself while the server is away: on top of what it saw of each counter last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.counters = MemoryCounters(clock)
        self.known: dict[Name, tuple[int, int]] = {}  # (limit, epoch) of what was counted meanwhile
        self._seen: dict[Name, tuple[int, float]] = {}
        self._look_at = MOST_SEEN

    def saw(self, name: Name, used: int) -> None:
        """The server said that so much is taken."""
        seen = self._seen
        if len(seen) >= MOST_SEEN and name not in seen:
            # The oldest half goes; what is called often is soon here again.
            self._seen = seen = dict(itertools.islice(seen.items(), MOST_SEEN // 2, None))
        seen[name] = used, self._clock()

    def used(self, name: Name, epoch_s: int, limit: int) -> int:
        """What the server would still say, as far as was seen."""
        found = self._seen.get(name)
        if found is None:
            return 0
        used, at = found
        now, length_s = self._clock(), name.length_s
        if name.form == "bucket":
            return max(0, used - int((now - at) * limit / length_s))
        if name.form == "sliding":
            return used if now - at < length_s else 0
        same = not length_s or (now - epoch_s) // length_s == (at - epoch_s) // length_s
        return used if same else 0

    def counts(self, name: Name, limit: int, epoch_s: int) -> None:
        """From here on this process counts it."""
        if len(self.known) >= self._look_at:
            # Callers may make any number of keys; the counters forget those that are over.
            windows = self.counters.windows
            self.known = {n: said for n, said in self.known.items() if n in windows}
            self._look_at = max(MOST_SEEN, 2 * len(self.known))
        self.known[name] = limit, epoch_s

    def counted(self) -> list[tuple[Name, int, int, int]]:
        """(counter, what counts of the time away, limit, epoch), and a new beginning. What is reserved still is not
        among it: it counts when it is settled."""
        now = self._clock()
        out: list[tuple[Name, int, int, int]] = []
        for name, (limit, epoch_s) in self.known.items():
            window = self.counters.windows.get(name)
            if window is None:
                continue
            window.roll(now)
            taken = window.taken - sum(h.amount for h in (window.holds or {}).values())
            if taken >= 1:
                out.append((name, int(taken), limit, epoch_s))
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
        self._later: list[tuple[Script, Name, int, int, tuple[int | str, ...]]] = []
        self._told: dict[str, float] = {}

    async def reserve(
        self,
        key: str,
        amount: int,
        limit: int,
        window_s: int,
        *,
        sliding: bool,
        epoch_s: int = 0,
        bucket: bool = False,
        held_s: float = 0.0,
    ) -> CounterState:
        name = self._name(key, window_s, sliding, bucket)
        self._next += 1
        hold = f"{self._ids}{self._next:x}"
        try:
            said = await self._ask(scripts.RESERVE, name, epoch_s, limit, amount, int(held_s * _US), hold)
        except BaseException:
            if held_s:
                # The call was given up while it waited: nobody else can end what it may have got.
                self._send(scripts.SETTLE, name, epoch_s, limit, (0, amount, 0, _FAR_US, hold))
            raise
        if said is None:
            self._let_pass()
            return await self._reserve_here(name, amount, limit, epoch_s, held_s)
        admitted, left, wait, part, till = said
        self._share.saw(name, limit - left)
        if not admitted:
            return CounterState(False, left, wait / _US)
        reservation = _Shared(hold, key, amount, name, epoch_s, limit, part, till, [True])
        return CounterState(True, left, 0.0, reservation)

    async def charge(
        self,
        key: str,
        amount: int,
        limit: int,
        window_s: int,
        *,
        sliding: bool,
        epoch_s: int = 0,
        bucket: bool = False,
    ) -> CounterState:
        return await self._charge(self._name(key, window_s, sliding, bucket), amount, limit, epoch_s)

    async def settle(self, reservation: Reservation, amount: int) -> CounterState:
        if isinstance(reservation, _Local):
            if not reservation.reservation:
                return CounterState(True, 0, 0.0)
            held = reservation.reservation.pop()
            if reservation.of is self._share.counters:
                return self._less(
                    await reservation.of.settle(held, amount),
                    reservation.name,
                    reservation.epoch_s,
                    reservation.limit,
                )
            # The server came back meanwhile, and did not hear of what was reserved.
            return await self._charge(reservation.name, amount, reservation.limit, reservation.epoch_s)
        assert isinstance(reservation, _Shared)
        limit = reservation.limit
        if not reservation.open:
            return CounterState(True, 0, 0.0)
        reservation.open.pop()
        arguments = _end(reservation, amount)
        left = await self._ask(scripts.SETTLE, reservation.name, reservation.epoch_s, limit, *arguments)
        if left is None:
            if reservation.till_us:
                self._put_off(scripts.SETTLE, reservation.name, reservation.epoch_s, limit, arguments)
            left = max(0, limit - self._share.used(reservation.name, reservation.epoch_s, limit))
        else:
            self._share.saw(reservation.name, limit - left)
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
        name, epoch_s, limit = reservation.name, reservation.epoch_s, reservation.limit
        # What is held for good would be given back twice where only the reply was lost.
        self._send(scripts.SETTLE, name, epoch_s, limit, _end(reservation, 0), again=reservation.till_us > 0)

    async def peek(
        self,
        key: str,
        limit: int,
        window_s: int,
        *,
        sliding: bool,
        epoch_s: int = 0,
        bucket: bool = False,
    ) -> CounterState:
        name = self._name(key, window_s, sliding, bucket)
        said = await self._ask(scripts.PEEK, name, epoch_s, limit)
        if said is None:
            self._let_pass()
            here = await self._share.counters.peek(
                name.key,
                limit,
                window_s,
                sliding=name.form == "sliding",
                epoch_s=epoch_s,
                bucket=bucket,
            )
            here = self._less(here, name, epoch_s, limit)
            return CounterState(here.remaining > 0, here.remaining, here.retry_after_s or 1.0)
        admitted, left, wait = said
        self._share.saw(name, limit - left)
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

    async def _ask(self, script: Script, name: Name, epoch_s: int, limit: int, *more: int | str) -> Any:
        """What the script says; None when the server is away."""
        reply = Reply()
        self._run(script, name, epoch_s, limit, more, reply.take)
        await reply
        value = reply.value
        if isinstance(value, Refusal):
            self._failed(value)
            return None
        if self._away:
            self._catch_up()
        return value

    def _run(
        self,
        script: Script,
        name: Name,
        epoch_s: int,
        limit: int,
        more: tuple[int | str, ...],
        then: Callable[[Any], None],
    ) -> None:
        now = -1 if self._clock is None else self._now_us()
        arguments = (now, name.form, name.length_s * _US, epoch_s * _US, limit, *more)
        self._server.run(script, ("aforo:count:" + name.key,), arguments, then)

    def _name(self, key: str, window_s: int, sliding: bool, bucket: bool) -> Name:
        """The counter, by a digest: keys are as long as callers make them, and are nobody's business on the server."""
        form: Form = "bucket" if bucket else "sliding" if sliding and window_s else "fixed"
        said = f"{form}:{window_s}:{key}".encode("utf-8", "surrogatepass")
        return Name(hashlib.blake2b(said, digest_size=16, key=self._namespace).hexdigest(), window_s, form)

    def _send(
        self,
        script: Script,
        name: Name,
        epoch_s: int,
        limit: int,
        more: tuple[int | str, ...],
        *,
        again: bool = True,
    ) -> None:
        def then(value: Any) -> None:
            if isinstance(value, Refusal):
                self._failed(value)
                if again:
                    self._put_off(script, name, epoch_s, limit, more)

        self._run(script, name, epoch_s, limit, more, then)

    def _put_off(
        self, script: Script, name: Name, epoch_s: int, limit: int, more: tuple[int | str, ...]
    ) -> None:
        if len(self._later) < MOST_LATER:
            self._later.append((script, name, epoch_s, limit, more))

    def _catch_up(self) -> None:
        self._away = False
        later, self._later = self._later, []
        for entry in later:
            self._send(*entry)
        for name, taken, limit, epoch_s in self._share.counted():
            self._send(scripts.CHARGE, name, epoch_s, limit, (taken,))

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

    async def _charge(self, name: Name, amount: int, limit: int, epoch_s: int) -> CounterState:
        left = await self._ask(scripts.CHARGE, name, epoch_s, limit, amount)
        if left is not None:
            self._share.saw(name, limit - left)
            return CounterState(True, left, 0.0)
        # What has been spent counts, also where nobody passes.
        share = self._share
        share.counts(name, limit, epoch_s)
        state = await share.counters.charge(
            name.key,
            amount,
            limit,
            name.length_s,
            sliding=name.form == "sliding",
            epoch_s=epoch_s,
            bucket=name.form == "bucket",
        )
        return self._less(state, name, epoch_s, limit)

    async def _reserve_here(
        self, name: Name, amount: int, limit: int, epoch_s: int, held_s: float
    ) -> CounterState:
        share = self._share
        share.counts(name, limit, epoch_s)
        used = share.used(name, epoch_s, limit)
        counters, own = share.counters, limit
        if name.form == "bucket":
            # Its limit is also how fast it drains: what was seen is held against this call alone.
            state = await counters.peek(name.key, limit, name.length_s, sliding=False, bucket=True)
            if amount > state.remaining - used:
                excess = amount + used - state.remaining
                return CounterState(
                    False, max(0, state.remaining - used), max(1.0, excess * name.length_s / max(1, limit))
                )
        else:
            own = max(0, limit - used)
        state = await counters.reserve(
            name.key,
            amount,
            own,
            name.length_s,
            sliding=name.form == "sliding",
            epoch_s=epoch_s,
            bucket=name.form == "bucket",
            held_s=held_s,
        )
        if state.reservation is None:
            return CounterState(False, state.remaining, state.retry_after_s or 1.0)
        held = _Local(
            state.reservation.id, name.key, amount, name, epoch_s, limit, counters, [state.reservation]
        )
        return CounterState(True, state.remaining, 0.0, held)

    def _less(self, state: CounterState, name: Name, epoch_s: int, limit: int) -> CounterState:
        """A local state, with what was seen of the server."""
        left = max(0, state.remaining - self._share.used(name, epoch_s, limit))
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
