"""What generated sections call besides the elements' own functions: places for failures, values for wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aforo.csharp.runtime.encodings import well_formed
from aforo.csharp.runtime.exceptions import CsException, FormatException
from aforo.csharp.runtime.limits import LimitExceeded, begin
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, RequestState, ResponseState

_HIDDEN = "The message is not shown: a secret went into this policy."


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a document that can fail. `secret`: a secret went into its expressions as text; `reads` are the
    variables that they read (None among them: any), `header:<name>`, `query:<name>`, `@query` (all of it), `@path`,
    `@base-url`, `@request-body` and `@response-body`. `sealed`: the secret is more than a claim of a caller's token."""

    source: str
    section: str
    scope: str
    path: str
    policy_id: str
    line: int
    shown: str
    secret: bool = False
    reads: frozenset[str | None] = frozenset()
    known: tuple[str, ...] = field(default=(), repr=False)  # the document's secret named values
    sealed: bool = False

    def tainted(self, exchange: Exchange, gave: str | None = None) -> bool:
        """Whether its expressions may have seen a secret; `gave` as in `reads_tainted`."""
        return self.secret or reads_tainted(exchange, self.reads, gave)

    def keeps(self, exchange: Exchange) -> bool:
        """Whether what it gives is kept out of logs and metrics too: not what a caller's token claims, for calls are
        told apart and counted by that."""
        return self.sealed or reads_sealed(exchange, self.reads)


# Before a tainted name: only claims of tokens went into it.
_CLAIMS = "~"


def reads_tainted(exchange: Exchange, reads: frozenset[str | None], gave: str | None = None) -> bool:
    """Whether one of those (names as in `Site.reads`) holds a secret in this call. Of what an expression `gave` a part
    of the URL that has the whole of a key in it counts as none: it can be masked by its text."""
    if not reads:
        return False
    known = exchange.tainted
    if known is not None and (None in reads or not known.isdisjoint(reads)):
        return True
    return _reads_key(exchange, reads, gave)


def reads_sealed(exchange: Exchange, reads: frozenset[str | None]) -> bool:
    """The same without what is known from claims alone."""
    known = exchange.tainted
    if known is not None:
        some = known if None in reads else known.intersection(r for r in reads if r is not None)
        if any(not name.startswith(_CLAIMS) and _CLAIMS + name not in known for name in some):
            return True
    return _reads_key(exchange, reads)


def _reads_key(exchange: Exchange, reads: frozenset[str | None], gave: str | None = None) -> bool:
    """Whether the key of the call stands there: under the API's own name for it, or somewhere in the query."""
    api = exchange.api
    if api is not None and not reads.isdisjoint(
        (f"header:{api.key_header.lower()}", f"query:{api.key_query.lower()}")
    ):
        return True
    if "@query" not in reads:
        return False
    from aforo.policy.masking import holds_credential

    return holds_credential(exchange, gave)


def failed(error: Exception, site: Site, exchange: Exchange) -> PolicyFailure:
    """An exception of an expression as the failure that `on-error` handles. What Python says is never shown."""
    if isinstance(error, CsException):
        detail = error.message
    elif isinstance(error, LimitExceeded):
        detail = str(error)
    elif isinstance(error, RecursionError):
        detail = "The expression calls itself too deeply."
    else:
        detail = "The expression could not be evaluated."
    detail = _HIDDEN if site.tainted(exchange) else _masked(detail, site, exchange)
    return PolicyFailure(
        LastError(
            site.source,
            "ExpressionValueEvaluationFailure",
            f"Expression evaluation failed. {detail}",
            scope=site.scope,
            section=site.section,
            path=site.path,
            policy_id=site.policy_id,
        )
    )


def placed(failure: PolicyFailure, site: Site, exchange: Exchange) -> None:
    """Gives a failure that an element raised the place where it stands; one from a base scope has its own."""
    error = failure.error
    if not error.scope:
        error.message = _HIDDEN if site.tainted(exchange) else _masked(error.message, site, exchange)
        error.scope = site.scope
        error.section = site.section
        error.path = site.path
        error.policy_id = site.policy_id


def cleaned(error: LastError, exchange: Exchange, known: Sequence[str]) -> None:
    """Takes the secrets of the call, and the named values in `known`, out of a message that has come from no place in
    a document."""
    if not error.scope:
        error.message = _without(error.message, known, exchange)


