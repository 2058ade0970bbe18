"""A pool that answers in this process, over real tables: the real evaluation without its process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

from aforo.logs.evaluate import Evaluator
from aforo.logs.question import QueryAnswer, QueryRequest
from aforo.logs.versions import TableVersions
from aforo.tables.catalog import TABLES
from aforo.tables.schema import Table


class InProcessPool:
    """One evaluator, asked one question at a time in a thread."""

    def __init__(self, root: Path, declared: Mapping[str, Table] = TABLES) -> None:
        self.root = root
        self._evaluator = Evaluator(TableVersions(root), memory_bytes=1 << 29, threads=2, declared=declared)
        self._lock = threading.Lock()  # several listeners, each with its own loop

    async def query(self, request: QueryRequest) -> QueryAnswer:
        return await asyncio.to_thread(self._answer, request)

    def _answer(self, request: QueryRequest) -> QueryAnswer:
        with self._lock:
            return self._evaluator.answer(request)
