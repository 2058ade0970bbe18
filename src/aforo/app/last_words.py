"""A process that fails says so: crashes of the interpreter, exceptions that nobody caught, in threads and tasks too.

All of it goes to standard error, which the supervisor keeps as the process's log. It knows no plane.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from aforo.app.log_flood import Flood
from aforo.errors import Refusal

log = logging.getLogger("aforo.app")

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def prepare(level: str) -> None:
    """Log to standard error from `level` on; write down every way in which this process can fail."""
    faulthandler.enable()
    logging.basicConfig(
        level=level.upper(),
        format=FORMAT,
        stream=sys.stderr,
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(Flood())
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def keep_quiet(mask: Callable[[str], str]) -> None:
    """From here on nothing that `mask` takes out is written. Of exceptions only those that speak of files, connections
    and our own refusals tell more than their kind and place: any other may quote what a call carried."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Masking(mask))


class _Masking(logging.Formatter):
    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__(FORMAT)
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        lines: list[str] = []
        at: BaseException | None = ei[1]
        seen: set[int] = set()
        while at is not None and id(at) not in seen:
            seen.add(id(at))
            # Places without their lines: those of a generated section are a document's.
            lines += [
                f'  File "{f.filename}", line {f.lineno}, in {f.name}'
                for f in traceback.extract_tb(at.__traceback__, limit=-_FRAMES)
            ]
            told = f": {at}" if isinstance(at, _HARMLESS) else ""
            lines.append(f"{type(at).__module__}.{type(at).__qualname__}{told}")
            at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
            if at is not None:
                lines.append("after:")
        return "\n".join(lines)


_FRAMES = 30
_HARMLESS = (OSError, Refusal, TimeoutError, MemoryError, RecursionError)


def tell_of_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Log what fails in callbacks and in tasks that nobody waits for."""
    loop.set_exception_handler(_failed)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("not caught: %s", kind.__name__, exc_info=(kind, error, trace))


def _uncaught_in_thread(hooked: threading.ExceptHookArgs) -> None:
    if hooked.exc_type is SystemExit or hooked.exc_value is None:
        return
    name = hooked.thread.name if hooked.thread is not None else "?"
    log.critical(
        "not caught in thread %s: %s",
        name,
        hooked.exc_type.__name__,
        exc_info=(hooked.exc_type, hooked.exc_value, hooked.exc_traceback),
    )


def _failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # Not the objects of the context, as asyncio itself would: their texts may quote what a call carried.
    error = context.get("exception")
    log.error("%s", context.get("message", "a callback failed"), exc_info=error if error else None)
