"""Asking a system that does not run: under the lock of its data directory, spools first, in this process."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aforo.cli.exits import Exit, Failure
from aforo.settings import Layout


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Holds the lock that a running system holds; Failure when somebody else has it."""
    try:
        file = layout.lock.open("a")
    except OSError as error:
        raise Failure(f"{layout.lock} cannot be opened: {error.strerror}.", code=Exit.UNREACHABLE) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Failure(
                f"A system runs on {layout.root}, but its control plane does not answer.",
                hint=f"It may be starting or stopping; its processes write to {layout.logs}.",
                code=Exit.UNREACHABLE,
            ) from error
        yield


def ask(data: Path, text: str, timespan: str | None) -> dict[str, Any]:
    """The answer to a query, or its error, in the shape of the query API."""
    layout = Layout(data)
    with locked(layout):
        # The engine's libraries take a while to load, and nobody needs them to learn that nothing ran here.
        from aforo.errors import Conflict, Invalid
        from aforo.logs import answers, query
        from aforo.logs.question import US_PER_S, Outcome, QueryRequest
        from aforo.logs.shipper import Shipper
        from aforo.logs.timespan import parse_timespan

        try:
            # What the gateway wrote before it ended, and nobody shipped.
            with Shipper(layout.spool, layout.tables) as shipper:
                shipper.drain()
        except Conflict as refusal:
            raise Failure(
                f"{refusal.message}.", hint="Ask again in a moment.", code=Exit.UNREACHABLE
            ) from refusal
        workspaces = tuple(sorted(p.name for p in layout.tables.glob("*") if p.is_dir()))
        now_us = int(time.time() * US_PER_S)
        try:
            span = parse_timespan(timespan, now_us) if timespan else None
        except Invalid as refusal:
            raise Failure(refusal.message, code=Exit.USAGE) from refusal
        request = QueryRequest(workspace_ids=workspaces, text=text, now_us=now_us, timespan=span)
        answer = query.ask_files(layout.tables, request, geoip=layout.geoip)
        if answer.outcome is not Outcome.OK:
            return answers.failure(answer, "")[1]
        body = answers.success(
            answer, statistics=False, render=True, row_limit=request.row_limit, byte_limit=request.byte_limit
        )
        return dict(json.loads(body))
