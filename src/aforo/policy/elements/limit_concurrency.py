"""`limit-concurrency`: lets so many calls into its policies at once, and refuses the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.spec import Attribute, Element

_MOST = 1_000_000


class Lease:
    """One call's place under a key; calling it gives the place back, once."""

    __slots__ = ("key", "leave", "open", "response")

    def __init__(self, key: str, leave: Callable[[], None]) -> None:
        self.key = key
        self.leave = leave
        self.open = True
        self.response: ResponseState | None = None  # whose body still arrives

    def __call__(self) -> None:
        if self.open:
            self.open = False
            self.leave()


async def run(
    exchange: Exchange, key: str | None, most: int, policies: Callable[[], Awaitable[None]]
) -> None:
    """429 where `most` calls are inside. A place is held until the answer that was fetched inside has gone."""
    key = key or ""
    lease, mine = _held(exchange, key)
    if lease is None:
        leases = exchange.services.leases
        leave = (
            _enter(exchange.services.under_way, key, most)
            if leases is None
            else await leases.enter(key, most)
        )
        if leave is None:
            message = "The limit of concurrent calls is reached. Try again later."
            error = LastError("limit-concurrency", "ConcurrencyLimitExceeded", message, http_status=429)
            raise PolicyFailure(error)
        lease = Lease(key, leave)
        # From here on it is given back in any case, also when the call is cancelled.
        exchange.lent.append(lease)
    before, kept = exchange.attempts, lease.response
    lease.response = None
    try:
        await policies()
    finally:
        if mine:
            response = exchange.response
            arriving = response is not None and response.body.data is None
            if arriving and (exchange.attempts > before or response is kept):
                lease.response = response
            else:
                lease()
                exchange.lent.remove(lease)


def _held(exchange: Exchange, key: str) -> tuple[Lease | None, bool]:
    """A place that the call has under the key, and whether it ends here: within another one of its own it counts once."""
    for held in exchange.lent:
        if isinstance(held, Lease) and held.open and held.key == key:
            # Of an attempt before this one, where it has an answer: a retry does not stand in its own way.
            return held, held.response is not None
    return None, True


def _enter(under_way: dict[str, int], key: str, most: int) -> Callable[[], None] | None:
    """A place in this process, which is all there is."""
    count = under_way.get(key, 0)
    if count >= most:
        return None
    under_way[key] = count + 1

    def leave() -> None:
        left = under_way[key] - 1
        if left:
            under_way[key] = left
        else:
            del under_way[key]

    return leave


def write(use: Use, emit: Emitter) -> None:
    key, most = emit.value(use, "key"), emit.value(use, "max-count")
    if key is None or most is None:
        return
    emit.site(use, key, most)
    number = emit.number(most, "max-count", 1, _MOST)
    name, inner = emit.nested(use.policies, "limited")
    emit.span = use.span
    emit.define(name, inner)
    emit.do(f"await RUN(x, KEY, MOST, {name})", RUN=run, KEY=key, MOST=number)


ELEMENT = Element(
    "limit-concurrency",
    "Lets at most so many calls run the policies inside at the same time; others are refused with 429.",
    write,
    attributes=(
        Attribute("key", "What is limited; policies with the same key share their count.", required=True),
        Attribute("max-count", "How many calls may be inside.", "int", required=True),
    ),
    policies=True,
)
