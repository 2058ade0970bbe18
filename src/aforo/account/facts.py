"""Where the account's facts come from: the file that control publishes, looked at with each call."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

import msgspec

from aforo.model.account_facts import AccountFacts, load

log = logging.getLogger("aforo.account")


class FactsSource(Protocol):
    """The facts in force now."""

    def current(self) -> AccountFacts | None:
        """None while nothing was published yet. The same object as long as nothing changed."""


class FactsFile:
    """Facts of a file. A change is seen by the next call (one `stat`, 2 µs); a broken file changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts: AccountFacts | None = None
        self._seen: tuple[int, int, int] | None = None

    def current(self) -> AccountFacts | None:
        try:
            status = self._path.stat()
        except OSError:
            return self._facts
        # A replaced file has another inode even within the clock's grain.
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            self._seen = seen
            try:
                self._facts = load(self._path)
            except (OSError, msgspec.MsgspecError) as error:
                log.error("the account's facts cannot be read, the last good ones stay in force: %s", error)
        return self._facts


class FixedFacts:
    """Facts that never change, or change when their owner says so."""

    def __init__(self, facts: AccountFacts | None) -> None:
        self.facts = facts

    def current(self) -> AccountFacts | None:
        return self.facts
