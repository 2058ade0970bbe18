"""A whole record masked as an API's diagnostic says: bodies, headers, URLs, errors, traces, claims. It spools nothing.

Both sides of a direction have the same rules, for they mostly carry the same bytes. What a rule took out of a field, a
header or a parameter is taken out of errors, traces and URLs too, wherever its text stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote_plus

import msgspec

from aforo.gateway.masking.bodies import BodyRules
from aforo.gateway.masking.marks import HIDDEN, KEEP, Marks, stricter
from aforo.gateway.masking.written import Finder
from aforo.model.field_path import read_path
from aforo.policy.masking import MASK, SHORTEST, Secrets
from aforo.snapshot.snapshot import MaskPlan, MaskRules
from aforo.spool.records import NOTED_CLAIMED_CALLER, CallError, CallRecord, Message, TraceRecord

_MOST_TOLD: Final = 200  # texts of masked fields that are looked for elsewhere


class _Direction:
    """The rules for requests or for responses."""

    def __init__(self, rules: MaskRules, marks: Marks, clock: Callable[[], float]) -> None:
        self.finder = Finder(dict(rules.detectors), marks, clock)
        self.bodies = BodyRules([(read_path(path), mode) for path, mode in rules.fields], self.finder, marks)
        self.headers = {name.encode("latin-1"): mode for name, mode in rules.headers}
        self._marks = marks

    def message(self, message: Message, most: int | None, told: list[str]) -> Message:
        """`most`: how many bytes of the body the diagnostic wants, None for all."""
        headers, body, cut = message.headers, message.body, message.cut
        if headers:
            headers = self._listed(headers, told)
        if body and self.bodies:
            body, cut = self.bodies.mask(body, cut=cut, told=told)
        if most is not None and len(body) > most:
            body, cut = body[:most], True
        return Message(headers, body, message.size, cut, message.stream)

    def _listed(self, headers: list[tuple[bytes, bytes]], told: list[str]) -> list[tuple[bytes, bytes]]:
        out = []
        for name, value in headers:
            text = value.decode("latin-1")
            mode = self.headers.get(name)
            if mode is None:
                text = self.finder.mask(text)
            elif mode != KEEP:
                if text != MASK:
                    told.append(text)
                if mode == HIDDEN:
                    continue
                text = self._marks.instead(mode, text) if text != MASK else text
            out.append((name, text.encode("latin-1", "replace")))
        return out


class Masker:
    """Masks records by one plan. One thread; what takes too long by the clock is masked as a whole (see written.py)."""

    def __init__(self, plan: MaskPlan, marks: Marks, clock: Callable[[], float] = time.perf_counter) -> None:
        self._marks = marks
        self._limits: tuple[int | None, ...] = plan.body_bytes
        self._caller_header = plan.caller_header.encode("latin-1", "replace")
        self._requests = _Direction(plan.requests, marks, clock)
        self._responses = _Direction(plan.responses, marks, clock)
        modes: dict[str, str] = {}
        for name, mode in (*plan.requests.detectors, *plan.responses.detectors):
            modes[name] = stricter(mode, modes.get(name, KEEP))
        self._finder = Finder(modes, marks, clock)
        self._query = {
            name.casefold(): mode for rules in (plan.responses, plan.requests) for name, mode in rules.query
        }
        self._finders = (self._requests.finder, self._responses.finder, self._finder)

    def mask(self, record: CallRecord) -> CallRecord:
        """The record as it may be written down."""
        for finder in self._finders:
            finder.begin()
        told: list[str] = []
        limits = (None,) * 4 if record.llm_wire else self._limits
        requests, responses = self._requests, self._responses
        request = requests.message(record.request, limits[0], told)
        response = responses.message(record.response, limits[1], told)
        sent = requests.message(record.backend_request, limits[2], told)
        received = responses.message(record.backend_response, limits[3], told)
        url, backend_url = self._url(record.url, told), self._url(record.backend_url, told)
        errors, traces, claims, noted = record.errors, record.trace_records, record.claims, record.noted
        if told:
            url, backend_url = _without(url, told), _without(backend_url, told)
        if errors or traces:
            text = self._text_of(told)
            errors = [_error(each, text) for each in errors]
            traces = [_trace(each, text) for each in traces]
        if claims:
            claims = {name: self._finder.mask(value) for name, value in claims.items()}
        if noted and NOTED_CLAIMED_CALLER in noted:
            noted = noted | {NOTED_CLAIMED_CALLER: self._caller(noted[NOTED_CLAIMED_CALLER])}
        return msgspec.structs.replace(
            record,
            url=url,
            backend_url=backend_url,
            request=request,
            response=response,
            backend_request=sent,
            backend_response=received,
            errors=errors,
            trace_records=traces,
            deployment=self._finder.mask(record.deployment),
            api_version=self._finder.mask(record.api_version),
            claims=claims,
            noted=noted,
        )

    def _text_of(self, told: list[str]) -> Callable[[str], str]:
        """How a text is written down that may show what stood elsewhere."""
        if len(told) > _MOST_TOLD:
            return lambda text: MASK if text else text
        secrets = Secrets(told)
        return lambda text: secrets.mask(self._finder.mask(text)) if text else text

    def _caller(self, text: str) -> str:
        mode = self._requests.headers.get(self._caller_header)
        return self._finder.mask(text) if mode is None else self._marks.instead(mode, text)

    def _url(self, url: str, told: list[str]) -> str:
        if self._query and "?" in url:
            path, _, query = url.partition("?")
            parts = (self._parameter(part, told) for part in query.split("&"))
            url = f"{path}?{'&'.join(part for part in parts if part is not None)}".removesuffix("?")
        return self._finder.mask(url)

    def _parameter(self, part: str, told: list[str]) -> str | None:
        name, equals, value = part.partition("=")
        mode = self._query.get(unquote_plus(name).casefold()) if equals else None
        if mode is None or mode == KEEP or value == MASK:
            return part
        plain = unquote_plus(value)
        told.append(plain)
        return None if mode == HIDDEN else f"{name}={quote(self._marks.instead(mode, plain), safe=':*')}"


def _without(url: str, told: list[str]) -> str:
    """A URL without texts that stood in masked places, in whole."""
    plain = unquote_plus(url)
    if any(len(text) >= SHORTEST and (text in url or text in plain) for text in told):
        return Secrets(text for text in told if text in url or text in plain).mask(url)
    return url


def _error(error: CallError, text: Callable[[str], str]) -> CallError:
    return msgspec.structs.replace(error, reason=text(error.reason), message=text(error.message))


def _trace(said: TraceRecord, text: Callable[[str], str]) -> TraceRecord:
    return TraceRecord(
        said.at_ns,
        text(said.source),
        said.severity,
        text(said.message),
        {text(name): text(value) for name, value in said.metadata.items()},
    )
