"""What a `cors` policy allows: it answers preflights by itself and gives the headers of real answers. It knows
no compiler and no gateway."""

from __future__ import annotations

from dataclasses import dataclass

from aforo.messages import Headers

# What a page may always send (Fetch: CORS-safelisted request headers).
_SAFE = frozenset((b"accept", b"accept-language", b"content-language", b"content-type"))


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """`origins` are lower case, as bytes; `*` alone means any. `max_age_s` 0 sends none."""

    origins: frozenset[bytes]
    methods: tuple[bytes, ...]
    headers: frozenset[bytes]
    exposed: bytes
    credentials: bool
    max_age_s: int
    terminate: bool

    def allows(self, origin: bytes) -> bool:
        return b"*" in self.origins or origin.lower() in self.origins

    def origin_header(self, origin: bytes) -> bytes:
        """`*` only where no credentials are allowed: a browser takes the star literally otherwise."""
        return b"*" if b"*" in self.origins and not self.credentials else origin

    def preflight(self, origin: bytes, method: bytes, headers: bytes | None) -> Headers | None:
        """The headers of the answer (status 200, no body). None: this policy says nothing, ask the next one.

        An origin that is not allowed ends it with an empty answer when `terminate-unmatched-request` is true.
        """
        if not self.allows(origin):
            return Headers() if self.terminate else None
        out = Headers()
        self.origin(out, origin)
        if b"*" in self.methods or method.upper() in self.methods:
            allowed = method.upper() if b"*" in self.methods else b",".join(self.methods)
            out.set(b"access-control-allow-methods", allowed)
        asked = [h.strip().lower() for h in (headers or b"").split(b",") if h.strip()]
        if asked and all(b"*" in self.headers or h in self.headers or h in _SAFE for h in asked):
            out.set(b"access-control-allow-headers", b",".join(asked))
        if self.max_age_s:
            out.set(b"access-control-max-age", b"%d" % self.max_age_s)
        return out

    def origin(self, out: Headers, origin: bytes) -> None:
        allowed = self.origin_header(origin)
        out.set(b"access-control-allow-origin", allowed)
        varies = (out.joined(b"vary") or b"").lower()
        if allowed != b"*" and b"origin" not in varies:
            out.append(b"vary", b"Origin")
        if self.credentials:
            out.set(b"access-control-allow-credentials", b"true")

    def decorate(self, out: Headers, origin: bytes | None) -> None:
        """The headers of a real answer to a page of an allowed origin."""
        if origin is None or not self.allows(origin):
            return
        self.origin(out, origin)
        if self.exposed:
            out.set(b"access-control-expose-headers", self.exposed)
