"""Which member of a pool a call goes to: priorities, weights, what the call has tried, the session's own. It opens
nothing.

The lowest priority number comes first; within one priority the weights are shares, spread evenly (smooth weighted
round robin). docs/decisions/0134-members-of-a-pool.md.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from aforo.gateway.breakers import Guard, Guards, Held
from aforo.messages import Headers
from aforo.snapshot.snapshot import BackendEntry, PoolMember

# 128 bits of a keyed digest: nobody guesses or reverses them.
_COOKIE_BYTES = 16


class Member:
    """A backend in a pool, and its turn. `cookie` is the value that keeps a session on it."""

    __slots__ = ("cookie", "current", "entry", "guard", "priority", "weight")

    def __init__(self, member: PoolMember, entry: BackendEntry, guard: Guard | None, cookie: bytes) -> None:
        self.entry = entry
        self.guard = guard
        self.priority = member.priority
        self.weight = member.weight
        self.cookie = cookie
        self.current = 0


class BackendPool:
    """A pool of one configuration. Without guarded members its first group is known beforehand."""

    __slots__ = ("_by_cookie", "_first", "_guarded", "cookie_name", "entry", "members")

    def __init__(
        self, pool: BackendEntry, entries: Mapping[str, BackendEntry], guards: Guards, key: bytes
    ) -> None:
        self.entry = pool
        self.cookie_name = pool.affinity_cookie.encode()
        self.members = [
            Member(m, entries[m.backend_id], guards.of(entries[m.backend_id]), _cookie(key, m.backend_id))
            for m in pool.members
            if m.backend_id in entries
        ]
        self._guarded = any(m.guard is not None for m in self.members)
        self._first = _first_of(self.members)
        self._by_cookie = {m.cookie: m for m in self.members} if self.cookie_name else {}

    def next(self, now: float, tried: Collection[str] = (), wanted: Member | None = None) -> Member | None:
        """Who takes a call now; None when nobody can. Those that the call has tried come after all others, and the
        session's own (`wanted`) comes first."""
        group = self._first
        if self._guarded or tried:
            usable = self.members
            if self._guarded:
                usable = [m for m in usable if m.guard is None or m.guard.allows(now)]
            if tried:
                usable = [m for m in usable if m.entry.id not in tried] or usable
            if wanted is not None and wanted in usable:
                return wanted
            group = _first_of(usable)
        elif wanted is not None:
            return wanted
        return _turn(group) if group else None

    def held(self, now: float, chosen: Member | None) -> list[Held]:
        """The members that cannot be called, of those that would have come before or beside the chosen one."""
        if not self._guarded:
            return []
        found = (
            m.guard.held(now)
            for m in self.members
            if m.guard is not None and (chosen is None or m.priority <= chosen.priority)
        )
        return [each for each in found if each is not None]

    def of_session(self, headers: Headers) -> Member | None:
        """The member that the client's cookie names. A value that is none of ours names nobody."""
        for line in headers.get_all(b"cookie"):
            for part in line.split(b";"):
                name, _, value = part.strip().partition(b"=")
                if name == self.cookie_name:
                    return self._by_cookie.get(value.strip(b'"'))
        return None

    def set_cookie(self, member: Member, *, secure: bool) -> bytes:
        """The field that binds a session to a member, until the client forgets it."""
        return b"%b=%b; Path=/; HttpOnly; SameSite=Lax%b" % (
            self.cookie_name,
            member.cookie,
            b"; Secure" if secure else b"",
        )


def _first_of(members: Sequence[Member]) -> list[Member]:
    """Those that share the next call. Whose weight is 0 take none while anybody else can."""
    usable = [m for m in members if m.weight > 0] or members
    first = min((m.priority for m in usable), default=0)
    return [m for m in usable if m.priority == first]


def _turn(group: Sequence[Member]) -> Member:
    if len(group) == 1:
        return group[0]
    best = group[0]
    total = 0
    for member in group:
        weight = max(member.weight, 1)
        member.current += weight
        total += weight
        if member.current > best.current:
            best = member
    best.current -= total
    return best


def _cookie(key: bytes, backend_id: str) -> bytes:
    """The same in every gateway with that key and after every restart; it tells nobody the backend's name."""
    digest = hmac.new(key, backend_id.encode(), sha256).digest()[:_COOKIE_BYTES]
    return urlsafe_b64encode(digest).rstrip(b"=")
