"""The trace of one call: each policy that ran, what its expressions gave and what it changed. It knows no file.

The traced variant of a document (compile.py) calls `begin`, `note` and `end` around each policy; the plain variant
knows nothing of this. Secrets are masked when the document is written, with all that has become known by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aforo.messages import decode_component
from aforo.policy import masking
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, ResponseState, Returned
from aforo.policy.masking import MASK, Secrets
from aforo.policy.running import Site, reads_tainted, taint
from aforo.policy.tracing.records import Record
from aforo.stamps import iso_stamp, timespan_text

# Longer values are shortened, with a mark that tells their length.
VALUE_CHARACTERS: Final = 1024
# What is kept of a value until it is masked.
_KEPT_CHARACTERS: Final = 16 * 1024
MAX_STEPS: Final = 2_000
MAX_VALUES: Final = 200  # of one policy: a condition of a loop is evaluated many times


@dataclass(slots=True, eq=False)
class Place:
    """One use of a policy in a document. `sites` are filled while it is compiled: they tell what is secret there."""

    source: str
    section: str
    scope: str
    path: str
    policy_id: str
    file: str
    line: int
    column: int
    sites: list[Site] = field(default_factory=list)

    def tainted(self, exchange: Exchange) -> bool:
        return any(site.tainted(exchange) for site in self.sites)


@dataclass(frozen=True, slots=True, eq=False)
class Noted:
    """An expression as the author wrote it, and where; `secret` and `reads` as in `running.Site`."""

    text: str
    line: int
    column: int
    secret: bool
    reads: frozenset[str | None]

    def tainted(self, exchange: Exchange, gave: str | None) -> bool:
        return self.secret or reads_tainted(exchange, self.reads, gave)


@dataclass(slots=True, eq=False)
class _Text:
    """A text to be masked and shortened when it is shown. `size` is the length of the whole."""

    text: str | None
    size: int = 0
    hidden: bool = False


@dataclass(slots=True, eq=False)
class Change:
    """`what` is `request header`, `variable`, ...; a value of None means removed."""

    what: str
    name: str
    value: _Text
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Step:
    """One run of one policy. Times are microseconds since the call began."""

    place: Place
    parent: Step | None
    began_us: int
    ended_us: int = -1
    values: list[tuple[Noted, _Text]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    messages: list[Record] = field(default_factory=list)
    heard: int = 0  # messages whose expressions have ended
    error: LastError | None = None
    ended_with: str = ""  # `returned`, `failed`, `cancelled`; "" when it ran to its end

    @property
    def depth(self) -> int:
        depth, at = 0, self.parent
        while at is not None:
            depth, at = depth + 1, at.parent
        return depth


class Trace:
    """What `Exchange.trace` holds while a call is traced."""

    __slots__ = ("_last", "_told", "entered", "left_out", "released", "secrets", "steps")

    def __init__(self, exchange: Exchange, secrets: Sequence[str] = ()) -> None:
        self.steps: list[Step] = []
        self.entered: Step | None = None
        self.left_out = 0
        self.released: ResponseState | None = None  # whose head has left already
        self.secrets = Secrets(secrets)
        masking.gather(exchange, self.secrets)
        self._last = _Seen(exchange)
        self._told: LastError | None = None  # the error that a step has already

    def look(self, exchange: Exchange, step: Step | None, *, hidden: bool = False) -> None:
        """What has changed since the last look is the doing of `step`."""
        now = _Seen(exchange)
        if step is not None:
            changes = self._last.changes(now, exchange, self.secrets, hidden)
            if self.released is not None:
                _too_late(changes, exchange.response is self.released)
            step.changes += changes
        self._last = now

    def finish(self, exchange: Exchange) -> None:
        """The call has ended: what is still open was cut off."""
        for step in reversed(self.steps):
            if step.ended_us < 0:
                self.close(exchange, step, "cancelled")
        masking.gather(exchange, self.secrets)

    def say(self, record: Record) -> None:
        """What a `trace` policy or `context.Trace` says, at the policy that runs."""
        for text in record.known:
            self.secrets.add(text)
        if self.entered is not None:
            self.entered.messages.append(record)

    def close_below(
        self, exchange: Exchange, outer: Step | None, how: str, error: LastError | None = None
    ) -> None:
        """Ends the open steps below `outer`; the innermost one, which began last, has the error."""
        for step in reversed(self.steps):
            if step.ended_us < 0 and _is_below(step, outer):
                if error is not None and error is not self._told:
                    step.error = self._told = error
                self.close(exchange, step, how)

    def close(self, exchange: Exchange, step: Step, how: str) -> None:
        """`how` as in `Step.ended_with`."""
        hidden = step.place.tainted(exchange)
        if hidden and how:
            # What `context.Trace` said in an expression that did not come to its end.
            for record in step.messages[step.heard :]:
                record.hide()
        self.look(exchange, step, hidden=hidden)
        step.ended_us = exchange.elapsed_us
        step.ended_with = how

    # --- showing ---------------------------------------------------------------------------------------------

    def shown(self, text: _Text) -> str | None:
        if text.text is None:
            return None
        if text.hidden:
            return MASK
        masked = self.secrets.mask(text.text)
        if len(text.text) < text.size:
            # The kept part may end within a secret.
            masked = masked[: max(0, len(masked) - self.secrets.longest)]
        if len(masked) <= VALUE_CHARACTERS and len(text.text) == text.size:
            return masked
        return f"{masked[:VALUE_CHARACTERS]}… ({text.size} characters)"

    def entries(self, started_ns: int) -> Iterator[dict[str, Any]]:
        """The steps as JSON-like values, in the order in which they began."""
        for step in self.steps:
            place = step.place
            data: dict[str, Any] = {}
            if step.messages:
                data["messages"] = [self._message(m) for m in step.messages]
            if step.values:
                data["expressions"] = [
                    {
                        "text": self.secrets.mask(about.text),
                        "line": about.line,
                        "column": about.column,
                        "value": self.shown(value),
                    }
                    for about, value in step.values
                ]
            if step.changes:
                data["changes"] = [self._change(c) for c in step.changes]
            if step.error is not None:
                data["error"] = {
                    "source": step.error.source,
                    "reason": step.error.reason,
                    "message": self.secrets.mask(step.error.message),
                }
            if step.ended_with:
                data["ended"] = step.ended_with
            yield {
                "source": place.source,
                "timestamp": iso_stamp(started_ns + step.began_us * 1000),
                "elapsed": timespan_text(step.began_us * 10),
                "data": data,
                "scope": place.scope,
                "section": place.section,
                "path": self.secrets.mask(place.path),
                "policyId": self.secrets.mask(place.policy_id),
                "depth": step.depth,
                "place": {"file": self.secrets.mask(place.file), "line": place.line, "column": place.column},
                "startMicroseconds": step.began_us,
                "durationMicroseconds": max(0, step.ended_us - step.began_us),
            }

    def _change(self, change: Change) -> dict[str, Any]:
        out: dict[str, Any] = {"what": change.what}
        if change.name:
            out["name"] = self.secrets.mask(change.name)
        out["value"] = self.shown(change.value)
        return out | change.extra

    def _message(self, record: Record) -> dict[str, Any]:
        out: dict[str, Any] = {
            "source": self.secrets.mask(record.source),
            "severity": record.severity,
            "message": self.shown(_whole(record.message)),
        }
        if record.metadata:
            out["metadata"] = {
                self.secrets.mask(name): self.shown(_whole(value)) for name, value in record.metadata.items()
            }
        return out


def start(exchange: Exchange, secrets: Sequence[str] = ()) -> Trace:
    """From here on the call is traced; it must be run through traced sections. `secrets` are texts that documents hold."""
    made = exchange.trace = Trace(exchange, secrets)
    # What this API calls its key is known only now; no expression can tell when it is compiled.
    if exchange.api is not None:
        taint(exchange, f"header:{exchange.api.key_header.lower()}")
        taint(exchange, f"query:{exchange.api.key_query.lower()}")
    return made


def released(exchange: Exchange, response: ResponseState) -> None:
    """The head of this answer leaves at this moment; what policies change in it from here on comes too late."""
    made: Trace = exchange.trace
    step = made.entered
    made.look(exchange, step, hidden=step is not None and step.place.tainted(exchange))
    made.released = response


def _too_late(changes: list[Change], same: bool) -> None:
    """`same`: it is still the answer that has left. Its body was read then, not changed."""
    for change in changes:
        if change.what in ("response status", "response header") or (
            change.what == "response body" and not same
        ):
            change.extra["tooLate"] = True


# --- what generated code calls ---------------------------------------------------------------------------------


def begin(exchange: Exchange, place: Place, parent: Step | None) -> Step:
    """A policy begins."""
    trace: Trace = exchange.trace
    hidden = parent is not None and parent.place.tainted(exchange)
    trace.look(exchange, parent, hidden=hidden)
    step = Step(place, parent, exchange.elapsed_us)
    if len(trace.steps) < MAX_STEPS:
        trace.steps.append(step)
    else:
        trace.left_out += 1
    trace.entered = step
    return step


def note(exchange: Exchange, step: Step, about: Noted, value: Any) -> Any:
    """An expression gave `value`, which goes on to where it is used."""
    trace: Trace = exchange.trace
    text = _text(value)
    hidden = about.tainted(exchange, text.text)
    if hidden:
        # `context.Trace` in an expression that has seen a secret.
        for record in step.messages[step.heard :]:
            record.hide()
        text.hidden = True
        for each in masking.texts_of(value):
            trace.secrets.add(each)
    step.heard = len(step.messages)
    if step.values and step.values[-1][0] is about and step.values[-1][1].text == text.text:
        return value
    if len(step.values) < MAX_VALUES:
        step.values.append((about, text))
    return value


def end(exchange: Exchange, step: Step) -> None:
    """A policy has run to its end; what is open below it was left by an exception that it took."""
    trace: Trace = exchange.trace
    trace.close_below(exchange, step, "failed")
    trace.close(exchange, step, "")
    trace.entered = step.parent


def left(exchange: Exchange, outer: Step | None, error: BaseException) -> None:
    """A section is left by `error`: the policies that were running in it end here."""
    trace: Trace = exchange.trace
    told = error.error if isinstance(error, PolicyFailure) else None
    trace.close_below(exchange, outer, "returned" if isinstance(error, Returned) else "failed", told)
    trace.entered = outer


def entered(exchange: Exchange) -> Step | None:
    """The policy that called this section or fragment."""
    found: Step | None = exchange.trace.entered
    return found


# --- what has changed --------------------------------------------------------------------------------------------


class _Seen:
    """What policies can change, as it was at one moment."""

    __slots__ = (
        "attempts",
        "backend",
        "data",
        "method",
        "query",
        "request",
        "response",
        "status",
        "target",
        "variables",
    )

    def __init__(self, exchange: Exchange) -> None:
        request = exchange.request
        self.method = request.method
        self.target = request.path
        self.query = request.query
        self.request = request.headers.fields.copy()
        self.data: tuple[Any, Any] = (
            request.body.data,
            exchange.response.body.data if exchange.response else None,
        )
        self.backend = (exchange.backend_id, exchange.backend_base_url)
        self.variables = exchange.variables.copy()
        self.attempts = exchange.attempts
        response: ResponseState | None = exchange.response
        self.status = None if response is None else (response.status, response.reason)
        self.response = {} if response is None else response.headers.fields.copy()

    def changes(self, now: _Seen, exchange: Exchange, secrets: Secrets, hidden: bool) -> list[Change]:
        """From this moment to `now`. What a secret went into is as secret: its new places are tainted too."""
        out: list[Change] = []
        if now.method != self.method:
            out.append(Change("request method", "", _text(now.method)))
        if (now.target, now.query) != (self.target, self.query):
            if hidden:
                taint(exchange, "@query", claims=True)
                for part in set(now.query.split("&")) - set(self.query.split("&")):
                    taint(exchange, f"query:{decode_component(part.partition('=')[0]).lower()}", claims=True)
            shown = now.target + (f"?{masking.shown_query(exchange, now.query)}" if now.query else "")
            out.append(Change("request url", "", _text(shown, hidden=hidden)))
        out += _headers("request header", self.request, now.request, exchange, secrets, hidden)
        if now.data[0] is not self.data[0] and self.data[0] is not None:
            out.append(_body("request body", now.data[0], exchange, hidden))
        if now.backend != self.backend:
            name = "backend-id" if now.backend[0] is not None else "base-url"
            out.append(Change("backend", name, _text(now.backend[0] or now.backend[1], hidden=hidden)))
        if now.attempts != self.attempts and exchange.backend_request is not None:
            method, url, _, _ = exchange.backend_request
            out.append(
                Change("sent", "", _text(f"{method} {masking.shown_url(exchange, url)}", hidden=hidden))
            )
        if now.status != self.status and now.status is not None:
            out.append(Change("response status", "", _text(f"{now.status[0]} {now.status[1]}".strip())))
        out += _headers("response header", self.response, now.response, exchange, secrets, hidden)
        if now.data[1] is not self.data[1] and now.data[1] is not None and now.data[1] != b"":
            out.append(_body("response body", now.data[1], exchange, hidden))
        for name in (*now.variables, *(n for n in self.variables if n not in now.variables)):
            there = name in now.variables and name in self.variables
            if not there or now.variables[name] is not self.variables[name]:
                out.append(_variable(name, now.variables, exchange, secrets, hidden))
        return out


def _variable(
    name: str, values: dict[str, Any], exchange: Exchange, secrets: Secrets, hidden: bool
) -> Change:
    if name not in values:
        return Change("variable", name, _Text(None), {"removed": True})
    if hidden:
        taint(exchange, name, claims=True)
    secret = hidden or (exchange.tainted is not None and name in exchange.tainted)
    if secret:
        for text in masking.texts_of(values[name]):
            secrets.add(text)
    return Change("variable", name, _text(values[name], hidden=secret))


def _headers(
    what: str,
    before: dict[bytes, Any],
    now: dict[bytes, Any],
    exchange: Exchange,
    secrets: Secrets,
    hidden: bool,
) -> list[Change]:
    out: list[Change] = []
    for field_name, value in now.items():
        if before.get(field_name) == value:
            continue
        name = field_name.decode("latin-1")
        text = (b", ".join(value) if isinstance(value, list) else value).decode("utf-8", "replace")
        credential = masking.is_credential(exchange, name)
        if credential or hidden:
            secrets.add(text)
        if hidden:
            taint(exchange, f"header:{name}", claims=True)
        out.append(Change(what, name, _text(text, hidden=credential or hidden)))
    for field_name in before:
        if field_name not in now:
            out.append(Change(what, field_name.decode("latin-1"), _Text(None), {"removed": True}))
    return out


def _body(what: str, data: bytes | None, exchange: Exchange, hidden: bool) -> Change:
    if hidden:
        taint(exchange, f"@{what.replace(' ', '-')}", claims=True)
    return Change(what, "", _text(data or b""))


def _text(value: Any, *, hidden: bool = False) -> _Text:
    body = getattr(value, "body", None)
    if body is not None and hasattr(value, "status"):
        text: str | None = f"response {value.status} {value.reason}".strip()
    else:
        text = masking.shown(value)
    if text is None:
        return _Text(None)
    return _Text(text[:_KEPT_CHARACTERS], len(text), hidden)


def _whole(text: str) -> _Text:
    return _Text(text[:_KEPT_CHARACTERS], len(text))


def _is_below(step: Step, outer: Step | None) -> bool:
    at = step.parent
    while at is not None:
        if at is outer:
            return True
        at = at.parent
    return outer is None


def document(exchange: Exchange) -> dict[str, Any]:
    """The trace in the form of Azure's trace document, with the fields of our own in each entry."""
    trace: Trace = exchange.trace
    trace.finish(exchange)
    entries: dict[str, list[dict[str, Any]]] = {"inbound": [], "backend": [], "outbound": [], "on-error": []}
    for entry in trace.entries(exchange.started_ns):
        entries[entry["section"]].append(entry)
    return {
        "serviceName": exchange.services.deployment.service_name,
        "requestId": exchange.call_id,
        "traceEntries": entries,
        "leftOut": trace.left_out,
        "totalMicroseconds": exchange.elapsed_us,
    }
