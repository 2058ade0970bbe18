"""What a query may name: tables, columns, saved functions. The caller describes them; nothing is looked up elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aforo.kql.types import KqlType


@dataclass(frozen=True, slots=True)
class ColumnSymbol:
    """A column of a table or of a result.

    How its values lie in the tables that compiled SQL reads (the engine makes them under these names):
    bool BOOLEAN, int INTEGER, long BIGINT, real DOUBLE, decimal DECIMAL(38,12), string VARCHAR (NULL reads as ''),
    datetime TIMESTAMPTZ (microseconds), timespan BIGINT (ticks of 100 ns), guid VARCHAR (lower case, hyphens),
    dynamic VARCHAR (canonical JSON text, NULL for null).
    """

    name: str
    type: KqlType


@dataclass(frozen=True, slots=True)
class PromotedPath:
    """`parse_json(column)[path...]` may be read from the plain column `stored`, whose SQL type is that of `type`.

    Where the boolean column `flag` is true, the stored value cannot stand for the text (another type, or the path
    crosses a string that holds JSON): there `stored` is NULL and the text is parsed. NULL in `stored` without the flag means that the text
    has no such value. Without a `flag` the stored column always holds.
    """

    column: str
    path: tuple[str | int, ...]
    stored: str
    type: KqlType
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class TableSymbol:
    """A table. `hidden` physical columns (promoted ones, flags) are not part of the user's schema. `place` is that of its
    database. `ingested` is the hidden column that says when a row came in, empty where nobody wrote it down."""

    name: str
    columns: tuple[ColumnSymbol, ...]
    promoted: tuple[PromotedPath, ...] = ()
    hidden: tuple[str, ...] = ()
    place: str = ""
    ingested: str = ""

    @property
    def key(self) -> str:
        """What compiled SQL calls it: its name, with its place in front when it is not of the database that is asked."""
        return f"{self.place}/{self.name}" if self.place else self.name


def nothing_outside(_url: str) -> str:
    """Nobody allows a file outside."""
    return "queries here have no reach to files and networks"


@dataclass(frozen=True, slots=True)
class Database:
    """All that a query may name. `functions` are saved functions: name to KQL text (`(x: long) { T | take x }`). `also`
    are further names of the same place (an id, the path of a resource), for `workspace("...")` and its kin. `others` are
    the further places that may be named, by their names in lower case; each has a `place` of its own, the asked one none.
    `outside(url)` says why `externaldata` may not read a file; "" when it may.
    """

    name: str
    tables: Mapping[str, TableSymbol]
    functions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    also: tuple[str, ...] = ()
    others: Mapping[str, Database] = field(default_factory=lambda: MappingProxyType({}))
    place: str = ""
    outside: Callable[[str], str] = nothing_outside
