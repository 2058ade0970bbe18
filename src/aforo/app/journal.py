"""The supervisor's own log: what was started, what ended and how, what was decided. It knows no process."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from aforo.app.ownership import translated

_LARGEST = 4 * 1024 * 1024


@contextlib.contextmanager
def journal(path: Path) -> Iterator[None]:
    """Append what the supervisor logs to that file (0600) while the block runs; once large it starts anew, one back."""
    with translated(path.parent.parent):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > _LARGEST:
                path.replace(path.with_name(f"{path.name}.1"))
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    handler = _Lines(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("aforo")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        os.close(file)


class _Lines(logging.Handler):
    """One write per entry, nothing buffered. A full disk costs the entry, never the supervisor."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        with contextlib.suppress(OSError):
            os.write(self._file, line.encode("utf-8", "backslashreplace"))
