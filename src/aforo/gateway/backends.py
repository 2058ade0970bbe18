"""Which backend a call goes to: a base URL, a backend resource, or a member of a pool. It opens nothing.

A pool tries its lowest priority number first; within one priority the weights are shares, spread evenly (smooth
weighted round robin). `Health` is the port behind which circuit breakers stand.
"""

from __future__ import annotations

from typing import Protocol

from aforo.egress.pool import Origin, Way
from aforo.errors import Unavailable, Upstream
from aforo.gateway.credentials import way_of
from aforo.gateway.models import Models
from aforo.messages import Url, parse_url, wire_target
from aforo.policy.services import Certificates
from aforo.snapshot.snapshot import BackendEntry, Bundle, PoolMember

MAX_URLS = 1024


class Health(Protocol):
    """Whether a backend may be called now."""

    def allows(self, backend_id: str) -> bool: ...


class AlwaysHealthy:
    """Every backend may be called: what is so without circuit breakers."""

    def allows(self, backend_id: str) -> bool:  # noqa: ARG002 - the port's name
        return True


class Backend:
    """Where a base URL or a backend resource leads: made once, used by many calls."""

    __slots__ = ("authority", "base_path", "entry", "models", "origin", "prefix", "query", "url")

    def __init__(self, url: Url, entry: BackendEntry | None = None, way: Way | None = None) -> None:
        chain = entry is None or entry.validate_chain
        name = entry is None or entry.validate_name
        self.url = url
        self.entry = entry
        # Only behind a server that has to be asked for models by their own names.
        self.models = Models(entry.models) if entry is not None and entry.models is not None else None
        self.origin = Origin(url.scheme, url.host, url.port, chain, name, way)
        self.authority = url.authority.encode("idna" if not url.authority.isascii() else "ascii")
        self.base_path = url.path.rstrip("/")
        self.query = url.query
        self.prefix = f"{url.scheme}://{url.authority}"

    def over(self, way: Way) -> Backend:
        """The same backend over a proxy, or with another client certificate."""
        own = self.origin.way
        identity = way.identity or (own.identity if own is not None else None)
        return Backend(self.url, self.entry, Way(identity, way.proxy))

    def line(self, target: str) -> bytes:
        """What stands between method and host in a request. It is one line, whatever a policy put into the target."""
        wire = wire_target(target).encode()
        proxy = self.origin.way.proxy if self.origin.way is not None else None
        if proxy is None or self.origin.scheme != "http":
            return b" %b HTTP/1.1\r\nhost: " % wire
        # A proxy without a tunnel is told the whole URL (RFC 9112 3.2.2).
        login = b"proxy-authorization: %b\r\n" % proxy.authorization.encode() if proxy.authorization else b""
        return b" http://%b%b HTTP/1.1\r\n%bhost: " % (self.authority, wire, login)


class _Turn:
    """The state of one priority group of one pool."""

    __slots__ = ("current", "member")

    def __init__(self, member: PoolMember) -> None:
        self.member = member
        self.current = 0


class Backends:
    """The backends of one snapshot, and the base URLs that policies name."""

    def __init__(
        self,
        bundle: Bundle,
        entries: dict[str, BackendEntry],
        health: Health | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._certificates = certificates
        self._entries = entries
        self._health = health or AlwaysHealthy()
        self._by_url: dict[str, Backend] = {}
        self._by_id: dict[str, Backend] = {}
        self._turns: dict[str, list[_Turn]] = {}
        self.version = bundle.version

    def of_url(self, base_url: str) -> Backend:
        """The backend behind a base URL; Upstream when it is none."""
        known = self._by_url.get(base_url)
        if known is None:
            try:
                known = Backend(parse_url(base_url))
            except ValueError as error:
                raise Upstream(f"the backend's base URL is wrong: {error}") from error
            if len(self._by_url) >= MAX_URLS:
                # Expressions can make any number of URLs.
                self._by_url.clear()
            self._by_url[base_url] = known
        return known

    def of_id(self, backend_id: str) -> Backend:
        """The backend resource of that id, for a pool one of its members; Upstream or Unavailable when none."""
        entry = self._entries.get(backend_id) or self._folded().get(backend_id.lower())
        if entry is None:
            raise Upstream(f"there is no backend {backend_id!r}", code="BackendNotFound")
        if entry.members:
            entry = self._next(entry)
        elif not self._health.allows(entry.id):
            raise Unavailable(f"backend {entry.id!r} is taken out by its circuit breaker", code="BreakerOpen")
        known = self._by_id.get(entry.id)
        if known is None:
            known = self._by_id[entry.id] = Backend(parse_url(entry.url), entry, self._way(entry))
        return known

    def _folded(self) -> dict[str, BackendEntry]:
        """By lower-case id: for who spells one as nobody else does."""
        return {name.lower(): entry for name, entry in self._entries.items()}

    def _way(self, entry: BackendEntry) -> Way | None:
        """How the backend is reached; Upstream when the certificate that it must see is not there."""
        if not entry.certificate:
            return None
        found = self._certificates.find(entry.certificate) if self._certificates is not None else None
        if found is None or not found.key_pem:
            raise Upstream(
                f"backend {entry.id!r} names a certificate that this gateway does not have with its key"
            )
        return way_of(found, None)

    def _next(self, pool: BackendEntry) -> BackendEntry:
        turns = self._turns.get(pool.id)
        if turns is None:
            turns = self._turns[pool.id] = [_Turn(m) for m in pool.members if m.backend_id in self._entries]
        usable = [t for t in turns if self._health.allows(t.member.backend_id)]
        if not usable:
            raise Unavailable(
                f"no member of the backend pool {pool.id!r} can be called now", code="PoolExhausted"
            )
        first = min(t.member.priority for t in usable)
        group = [t for t in usable if t.member.priority == first]
        total = 0
        best = group[0]
        for turn in group:
            weight = max(turn.member.weight, 1)
            turn.current += weight
            total += weight
            if turn.current > best.current:
                best = turn
        best.current -= total
        return self._entries[best.member.backend_id]
