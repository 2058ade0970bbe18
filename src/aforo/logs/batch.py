"""What the shipper has taken from spools and not stored in full yet: rows by table, each with the frame that it is from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from aforo.logs.intake import Intake, TakenAmend, TakenCall
from aforo.logs.rows import Row
from aforo.spool.frame import Frame

TableKey = tuple[str, str]  # workspace id, table name


@dataclass(slots=True)
class Part:
    """The rows of a batch for one table, by the application that they come from, with the sequences of their frames."""

    of: dict[str, tuple[list[Row], list[int]]] = field(default_factory=lambda: defaultdict(lambda: ([], [])))

    def add(self, row: Row, application: str, sequence: int) -> None:
        rows, sequences = self.of[application]
        rows.append(row)
        sequences.append(sequence)

    def behind(self, positions: Mapping[str, int]) -> list[Row]:
        """The rows of frames that are behind where their applications are already."""
        out: list[Row] = []
        for application, (rows, sequences) in self.of.items():
            after = positions[application]
            # Most often all of them: nothing of a batch is there before it is stored.
            out += (
                rows
                if min(sequences) > after
                else [r for r, s in zip(rows, sequences, strict=True) if s > after]
            )
        return out


@dataclass(slots=True)
class Batch:
    """What was taken and is not stored in full yet."""

    frames: int = 0
    parts: dict[TableKey, Part] = field(default_factory=lambda: defaultdict(Part))
    reaches: dict[str, int] = field(default_factory=dict)  # application: the position after this batch
    amends: list[TakenAmend] = field(default_factory=list)  # for rows that are stored already
    begun: list[tuple[Intake, list[TakenCall]]] = field(default_factory=list)
    refused: list[tuple[Intake, Frame, str]] = field(default_factory=list)
