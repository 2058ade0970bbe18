"""A disk that takes no more, a store that is away, a tail that is garbage: no finished call is without its row."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aforo.spool.recover import segments
from tests.support.counting_client import (
    MARKS,
    PATH,
    PLAIN,
    CountingClient,
    every_finished_call_has_one_row,
)
from tests.support.fault_lab import lab_file
from tests.support.system import System, call, eventually, running_system

LOST = "Operation | where OperationKey == 'RecordsDropped' | summarize sum(DroppedRecords)"
# Files may not grow behind this: a full disk, for one process. What stands before it is written in place.
PAGE_BYTES = 4096


def full_disk(pids: list[int]) -> Callable[[], None]:
    """From here on the disk is full for those processes; the function that is given back makes room again."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("no prlimit on this platform: the disk of a running process cannot be made full")
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid, (_, hard) in zip(pids, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (PAGE_BYTES, hard))

    def room() -> None:
        for pid, limits in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)

    return room


def test_a_full_disk_refuses_calls_and_loses_none_that_finished(tmp_path: Path) -> None:
    with running_system(tmp_path, workers=2) as system:
        with CountingClient(system) as clients:
            clients.wait_for(30)
            room = full_disk(system.pids("gateway"))
            eventually("refusals", lambda: len(clients.seen.refused) > 40)
            finished = len(clients.seen.finished)
            refused = len(clients.seen.refused)
            eventually("more refusals", lambda: len(clients.seen.refused) > refused + 20)
            # Those that were answered meanwhile had been under way: none is let in any more.
            assert len(clients.seen.finished) <= finished + 4
            said = eventually(
                "what the supervisor says", lambda: system.said() if "log is full" in system.said() else ""
            )
            assert "calls are refused until it has been stored or the disk has room" in said
            body, headers = PLAIN, {"api-key": system.key, "Content-Type": "application/json"}
            answer = call("POST", system.gateway + PATH, body=body, headers=headers)
            assert (answer.status, answer.headers.get("retry-after")) == (503, "5"), answer
            room()
            clients.wait_for(30)
        assert set(clients.seen.statuses) == {503}
        every_finished_call_has_one_row(system, clients.seen)


def test_where_the_api_says_count_calls_pass_and_the_count_is_exact(tmp_path: Path) -> None:
    with running_system(tmp_path, config=lab_file(tmp_path, options="spoolFull: count")) as system:
        with CountingClient(system) as clients:
            clients.wait_for(30)
            full_disk(system.pids("gateway"))
            clients.wait_for(60)
            # Also the count survives a process that is killed while it cannot tell it.
            before = system.pids("gateway")
            system.kill("gateway")
            eventually("another gateway", lambda: set(system.pids("gateway")) - set(before), within_s=30)
            room = full_disk(system.pids("gateway"))
            clients.wait_for(60)
            room()
            clients.wait_for(30)
        assert clients.seen.refused == {}
        marks = clients.seen.finished

        def lost() -> int:
            return int(next(iter(system.query(LOST)[0].values())) or 0)

        missing = eventually(
            "rows and count to come to what the clients saw",
            lambda: (
                len(gone)
                if (gone := marks - {str(r["mark"]) for r in system.query(MARKS)}) and lost() >= len(gone)
                else None
            ),
            within_s=30,
        )
        # The gateway counts too what it lost for clients that it was killed in front of.
        assert 100 < missing <= lost() <= missing + clients.seen.broken
        named = system.query("Operation | distinct ApiId, OperationCategory")
        assert named == [{"ApiId": "azure-openai", "OperationCategory": "Ingestion"}]
        measured = "AppMetrics | where Name == 'Dropped Log Records' | summarize sum(Sum)"
        eventually("the metric", lambda: next(iter(system.query(measured)[0].values())) == lost())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 256 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m", "aforo-test", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * (1 << 20))


def test_a_file_system_that_runs_full_and_gets_room_again(small_disk: Path) -> None:
    prompt = b'{"messages": [{"role": "user", "content": "%b"}]}' % (b"x" * 1_000_000)

    def chat(system: System) -> int:
        headers = {"api-key": system.key, "Content-Type": "application/json"}
        return call("POST", system.gateway + PATH, body=prompt, headers=headers).status

    with running_system(small_disk) as system:
        answers = [chat(system) for _ in range(3)]
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            fill(ballast)
        while answers[-1] == 200 and len(answers) < 200:
            answers.append(chat(system))
        assert set(answers) == {200, 503}
        ballast.unlink()
        eventually("room", lambda: chat(system) == 200, within_s=20)
        kql = "ApiManagementGatewayLogs | where ResponseCode == 200 | count"
        good = answers.count(200) + 1
        eventually("their rows", lambda: int(system.query(kql)[0]["Count"]) >= good, within_s=60)
        assert int(system.query(kql)[0]["Count"]) == good


def test_a_store_that_is_away_and_comes_back(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        tables = system.data / "tables"
        away = system.data / "tables.away"
        with CountingClient(system) as clients:
            clients.wait_for(20)
            every_finished_call_has_one_row(system, clients.seen)
            tables.rename(away)
            tables.write_text("no folder")
            clients.wait_for(100)
            system.kill("shipper")  # it may be started as often as it likes meanwhile
            clients.wait_for(50)
            tables.unlink()
            away.rename(tables)
            clients.wait_for(20)
        assert (clients.seen.broken, clients.seen.statuses) == (0, {})
        every_finished_call_has_one_row(system, clients.seen)


@pytest.mark.parametrize("tail", [b"\xff" * 5000, b"\0" * 3 + b"half a frame"])
def test_a_tail_that_is_garbage_after_a_kill_of_everything(tmp_path: Path, tail: bytes) -> None:
    with running_system(tmp_path) as system:
        with CountingClient(system) as clients:
            clients.wait_for(30)
            system.kill_supervisor()
        spool = system.data / "spool" / "gateway-0"
        newest = segments(spool)[-1]
        data = newest.read_bytes()
        end = len(data.rstrip(b"\0"))
        newest.write_bytes(data[:end] + tail + data[end + len(tail) :])
        system.start()
        with CountingClient(system) as more:
            more.wait_for(10)
        clients.seen.finished |= more.seen.finished
        every_finished_call_has_one_row(system, clients.seen)
        assert [p.suffix for p in spool.glob("*.torn")] == [".torn"]
