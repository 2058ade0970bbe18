"""Which files hold rows whose promoted values cannot stand for their text, remembered per file.

A file never changes, so each is asked once in the life of a process (about 0.5 ms, one small column). Where no
row of the files has the flag set, the query need not read the texts: a tenth of the time (decision 0052).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

import duckdb

from aforo.logs.metadata import AskedTable
from aforo.logs.sandbox import name, relation
from aforo.logs.versions import StoredFile

_MOST_FILES = 100_000


class FlagBook:
    """For each file the flags that some row of it has set (or lacks)."""

    def __init__(self) -> None:
        self._set: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def doubted(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: AskedTable,
        files: Sequence[StoredFile],
        flags: Collection[str],
    ) -> frozenset[str]:
        """Those of `flags` that some row of `files` has set. The connection must be able to read the files."""
        stored = {column for column, _ in table.stored}
        return frozenset(
            f for f in flags if files and (f not in stored or self._any_set(connection, f, files))
        )

    def _any_set(self, connection: duckdb.DuckDBPyConnection, flag: str, files: Sequence[StoredFile]) -> bool:
        new = [file for file in files if (file.path, flag) not in self._set]
        if new:
            inner = relation([(flag, "BOOLEAN")], new, named=True)
            # A row without the flag is from before the path was promoted: its text must be asked.
            sql = f"SELECT filename, bool_or(coalesce({name(flag)}, true)) FROM ({inner}) GROUP BY ALL"  # noqa: S608
            found = dict(connection.execute(sql).fetchall())
            for file in new:
                self._set[file.path, flag] = bool(found.get(file.path, file.rows > 0))
            while len(self._set) > _MOST_FILES:
                self._set.popitem(last=False)
        return any(self._set.get((file.path, flag), True) for file in files)
