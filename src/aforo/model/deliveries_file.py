"""Where logs are delivered besides tables, as control publishes it for the shipper: a small private JSON file.

Credentials are sealed (`identity.seal`, purpose `deliveries`). A destination begins with calls that ended after it was
first published.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from aforo.private_files import read_private, write_private

PURPOSE = "deliveries"
FILE = "deliveries.json"


class Destination(msgspec.Struct, frozen=True):
    """One place that a diagnostic setting names. `options` are sealed values by name."""

    id: str  # of the setting, and which of its places: `...#storage`, `...#delta`, `...#events`
    resource_id: str  # whose logs
    categories: tuple[str, ...]
    kind: str  # folder, objects, delta or events
    place: str  # a folder's name, a URL, or an event hub's name ("" for one per category)
    options: dict[str, str] = {}
    private: tuple[str, ...] = ()  # private addresses that may be connected to (egress)
    since_ns: int = 0


def save(destinations: list[Destination], path: Path) -> list[Destination]:
    """Replace the file (mode 0600); one that was in it already keeps the time from which it counts."""
    known = {each.id: each.since_ns for each in load(path)}
    now = time.time_ns()
    dated = [msgspec.structs.replace(d, since_ns=known.get(d.id, now)) for d in destinations]
    write_private(path, msgspec.json.encode(dated))
    return dated


def load(path: Path) -> list[Destination]:
    """What the file says; nothing where there is none that can be read."""
    try:
        return msgspec.json.decode(read_private(path), type=list[Destination])
    except (FileNotFoundError, msgspec.MsgspecError):
        return []
