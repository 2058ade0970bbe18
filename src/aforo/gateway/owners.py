"""Whose a kept thing is, and where it is kept: a small database beside the snapshots, shared by all gateways of a system.

It survives kills and restarts (writes are in the kernel when `put` returns); a power cut may take the last moments,
after which those things exist for nobody. It knows no call. docs/decisions has why ids stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aforo.errors import Unavailable
from aforo.private_files import private_directory

if TYPE_CHECKING:
    import sqlite3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS owners (
    id TEXT PRIMARY KEY, subscription TEXT NOT NULL, place TEXT NOT NULL, until_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owners_until ON owners (until_s);
"""
# A look costs 10 us, a write 30; another gateway's write is waited for this long.
_PATIENCE_S = 0.2
_FORGET_EVERY = 1_000
_FORGET_AT_ONCE = 5_000
# Longer ones are nobody's ids.
LONGEST_ID = 256


class Owner(NamedTuple):
    """`place` says which backend has the thing (owned.py reads it), `subscription` is "" for callers without one."""

    subscription: str
    place: str


class Owners:
    """The database at a path, opened when it is first needed; None keeps it in memory. For one thread."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._opened: sqlite3.Connection | None = None
        self._puts = 0

    def find(self, ids: Iterable[str]) -> dict[str, Owner]:
        """The owners of those of the ids that are known. Unavailable when the database cannot be read."""
        wanted = [i for i in ids if len(i) <= LONGEST_ID]
        if not wanted:
            return {}
        marks = ",".join("?" * len(wanted))
        try:
            rows = self._database().execute(
                f"SELECT id, subscription, place FROM owners WHERE id IN ({marks}) AND until_s > ?",  # noqa: S608
                (*wanted, int(self._clock())),
            )
            return {id_: Owner(subscription, place) for id_, subscription, place in rows}
        except _errors() as error:
            raise Unavailable(f"whose this is cannot be looked up: {error}") from error

    def put(self, ids: Iterable[str], owner: Owner, lives_s: int) -> None:
        """These are the owner's, unless they are somebody's already. Unavailable when that cannot be written down."""
        until_s = int(self._clock()) + lives_s
        rows = [(i, owner.subscription, owner.place, until_s) for i in ids if len(i) <= LONGEST_ID]
        try:
            database = self._database()
            with database:
                database.executemany("INSERT OR IGNORE INTO owners VALUES (?, ?, ?, ?)", rows)
                self._puts += 1
                if self._puts % _FORGET_EVERY == 1:
                    database.execute(
                        "DELETE FROM owners WHERE id IN (SELECT id FROM owners WHERE until_s <= ? LIMIT ?)",
                        (int(self._clock()), _FORGET_AT_ONCE),
                    )
        except _errors() as error:
            raise Unavailable(f"whose this is cannot be written down: {error}") from error

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            if self._path is not None:
                private_directory(self._path.parent)
                self._path.touch(mode=0o600)
            # Imported here: it is 1.5 MB, and only stateful calls need it.
            import sqlite3

            database = sqlite3.connect(self._path or ":memory:", timeout=_PATIENCE_S)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(_SCHEMA)
            self._opened = database
        return self._opened


def _errors() -> type[Exception]:
    import sqlite3

    return sqlite3.Error
