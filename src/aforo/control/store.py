"""The store of resources: SQLAlchemy Core over SQLite (one file) or PostgreSQL, the same code for both.

It keeps opaque bodies and counts revisions; what they mean, and which of their values are sealed, it does not know.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from aforo.errors import Conflict, Unavailable

_metadata = MetaData()
_resources = Table(
    "resources",
    _metadata,
    Column("id_key", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("etag", String(32), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("place", BigInteger, nullable=False),  # order of creation
    Column("body", LargeBinary, nullable=False),
)
_revisions = Table(
    "revisions",
    _metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("caller", Text, nullable=False),
    Column("summary", Text, nullable=False),
)
_facts = Table(
    "facts", _metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False)
)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Row:
    """A resource as it is stored. `id_key` is the lower-case id."""

    id_key: str
    id: str
    etag: str
    origin: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Revision:
    """One committed change. `at_ns` is unix nanoseconds."""

    number: int
    at_ns: int
    caller: str
    summary: str


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The ids of this installation: made once, shown to clients as tenant and Azure subscription."""

    tenant_id: str
    subscription_id: str


class Store:
    """An opened store. `url` is SQLAlchemy's: `sqlite:////path/store.sqlite`, `postgresql+psycopg://...`."""

    def __init__(self, url: str) -> None:
        self._engine = _open(url)
        try:
            _metadata.create_all(self._engine)
        except OperationalError as error:
            raise Unavailable(f"the store cannot be opened: {error.orig}") from error

    def close(self) -> None:
        self._engine.dispose()

    def load(self) -> tuple[int, list[Row]]:
        """(revision, all resources in order of creation)."""
        with self._engine.connect() as connection:
            revision = self._number(connection)
            table = _resources.c
            rows = connection.execute(
                select(table.id_key, table.id, table.etag, table.origin, table.body).order_by(table.place)
            )
            return revision, [Row(*row) for row in rows]

    def write(self, note: Revision, puts: Iterable[Row], removes: Iterable[str]) -> None:
        """Commit a change as revision `note.number`, in one transaction.

        Conflict when another control process has committed that revision in the meantime.
        """
        puts, keys = list(puts), list(removes)
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_revisions).values(_values(note)))
                known = self._places(connection, [row.id_key for row in puts])
                for start in range(0, len(keys), _BATCH):
                    connection.execute(
                        delete(_resources).where(_resources.c.id_key.in_(keys[start : start + _BATCH]))
                    )
                new = [row for row in puts if row.id_key not in known]
                first = note.number * 1_000_000
                for start in range(0, len(new), _BATCH):
                    connection.execute(
                        insert(_resources),
                        [
                            {**_values(row), "place": first + start + i}
                            for i, row in enumerate(new[start : start + _BATCH])
                        ],
                    )
                for row in puts:
                    if row.id_key in known:
                        statement = update(_resources).where(_resources.c.id_key == row.id_key)
                        connection.execute(statement.values(_values(row)))
        except IntegrityError as error:
            raise Conflict(
                "the configuration was changed by somebody else at the same moment; try again",
                code="ConcurrentChange",
            ) from error
        except OperationalError as error:
            raise Unavailable(f"the store cannot be written: {error.orig}") from error

    def revisions(self, limit: int = 50) -> list[Revision]:
        """The newest changes, newest first."""
        with self._engine.connect() as connection:
            table = _revisions.c
            rows = connection.execute(
                select(table.number, table.at_ns, table.caller, table.summary)
                .order_by(table.number.desc())
                .limit(limit)
            )
            return [Revision(*row) for row in rows]

    def tenancy(self) -> Tenancy:
        """The installation's ids; made when they are first asked for."""
        return Tenancy(
            self._fact("tenant_id", str(uuid.uuid4())), self._fact("subscription_id", str(uuid.uuid4()))
        )

    def _fact(self, name: str, first: str) -> str:
        query = select(_facts.c.value).where(_facts.c.name == name)
        with self._engine.connect() as connection:
            value = connection.execute(query).scalar()
        if value is not None:
            return str(value)
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_facts).values(name=name, value=first))
        except IntegrityError:  # another process was faster: its value counts
            with self._engine.connect() as connection:
                return str(connection.execute(query).scalar())
        return first

    @staticmethod
    def _number(connection: Any) -> int:
        newest = select(_revisions.c.number).order_by(_revisions.c.number.desc()).limit(1)
        return int(connection.execute(newest).scalar() or 0)

    @staticmethod
    def _places(connection: Any, keys: list[str]) -> set[str]:
        known: set[str] = set()
        for start in range(0, len(keys), _BATCH):
            chosen = _resources.c.id_key.in_(keys[start : start + _BATCH])
            known.update(row[0] for row in connection.execute(select(_resources.c.id_key).where(chosen)))
        return known


def sqlite_url(path: Path) -> str:
    """The URL of a store in a file."""
    return f"sqlite:///{path.absolute()}"


def _values(row: Row | Revision) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def _open(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        # SQLite gives its side files the mode of the main one: private from the first byte on.
        os.close(os.open(parsed.database, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(parsed, connect_args={"timeout": 10})

    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # A revoked key must stay revoked after a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    event.listen(engine, "connect", prepare)
    return engine
