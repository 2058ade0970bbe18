"""A process that fails says so: crashes of the interpreter, exceptions that nobody caught, in threads and tasks too.

All of it goes to standard error, which the supervisor keeps as the process's log. It knows no plane.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import sys
import threading
from types import TracebackType
from typing import Any

from aforo.app.log_flood import Flood

log = logging.getLogger("aforo.app")


def prepare(level: str) -> None:
    """Log to standard error from `level` on; write down every way in which this process can fail."""
    faulthandler.enable()
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(Flood())
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


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
