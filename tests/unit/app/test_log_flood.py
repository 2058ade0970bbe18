"""The same line a thousand times a second."""

from __future__ import annotations

import logging

from aforo.app.log_flood import LINES_A_SECOND, Flood


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_a_flood_is_counted_and_other_lines_go_on() -> None:
    now = 5.0
    kept = Kept()
    kept.addFilter(Flood(lambda: now))
    log = logging.getLogger("tests.flood")
    log.addHandler(kept)
    log.propagate = False
    for number in range(1000):
        log.warning("no connection for call %d", number)
    log.warning("another line")
    assert len(kept.lines) == LINES_A_SECOND + 1
    assert kept.lines[-1] == "another line"
    now = 6.5
    log.warning("no connection for call %d", 7)
    assert kept.lines[-1] == f"no connection for call 7 (and {1000 - LINES_A_SECOND} more like this)"
    log.warning("no connection for call %d", 8)
    assert kept.lines[-1] == "no connection for call 8"