def _masked(text: str, site: Site, exchange: Exchange) -> str:
    """A message without the secrets of the call that stand in it."""
    return _without(text, site.known, exchange)


def _without(text: str, known: Sequence[str], exchange: Exchange) -> str:
    from aforo.policy.masking import Secrets, gather

    secrets = Secrets(known)
    gather(exchange, secrets)
    return secrets.mask(text)


def taint(exchange: Exchange, name: str, *, claims: bool = False) -> None:
    """From here on what has that name (as in `Site.reads`) counts as a secret; `claims`: as what tokens claim."""
    known = exchange.tainted
    if known is None:
        exchange.tainted = {name, _CLAIMS + name} if claims else {name}
        return
    if not claims:
        known.discard(_CLAIMS + name)
    elif name not in known:
        known.add(_CLAIMS + name)
    known.add(name)


def untaint(exchange: Exchange, name: str) -> None:
    known = exchange.tainted
    if known is not None:
        known.discard(name)
        known.discard(_CLAIMS + name)


def pass_taint(exchange: Exchange, name: str, site: Site) -> None:
    """What is computed from something is as secret as that."""
    if site.tainted(exchange):
        sealed = site.keeps(exchange)
        untaint(exchange, name)
        taint(exchange, name, claims=not sealed)
    else:
        untaint(exchange, name)


def taint_place(exchange: Exchange, names: tuple[str, ...], site: Site) -> None:
    """Those places of the request are as secret as what was put there, and stay it: other things stand there too."""
    if site.tainted(exchange):
        claims = not site.keeps(exchange)
        for name in names:
            taint(exchange, name, claims=claims)


def taint_held(exchange: Exchange, site: Site) -> None:
    """An expression that sees a secret may put it into what variables hold, where that can be changed."""
    if not site.tainted(exchange):
        return
    claims = not site.keeps(exchange)
    names = list(exchange.variables) if None in site.reads else site.reads
    for name in names:
        if name in exchange.variables and not isinstance(exchange.variables[name], _UNCHANGING):
            taint(exchange, name, claims=claims)


_UNCHANGING = (str, int, float, bool, bytes, type(None))


def header_value(text: str) -> bytes:
    """A header's value on the wire. A line end in it would be another header: refused."""
    if "\r" in text or "\n" in text or "\0" in text:
        raise FormatException("A header value must not contain line breaks.")
    return well_formed(text).encode()


def header_name(text: str | None) -> bytes:
    if not text or not all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in text) or not text.isascii():
        raise FormatException("The name of a header is not valid.")
    return text.lower().encode()


def header_text(value: bytes) -> str:
    """A header's value as expressions see it: UTF-8 where it is, else Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def body_bytes(value: Any) -> bytes:
    """What `set-body` was given, as bytes."""
    if value is None:
        return b""
    if isinstance(value, bytearray):
        return bytes(value)
    from aforo.csharp.runtime.objects import to_string

    # Not part of the expression that gave it: a tree that is written out here has a budget of its own.
    begin()

    return well_formed(to_string(value)).encode()


def whole_number(text: str | None, name: str, low: int, high: int) -> int:
    """An attribute that an expression gave: a whole number within its range."""
    try:
        number = int((text or "").strip())
    except ValueError:
        raise FormatException(f"The value of '{name}' is not a whole number.") from None
    if not low <= number <= high:
        raise FormatException(f"The value of '{name}' must be between {low} and {high}.")
    return number


def truth(text: str | None, name: str) -> bool:
    folded = (text or "").strip().lower()
    if folded not in ("true", "false"):
        raise FormatException(f"The value of '{name}' must be true or false.")
    return folded == "true"


def word(text: str | None, name: str, words: frozenset[str]) -> str:
    folded = (text or "").strip().lower()
    if folded not in words:
        raise FormatException(f"The value of '{name}' is not one of {', '.join(sorted(words))}.")
    return folded


def answer(exchange: Exchange) -> ResponseState:
    """The response that outbound policies work on; an empty 200 when nothing was forwarded."""
    response = exchange.response
    if response is None:
        response = exchange.response = ResponseState.empty()
    return response


def new_body(message: RequestState | ResponseState, data: bytes) -> None:
    """The new body is not encoded, whatever the old one was."""
    message.body.replace(data)
    message.headers.remove(b"content-encoding")


def method_name(text: str | None) -> str:
    name = (text or "").strip()
    if not name.isascii() or not name.isalpha() or len(name) > 20:
        raise FormatException("The name of the method is not valid.")
    return name.upper()
