"""`limit-concurrency`: lets so many calls into its policies at once, and refuses the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.spec import Attribute, Element

_MOST = 1_000_000


class Lease:
    """One call's place under a key; calling it gives the place back, once."""

    __slots__ = ("key", "open", "response", "under_way")

    def __init__(self, under_way: dict[str, int], key: str) -> None:
        self.under_way = under_way
        self.key = key
        self.open = True
        self.response: ResponseState | None = None  # whose body still arrives

    def __call__(self) -> None:
        if self.open:
            self.open = False
            left = self.under_way[self.key] - 1
            if left:
                self.under_way[self.key] = left
            else:
                del self.under_way[self.key]


async def run(
    exchange: Exchange, key: str | None, most: int, policies: Callable[[], Awaitable[None]]
) -> None:
    """429 where `most` calls are inside. A place is held until the answer that was fetched inside has gone."""
    lease, mine = _lease(exchange, key or "", most)
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


def _lease(exchange: Exchange, key: str, most: int) -> tuple[Lease, bool]:
    """A place under the key, and whether it ends here: within another one of this call's it counts once."""
    for held in exchange.lent:
        if isinstance(held, Lease) and held.open and held.key == key:
            if held.response is None:
                return held, False
            # Of an attempt before this one: a retry does not stand in its own way.
            return held, True
    under_way = exchange.services.under_way
    count = under_way.get(key, 0)
    if count >= most:
        message = "The limit of concurrent calls is reached. Try again later."
        error = LastError("limit-concurrency", "ConcurrencyLimitExceeded", message, http_status=429)
        raise PolicyFailure(error)
    under_way[key] = count + 1
    lease = Lease(under_way, key)
    # From here on it is given back in any case, also when the call is cancelled.
    exchange.lent.append(lease)
    return lease, True


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
