"""Delta tables outside of the workspace: one per category, in a folder of this machine or in storage.

The number of a batch is committed with its rows, as an application transaction of the outbox that it comes from: a batch
that comes again, after a kill or an answer that got lost, finds its number and is not written again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from aforo.errors import Unavailable
from aforo.logs.delivery.forms import TABLES, container_of, read_row
from aforo.logs.delivery.outbox import Batch
from aforo.logs.delivery.stores import Stores
from aforo.logs.delta import TableWriter
from aforo.logs.rows import Row

log = logging.getLogger("aforo.logs")

# As Delta has it by default: other readers may hold a version for long. (Numbers of batches are kept for good.)
_CONFIGURATION = {"delta.dataSkippingStatsColumns": "TimeGenerated", "delta.checkpointInterval": "32"}


class Where(NamedTuple):
    """A table's place. `options` sign in; of a folder there are none, and what is written is brought onto the disk."""

    uri: str
    options: dict[str, str] | None = None


class Tables:
    """`where` finds the place of a table of a container: (container, table name)."""

    def __init__(
        self, where: Callable[[str, str], Where], writer: str, plain: Callable[[Exception], str]
    ) -> None:
        self._where = where
        self._application = f"aforo-{writer}"
        self._plain = plain
        self._writers: dict[str, TableWriter] = {}

    def deliver(self, batch: Batch) -> None:
        """See `destination.Place`."""
        rows: dict[str, list[Row]] = defaultdict(list)
        for part in batch.parts:
            rows[part.category] += [read_row(TABLES[part.category], line) for line in part.lines]
        for category, of_category in rows.items():
            table = TABLES[category]
            where = self._where(container_of(category), table.name)
            try:
                self._append(category, where, of_category, batch.positions.number)
            except Exception as error:
                self._writers.clear()
                raise Unavailable(f"the table {where.uri} takes nothing: {self._plain(error)}") from error

    def close(self) -> None:
        """Nothing is open between batches."""
        self._writers.clear()

    def _append(self, category: str, where: Where, rows: list[Row], number: int) -> None:
        writer = self._writers.get(category)
        if writer is None:
            writer = TableWriter(
                where.uri, TABLES[category], "", options=where.options, configuration=_CONFIGURATION
            )
            self._writers[category] = writer
        if writer.position(self._application) < number:
            try:
                writer.append(rows, {self._application: number})
            except (TypeError, ValueError, OverflowError):
                # Nothing was written; a value that its column cannot hold must not hold up the rest.
                fitting = [row for row in rows if writer.fits(row)]
                if len(fitting) == len(rows):
                    raise
                log.error("%s: %d rows do not fit their columns", where.uri, len(rows) - len(fitting))
                writer.append(fitting, {self._application: number})
        if where.options is None:
            writer.sync()


def in_folder(root: Path) -> Callable[[str, str], Where]:
    """Tables below a folder of this machine."""
    return lambda container, table: Where(str(root / container / table))


def in_storage(stores: Stores) -> Callable[[str, str], Where]:
    """Tables in buckets and containers."""

    def where(container: str, table: str) -> Where:
        at = stores.at(container)
        return Where(f"{at.root}/{at.below}{table}", at.options)

    return where
