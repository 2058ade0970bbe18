"""When rows came into their tables: `ingestion_time()` becomes a hidden column of the scan that they come from.

It holds as long as rows are those of one table: through filters, projections, orders and unions. What rows are made of
several (an aggregate) has no such time, and it is null. It knows no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping

from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, references
from aforo.kql.plan import Scan, Union
from aforo.kql.types import DATETIME

OPERATION = "ingestion_time"
# Ids of these columns, far from those of the plan and of the writer.
_FIRST_ID = -1_000_000_000
_UNKNOWN = Constant(None, DATETIME)


class IngestionTimes:
    """The hidden columns that one query reads. `stored` and `definitions` are those of the lowering, filled while it
    surveys the plan."""

    def __init__(self, stored: Mapping[int, Scan], definitions: Mapping[int, Expression]) -> None:
        self._stored = stored
        self._definitions = definitions
        self._unions: dict[int, Union] = {}
        # By the id of the first column of the scan or union that they belong to.
        self._of: dict[int, Column] = {}
        self._branches: dict[int, tuple[Expression, ...]] = {}

    def united(self, union: Union) -> None:
        self._unions.update((column.id, union) for column in union.made)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All that were asked for: they travel up through every projection on the way."""
        return tuple(self._of.values())

    def time(self, call: Apply) -> Expression:
        """What a call reads; its arguments are the columns of the row that it is asked of."""
        origins: dict[int, Scan | Union] = {}
        seen: set[int] = set()
        for argument in call.arguments:
            for column in references(argument):
                self._trace(column, origins, seen)
        if len(origins) != 1:
            return _UNKNOWN
        ((key, origin),) = origins.items()
        if isinstance(origin, Scan) and not origin.table.ingested:
            return _UNKNOWN
        if key not in self._of:
            name = origin.table.ingested if isinstance(origin, Scan) else OPERATION
            self._of[key] = Column(_FIRST_ID - len(self._of), name, DATETIME)
            if isinstance(origin, Union):
                self._branches[key] = tuple(
                    self.time(Apply(OPERATION, tuple(Reference(c) for c in branch.columns), DATETIME))
                    for branch, _ in origin.branches
                )
        return Reference(self._of[key])

    def of_scan(self, scan: Scan) -> Column | None:
        return self._of.get(scan.read[0].id) if scan.read else None

    def of_union(self, union: Union) -> tuple[Column, tuple[Expression, ...]] | None:
        """The further column, and what each branch has for it."""
        key = union.made[0].id if union.made else 0
        return (self._of[key], self._branches[key]) if key in self._branches else None

    def _trace(self, column: Column, origins: dict[int, Scan | Union], seen: set[int]) -> None:
        if column.id in seen:
            return
        seen.add(column.id)
        if (scan := self._stored.get(column.id)) is not None:
            origins[scan.read[0].id] = scan
        elif (union := self._unions.get(column.id)) is not None:
            origins[union.made[0].id] = union
        elif (definition := self._definitions.get(column.id)) is not None:
            for below in references(definition):
                self._trace(below, origins, seen)
