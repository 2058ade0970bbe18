"""What generated sections call besides the elements' own functions: places for failures, values for wires."""

from __future__ import annotations

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
    variables that they read (None among them: any), `header:<name>`, `query:<name>`, `query` (all of it), `request-body` and `response-body`."""

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

    def tainted(self, exchange: Exchange) -> bool:
        """Whether its expressions may have seen a secret."""
        return self.secret or reads_tainted(exchange, self.reads)


def reads_tainted(exchange: Exchange, reads: frozenset[str | None]) -> bool:
    """Whether one of those (names as in `Site.reads`) holds a secret in this call."""
    known = exchange.tainted
    return known is not None and bool(reads) and (None in reads or not known.isdisjoint(reads))


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


def cleaned(error: LastError, exchange: Exchange) -> None:
    """Takes the secrets of the call out of a message that has come from no place in a document."""
    if not error.scope:
        from aforo.policy.masking import Secrets, gather

        secrets = Secrets()
        gather(exchange, secrets)
        error.message = secrets.mask(error.message)


def _masked(text: str, site: Site, exchange: Exchange) -> str:
    """A message without the secrets of the call that stand in it."""
    from aforo.policy.masking import Secrets, gather

    secrets = Secrets(site.known)
    gather(exchange, secrets)
    return secrets.mask(text)


def taint(exchange: Exchange, name: str) -> None:
    """From here on the variable counts as a secret."""
    if exchange.tainted is None:
        exchange.tainted = {name}
    else:
        exchange.tainted.add(name)


def untaint(exchange: Exchange, name: str) -> None:
    if exchange.tainted is not None:
        exchange.tainted.discard(name)


def pass_taint(exchange: Exchange, name: str, site: Site) -> None:
    """A variable computed from variables is as secret as they are."""
    known = exchange.tainted
    if known is None:
        if site.secret:
            exchange.tainted = {name}
    elif site.secret or None in site.reads or not known.isdisjoint(site.reads):
        known.add(name)
    else:
        known.discard(name)


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
