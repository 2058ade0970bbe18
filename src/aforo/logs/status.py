"""How far the spools are, for whoever wants to know: the shipper itself, tests, tools. It changes nothing.

Only files are read, so it can be asked beside a running shipper and without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aforo.logs.intake import Intake, load_state


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """How far one spool is. Counts are frames; accepted = stored + pending.

    `damaged` and `refused` are contained in `stored`: frames whose bytes were no longer sound, and frames put
    aside since no table can take them; both since the shipper started.
    """

    folder: str
    spool: str
    accepted: int
    stored: int
    pending: int
    damaged: int
    refused: int


def spool_status(spool_root: Path) -> list[SpoolStatus]:
    """The spools below a root, as their files say."""
    out = []
    for folder in sorted(p for p in spool_root.iterdir() if p.is_dir()) if spool_root.is_dir() else ():
        intake = Intake(folder)
        if intake.id:
            out.append(status_of(intake))
        intake.reader.close()
    return out


def status_of(intake: Intake) -> SpoolStatus:
    """How far a spool is that is open already."""
    state = load_state(intake.folder)
    # Asked before the end of the spool: what is accepted in between is pending, never less than nothing.
    stored = intake.reader.count(state.stored) if state.spool == intake.id else intake.reader.count(0)
    accepted = intake.reader.accepted()
    stored = min(stored, accepted)
    return SpoolStatus(
        intake.folder.name, intake.id, accepted, stored, accepted - stored, state.damaged, state.refused
    )
