"""What a base URL or the name of a backend leads to: an address with its way there, or a pool of them. It opens nothing.

Who of a pool is called is pools.py's; what stands before a backend (breaker, probes) is breakers.py's.
"""

from __future__ import annotations

import secrets
import time

from aforo.egress.pool import Origin, Way
from aforo.errors import Unavailable, Upstream
from aforo.gateway.breakers import Guard, Guards
from aforo.gateway.credentials import proxy_of, way_of
from aforo.gateway.models import Models
from aforo.gateway.pools import BackendPool
from aforo.messages import Url, parse_url, wire_target
from aforo.policy.services import Certificates
from aforo.snapshot.snapshot import BackendEntry, Bundle

# Expressions can make any number of URLs, and spell a backend's id in any number of ways.
MAX_URLS = 1024


class Backend:
    """Where a base URL or a backend resource leads: made once, used by many calls."""

    __slots__ = ("authority", "base_path", "entry", "guard", "models", "origin", "prefix", "query", "url")

    def __init__(
        self,
        url: Url,
        entry: BackendEntry | None = None,
        way: Way | None = None,
        guard: Guard | None = None,
    ) -> None:
        chain = entry is None or entry.validate_chain
        name = entry is None or entry.validate_name
        self.url = url
        self.entry = entry
        self.guard = guard  # None: it may always be called
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
        proxy = way.proxy or (own.proxy if own is not None else None)
        return Backend(self.url, self.entry, Way(identity, proxy), self.guard)

    def line(self, target: str) -> bytes:
        """What stands between method and host in a request. It is one line, whatever a policy put into the target."""
        wire = wire_target(target).encode()
        proxy = self.origin.way.proxy if self.origin.way is not None else None
        if proxy is None or self.origin.scheme != "http":
            return b" %b HTTP/1.1\r\nhost: " % wire
        # A proxy without a tunnel is told the whole URL (RFC 9112 3.2.2).
        login = b"proxy-authorization: %b\r\n" % proxy.authorization.encode() if proxy.authorization else b""
        return b" http://%b%b HTTP/1.1\r\n%bhost: " % (self.authority, wire, login)


class Backends:
    """The backends of one snapshot, and the base URLs that policies name."""

    def __init__(
        self,
        bundle: Bundle,
        entries: dict[str, BackendEntry],
        guards: Guards | None = None,
        certificates: Certificates | None = None,
        affinity_key: bytes = b"",
    ) -> None:
        self._certificates = certificates
        self._entries = entries
        self._guards = guards or Guards()
        self._guards.use(bundle.version, entries)
        self._affinity_key = affinity_key or secrets.token_bytes(32)
        self.by_url: dict[str, Backend] = {}  # that were named, as far as they are remembered
        self._single: dict[str, Backend] = {}
        # As policies name them: of those that nothing stands before, and of all others.
        self.plain: dict[str, Backend] = {}
        self._named: dict[str, Backend | BackendPool] = {}
        self._folded: dict[str, BackendEntry] | None = None
        self.version = bundle.version

    def of_url(self, base_url: str) -> Backend:
        """The backend behind a base URL; Upstream when it is none."""
        known = self.by_url.get(base_url)
        if known is None:
            try:
                known = Backend(parse_url(base_url))
            except ValueError as error:
                raise Upstream(f"the backend's base URL is wrong: {error}") from error
            if len(self.by_url) >= MAX_URLS:
                self.by_url.clear()
            self.by_url[base_url] = known
        return known

    def named(self, backend_id: str) -> Backend | BackendPool:
        """The backend or pool of that id; Upstream when there is none. A name is found without regard to case."""
        known = self._named.get(backend_id)
        if known is not None:
            return known
        entry = self._entries.get(backend_id) or self._spelled(backend_id)
        if entry is None:
            raise Upstream(f"there is no backend {backend_id!r}", code="BackendNotFound")
        if entry.members:
            # One pool for all its spellings: it counts the turns.
            pool = self._named.get(entry.id)
            if pool is None:
                pool = self._named[entry.id] = BackendPool(
                    entry, self._entries, self._guards, self._affinity_key
                )
            if len(self._named) < MAX_URLS:
                self._named[backend_id] = pool
            return pool
        single = self.single(entry)
        if backend_id == entry.id or len(self._named) < MAX_URLS:
            self._named[backend_id] = single
            if single.guard is None:
                self.plain[backend_id] = single
        return single

    def single(self, entry: BackendEntry) -> Backend:
        """The backend of an entry that is no pool; Upstream when it cannot be reached as it wants to be."""
        known = self._single.get(entry.id)
        if known is None:
            guard = self._guards.of(entry)
            try:
                url = parse_url(entry.url)
            except ValueError as error:
                raise Upstream(f"the URL of backend {entry.id!r} is wrong: {error}") from error
            known = self._single[entry.id] = Backend(url, entry, self._way(entry), guard)
        return known

    def of_id(self, backend_id: str) -> Backend:
        """For a request that is no call's: the backend, or the pool's next member. Upstream when there is none,
        Unavailable when none may be called now."""
        found = self.named(backend_id)
        now = time.perf_counter()
        if isinstance(found, BackendPool):
            member = found.next(now)
            if member is None:
                message = f"no member of the backend pool {found.entry.id!r} can be called now"
                raise Unavailable(message, code="PoolExhausted")
            return self.single(member.entry)
        held = found.guard.held(now) if found.guard is not None else None
        if held is not None:
            message = f"backend {held.backend_id!r} is taken out ({held.why})"
            raise Unavailable(message, code=held.why)
        return found

    def _spelled(self, backend_id: str) -> BackendEntry | None:
        """For who spells an id as nobody else does."""
        if self._folded is None:
            self._folded = {name.lower(): entry for name, entry in self._entries.items()}
        return self._folded.get(backend_id.lower())

    def _way(self, entry: BackendEntry) -> Way | None:
        """How the backend is reached; Upstream when the certificate that it must see is not there."""
        proxy = proxy_of(entry)
        if not entry.certificate:
            return way_of(None, proxy)
        found = self._certificates.find(entry.certificate) if self._certificates is not None else None
        if found is None or not found.key_pem:
            raise Upstream(
                f"backend {entry.id!r} names a certificate that this gateway does not have with its key"
            )
        return way_of(found, proxy)
