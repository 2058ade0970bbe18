"""kill -9 of the gateway under load: whatever a client had fully received has its row, exactly once."""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.system import System, call, eventually, running_system

CLIENTS = 8
KILLS = 4
PATH = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
PLAIN = b'{"messages": [{"role": "user", "content": "Hello!"}]}'
STREAM = b'{"messages": [{"role": "user", "content": "Hello!"}], "stream": true}'


class Counter:
    """Clients that call without a pause and note the mark of each response that they received to its end."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._key = system.key
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.finished: set[str] = set()
        self.sent = 0
        self._threads = [threading.Thread(target=self._client, args=(i,)) for i in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a client hangs"

    def _client(self, number: int) -> None:
        address = urlsplit(self._system.gateway)
        connection: http.client.HTTPConnection | None = None
        body = STREAM if number % 2 else PLAIN
        while not self._stop.is_set():
            # Not of a key's form, which a record would not show.
            mark = f"m{uuid.uuid4().hex[1:]}"
            with self._lock:
                self.sent += 1
            try:
                if connection is None:
                    assert address.hostname
                    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
                connection.request(
                    "POST",
                    f"{PATH}&mark={mark}",
                    body,
                    {"api-key": self._key, "Content-Type": "application/json"},
                )
                response = connection.getresponse()
                # A stream that is cut raises IncompleteRead here; http.client knows the end of both kinds.
                text = response.read()
                if response.status != 200 or (body is STREAM and b"data: [DONE]" not in text):
                    raise http.client.HTTPException(f"{response.status} {text[:100]!r}")
            except (OSError, http.client.HTTPException):
                if connection is not None:
                    connection.close()
                connection = None
                # A gateway that is being started again refuses connections; do not spin meanwhile.
                self._stop.wait(0.02)
                continue
            with self._lock:
                self.finished.add(mark)
        if connection is not None:
            connection.close()


def _answers(system: System) -> bool:
    try:
        return call("GET", f"{system.gateway}/readyz", timeout_s=2.0).status == 200
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_no_finished_call_is_without_its_row(tmp_path: Path, workers: int) -> None:
    with running_system(tmp_path, workers=workers) as system:
        counter = Counter(system)
        try:
            for _ in range(KILLS):
                before = len(counter.finished)
                eventually("calls", lambda before=before: len(counter.finished) > before + 50, within_s=30)  # type: ignore[misc]
                killed = system.pids("gateway")
                system.kill("gateway")
                eventually(
                    "a new gateway",
                    lambda killed=killed: set(system.pids("gateway")) - set(killed),
                    within_s=30,
                )  # type: ignore[misc]
                eventually("the new gateway answers", lambda: _answers(system), within_s=30)
        finally:
            counter.stop()
        _every_mark_has_one_row(system, counter)


def test_nor_after_a_kill_of_everything(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        counter = Counter(system)
        eventually("calls", lambda: len(counter.finished) > 200, within_s=30)
        system.kill_supervisor()
        counter.stop()
        system.start()
        _every_mark_has_one_row(system, counter)


def _every_mark_has_one_row(system: System, counter: Counter) -> None:
    """Asks until all are there, then whether one is there twice."""
    assert counter.finished
    marks = (
        "ApiManagementGatewayLogs | extend mark = substring(Url, indexof(Url, 'mark=') + 5, 32)"
        " | summarize n = count() by mark"
    )

    def missing() -> bool:
        return not counter.finished - {found["mark"] for found in system.query(marks)}

    started = time.monotonic()
    eventually(f"the rows of {len(counter.finished)} finished calls", missing, within_s=60)
    assert time.monotonic() - started < 60
    twice = [found for found in system.query(marks) if int(found["n"]) != 1]
    assert twice == []
