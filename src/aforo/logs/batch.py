"""What the shipper has taken from spools and not stored in full yet: rows by table, each with the frame that it is from."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from deltalake.transaction import AddAction, RemoveAction

from aforo.logs.columns import DayRows
from aforo.logs.intake import Intake, TakenAmend, TakenCall
from aforo.logs.rows import Row
from aforo.spool.frame import Frame

TableKey = tuple[str, str]  # workspace id, table name
Place = tuple[list[Row], list[int]]  # rows and the sequences of their frames
Files = list[AddAction | RemoveAction]


@dataclass(slots=True)
class Part:
    """The rows of a batch for one table: `of` by the application that they come from, with the sequences of their frames,
    then as columns, then in files that a commit is to name."""

    of: dict[str, Place] = field(default_factory=lambda: defaultdict(lambda: ([], [])))
    known: dict[str, int] = field(default_factory=dict)  # application: where it was in the table before
    made: list[DayRows] = field(default_factory=list)
    files: list[Future[Files]] = field(default_factory=list)
    refused: bool = False  # rows of it were put aside: what it reaches is to be stored all the same

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
                if not sequences or min(sequences) > after
                else [r for r, s in zip(rows, sequences, strict=True) if s > after]
            )
        return out


@dataclass(slots=True)
class Batch:
    """What was taken and is not stored in full yet. `more`: a limit ended the taking, not the end of the spools."""

    at_us: int = 0
    frames: int = 0
    size_bytes: int = 0  # of the frames
    waiting_bytes: int = 0  # of those of them whose rows are in no file yet
    more: bool = False
    parts: dict[TableKey, Part] = field(default_factory=lambda: defaultdict(Part))
    reaches: dict[str, int] = field(default_factory=dict)  # application: the position after this batch
    amends: list[TakenAmend] = field(default_factory=list)  # for rows that are stored already
    begun: list[tuple[Intake, list[TakenCall]]] = field(default_factory=list)
    refused: list[tuple[Intake, Frame, str]] = field(default_factory=list)

    def forget_files(self, tables_root: Path) -> None:
        """Wait until nobody writes for this batch, which has failed; files that no commit can name go, for a full disk
        needs the room."""
        for (workspace, table), part in self.parts.items():
            for future in part.files:
                if future.cancel() or future.exception() is not None:
                    continue
                for add in future.result():
                    with contextlib.suppress(OSError):
                        (tables_root / workspace / table / add.path).unlink()
