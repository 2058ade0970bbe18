"""How long each workspace keeps its rows, as control publishes it for the shipper: a small JSON file.

`{"<workspace id>": {"days": 30, "tables": {"<table>": 90}}}`; a workspace that is not in it keeps everything.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from aforo.private_files import write_private


class Retention(msgspec.Struct, frozen=True):
    """Days that rows are kept; 0 is for ever. `tables` differ from the workspace's rule."""

    days: int
    tables: dict[str, int] = {}


def save(rules: dict[str, Retention], path: Path) -> None:
    """Replace the file (mode 0600); a reader sees the old one or the new one."""
    write_private(path, msgspec.json.encode(rules))


class RetentionFile:
    """The file, read again when it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = -1
        self._rules: dict[str, Retention] = {}

    def days(self, workspace_id: str, table: str) -> int:
        """How many days this table of this workspace keeps rows; 0 for ever."""
        self._refresh()
        rule = self._rules.get(workspace_id)
        if rule is None:
            return 0
        return rule.tables.get(table, rule.days)

    def _refresh(self) -> None:
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._rules = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Retention])
                self._stamp = stamp
        except (FileNotFoundError, msgspec.MsgspecError):
            # Better to keep rows a while longer than to delete by a rule that nobody gave.
            return
