"""How far destinations are, as files say: for the status and for whoever watches. It changes nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "state.json"


class DeliveryState(msgspec.Struct, frozen=True):
    """One destination. `records` were delivered; `pending` are frames of spools that are in no delivered batch yet, some
    of which may hold nothing for it; `skipped` were given up; `delivered_at` is unix seconds."""

    destination: str
    kind: str
    place: str
    records: int
    pending: int
    waiting_batches: int
    skipped: int
    delivered_at: float
    failing_since: float = 0.0
    error: str = ""


def states(root: Path) -> list[DeliveryState]:
    """Those below a folder (`Layout.deliveries`)."""
    found = []
    for path in sorted(root.glob(f"*/{FILE}")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=DeliveryState))
        except (FileNotFoundError, msgspec.MsgspecError):
            continue
    return found
