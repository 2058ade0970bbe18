"""Refusals: the few exceptions with which the product says no. It knows nothing of HTTP or of any plane.

A refusal is an answer to somebody, not a bug: `rest.py` and `gateway/proxy.py` alone turn it into a status
code. Mistakes in a text are values (`source.Diagnostic`); anything else that is raised is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detail:
    """One particular of a refusal, in the shape of ARM's `error.details`."""

    code: str
    message: str
    target: str = ""


class Refusal(Exception):  # noqa: N818 - the house calls them refusals, not errors
    """The base of the eight; catch it at the edge of a plane, raise only its children.

    `code` is the machine-readable word of the answer (`ResourceNotFound`); `target` names what was refused
    (a property path, a file with line); `details` carry every single mistake.
    """

    default_code = "Refused"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        target: str = "",
        details: tuple[Detail, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.target = target
        self.details = details
        self.retry_after_s = retry_after_s


class NotFound(Refusal):
    """What was named does not exist."""

    default_code = "ResourceNotFound"


class Conflict(Refusal):
    """The state of the thing forbids it (an ETag that is too old, a name taken, still referenced)."""

    default_code = "Conflict"


class Invalid(Refusal):
    """What was sent is wrong; `details` say where."""

    default_code = "ValidationError"


class Denied(Refusal):
    """Who asks may not (401 without `authenticated`, 403 with it)."""

    default_code = "AuthorizationFailed"

    def __init__(self, message: str, *, code: str = "", target: str = "", authenticated: bool = True) -> None:
        super().__init__(message, code=code, target=target)
        self.authenticated = authenticated


class Limited(Refusal):
    """A limit was met; `retry_after_s` says when to come back."""

    default_code = "TooManyRequests"


class Unavailable(Refusal):
    """The product cannot do it now (still loading, store away, disk full)."""

    default_code = "ServiceUnavailable"


class Upstream(Refusal):
    """Another system answered wrongly or could not be reached."""

    default_code = "BadGateway"


class Timeout(Refusal):
    """Another system, or a query, did not answer in time."""

    default_code = "GatewayTimeout"
