"""What the shipper has counted, in a file: control answers `/metrics` with it. The file is replaced as a whole."""

from __future__ import annotations

import logging
from pathlib import Path

from aforo.llm.digest import Digest
from aforo.logs.project import Context
from aforo.logs.tally import Tally
from aforo.private_files import write_private
from aforo.spool.records import CallRecord

log = logging.getLogger("aforo.logs")

_EVERY_S = 1.0


class TallyFile:
    """A watcher of the shipper."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tally = Tally()
        self._changed = True
        self._written_s = 0.0

    def saw(self, call: CallRecord, context: Context, read: Digest | None) -> None:
        self._tally.saw(call, read, context.prices)
        self._changed = True

    def tick(self, now_s: float) -> None:
        if not self._changed or 0 <= now_s - self._written_s < _EVERY_S:
            return
        self._changed, self._written_s = False, now_s
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._path, self._tally.text().encode(), durable=False)
        except OSError as error:
            log.warning("the metrics could not be written to %s: %s", self._path, error)
