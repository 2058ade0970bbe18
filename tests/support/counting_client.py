"""Clients that call without a pause and know what they saw: which calls were answered to their end, and how.

A call is known by the mark in its URL, which its row has too.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.system import System, eventually

PATH = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
PLAIN = b'{"messages": [{"role": "user", "content": "Hello!"}]}'
STREAM = b'{"messages": [{"role": "user", "content": "Hello!"}], "stream": true}'
MARKS = (
    "ApiManagementGatewayLogs | extend mark = substring(Url, indexof(Url, 'mark=') + 5, 32)"
    " | summarize n = count(), status = max(ResponseCode) by mark"
)


@dataclass
class Seen:
    """What the clients saw. `finished` are marks of calls that were answered 200 and to their end."""

    sent: int = 0
    finished: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)  # mark: status
    broken: int = 0  # cut, refused by the kernel, timed out, ended with an error event
    silent: set[str] = field(default_factory=set)  # marks of answers that looked whole, and were not
    last_success: float = 0.0  # time.monotonic() at which the last call that succeeded was sent

    @property
    def statuses(self) -> Counter[int]:
        return Counter(self.refused.values())


class CountingClient:
    """`clients` threads; every second one streams, and of the others every second one sends `large_bytes` more. `stop`
    ends them and asserts that none hangs."""

    def __init__(
        self,
        system: System,
        *,
        clients: int = 4,
        key: str = "",
        path: str = PATH,
        timeout_s: float = 20.0,
        large_bytes: int = 0,
    ) -> None:
        self.seen = Seen()
        self._system = system
        self._key = key or system.key
        self._path = path
        self._timeout_s = timeout_s
        self._large = PLAIN.replace(b"!", b"!" * (1 + large_bytes))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(i,)) for i in range(clients)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> CountingClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(self._timeout_s + 10)
            assert not thread.is_alive(), "a client hangs"

    def wait_for(self, more: int, within_s: float = 30.0) -> None:
        """Until so many more calls have finished."""
        before = len(self.seen.finished)
        eventually(
            f"{more} finished calls", lambda: len(self.seen.finished) >= before + more, within_s=within_s
        )

    def _client(self, number: int) -> None:
        address = urlsplit(self._system.gateway)
        assert address.hostname
        connection: http.client.HTTPConnection | None = None
        body = STREAM if number % 2 else self._large if number % 4 else PLAIN
        headers = {"api-key": self._key, "Content-Type": "application/json"}
        seen = self.seen
        while not self._stop.is_set():
            # Not of a key's form, which a record would not show.
            mark = f"m{uuid.uuid4().hex[1:]}"
            with self._lock:
                seen.sent += 1
            sent_at = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(
                        address.hostname, address.port, timeout=self._timeout_s
                    )
                connection.request("POST", f"{self._path}&mark={mark}", body, headers)
                response = connection.getresponse()
                # A stream that is cut raises IncompleteRead here; http.client knows the end of both kinds.
                text = response.read()
            except (OSError, http.client.HTTPException):
                with self._lock:
                    seen.broken += 1
                if connection is not None:
                    connection.close()
                connection = None
                # A gateway that is being started again refuses connections; do not spin meanwhile.
                self._stop.wait(0.02)
                continue
            with self._lock:
                if response.status != 200:
                    seen.refused[mark] = response.status
                elif body is STREAM and b'data: {"error"' in text:
                    seen.broken += 1
                elif not _is_whole(body, text):
                    seen.silent.add(mark)
                else:
                    seen.finished.add(mark)
                    seen.last_success = max(seen.last_success, sent_at)
            if response.status != 200:
                self._stop.wait(0.01)
        if connection is not None:
            connection.close()


def _is_whole(asked: bytes, text: bytes) -> bool:
    if asked is STREAM:
        return text.endswith(b"data: [DONE]\n\n")
    try:
        return bool(json.loads(text)["choices"])
    except (ValueError, KeyError):
        return False


def every_finished_call_has_one_row(system: System, seen: Seen, within_s: float = 60.0) -> dict[str, int]:
    """Asks until all are there, then whether one is there twice; mark to status of all rows."""
    finished = set(seen.finished)
    assert finished
    assert seen.silent == set(), f"parts that were taken for whole answers: {len(seen.silent)}"

    def complete() -> dict[str, int] | None:
        rows = system.query(MARKS)
        found = {str(r["mark"]): int(r["n"]) for r in rows}
        if finished - found.keys():
            return None
        twice = {mark for mark, n in found.items() if mark in finished and n != 1}
        assert twice == set(), f"rows that are there twice: {len(twice)}"
        return {str(r["mark"]): int(r["status"] or 0) for r in rows}

    return eventually(f"the rows of {len(finished)} finished calls", complete, within_s=within_s)
