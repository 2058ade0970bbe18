"""The executor of a gateway's loop: what a library puts into another thread gets one that ends with it.

A second Python thread, asleep or not, costs every call of a gateway (docs/decisions/0061); the usual executor keeps its
threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class EndingThreads(ThreadPoolExecutor):
    """A ThreadPoolExecutor by name alone (loops take no other): it keeps no pool."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is handed to who waits
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, name="ending", daemon=True).start()
        return future
