"""What `trace` policies and `context.Trace` say, kept on the exchange until the call is recorded. It knows no log.

Secrets are masked where they flow in, and by their text when the records are handed on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from aforo.messages import Headers
from aforo.policy.exchange import Exchange
from aforo.policy.masking import MASK, Secrets, gather, is_credential

# Verbose first: what is as severe as a diagnostic's verbosity, or more, goes into its log.
SEVERITIES: Final = ("verbose", "information", "error")
MAX_RECORDS: Final = 100
MESSAGE_CHARACTERS: Final = 32 * 1024


class Record:
    """One message. `known` are the secret named values of the document that it comes from."""

    __slots__ = ("at_ns", "known", "message", "metadata", "severity", "source")

    def __init__(
        self, source: str, severity: str, message: str, metadata: dict[str, str], known: tuple[str, ...] = ()
    ) -> None:
        self.at_ns = time.time_ns()
        self.source = source
        self.severity = severity
        self.message = _bounded(message)
        self.metadata = {name: _bounded(value) for name, value in metadata.items()}
        self.known = known

    def hide(self) -> None:
        self.message = MASK
        self.metadata = dict.fromkeys(self.metadata, MASK)


def write(exchange: Exchange, record: Record) -> None:
    """Keep it for the log, and show it in the trace where the call has one."""
    if len(exchange.trace_records) < MAX_RECORDS:
        exchange.trace_records.append(record)
    if exchange.trace is not None:
        exchange.trace.say(record)


def shown(
    exchange: Exchange, verbosity: str, given: Iterable[Headers] = ()
) -> list[tuple[int, str, str, str, dict[str, str]]]:
    """The records that a log of that verbosity takes: (unix ns, source, severity, message, metadata), masked.

    `given` are headers as they came: a credential in them is one even after a policy took it away.
    """
    least = SEVERITIES.index(verbosity)
    wanted = [r for r in exchange.trace_records if SEVERITIES.index(r.severity) >= least]
    if not wanted:
        return []
    secrets = Secrets()
    for known in {r.known for r in wanted}:
        for text in known:
            secrets.add(text)
    gather(exchange, secrets)
    for headers in given:
        for name, value in headers:
            if is_credential(exchange, name.decode("latin-1")):
                secrets.add(value.decode("utf-8", "replace"))
    return [
        (
            r.at_ns,
            secrets.mask(r.source),
            r.severity,
            secrets.mask(r.message),
            {secrets.mask(name): secrets.mask(value) for name, value in r.metadata.items()},
        )
        for r in wanted
    ]


def _bounded(text: str) -> str:
    if len(text) <= MESSAGE_CHARACTERS:
        return text
    return f"{text[:MESSAGE_CHARACTERS]}… ({len(text)} characters)"
