"""What an outage counts: clients that see every kind of bad answer, and rows that are missing or there twice."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from rich.console import Console

from aforo.cli import http
from aforo.cli.exits import Failure
from aforo.cli.outage import load as load_module
from aforo.cli.outage.load import Load, Seen
from aforo.cli.outage.picture import drawn
from aforo.cli.outage.record import Found, compared
from aforo.cli.outage.story import Now, Told
from aforo.cli.running import Running

GOOD = b"HTTP/1.1 200 OK\r\nX-MS-Region: west\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata: \r\n%b0\r\n\r\n"
WHOLE = STREAM % b"6\r\n[DONE]\r\n"
BROKEN = STREAM % b""
CUT = (STREAM % b"")[:-5]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "_FIRST_PAUSE_S", 0.001)


def seen_of(answers: dict[str, bytes], *, clients: int = 1, otherwise: bytes = GOOD) -> Seen:
    """What clients saw of a server that gives those answers to those marks; HALF and CUT end the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                streams = json.loads(await reader.readexactly(size))["stream"]
                mark = head.split(b"mark=")[1].split(b" ")[0].decode()
                default = WHOLE if streams and otherwise is GOOD else otherwise
                answer = answers.get(mark, default)
                writer.write(answer)
                if answer in (HALF, CUT, BUSY):
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async def run() -> Seen:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        load = Load("127.0.0.1", server.sockets[0].getsockname()[1], "key", clients)
        load.start()
        while load.seen.done + load.seen.failed < 8:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await load.stop()
        server.close()
        return load.seen

    return asyncio.run(run())


def test_a_call_that_is_asked_again_has_not_failed() -> None:
    seen = seen_of({"c1-1": BUSY, "c2-1": HALF, "c3-1": HALF, "c3-2": BUSY})
    assert (seen.failed, seen.again, seen.done) == (0, 3, seen.begun)
    assert seen.cut == {"c2-1", "c3-1"}
    assert {mark: status for mark, status in seen.answered.items() if status != 200} == {
        "c1-1": 503,
        "c3-2": 503,
    }
    assert seen.regions == {"west": seen.done}


def test_a_call_that_nobody_answers_has_failed() -> None:
    seen = seen_of({}, otherwise=BUSY)
    assert seen.done == 0
    assert seen.failed == seen.begun
    assert len(seen.answered) == 3 * seen.begun


def test_streams_that_break_are_told_from_streams_that_are_cut() -> None:
    # The first client does not stream, the second one does.
    seen = seen_of({"c2-1": BROKEN, "c2-2": CUT}, clients=2)
    assert seen.failed == 0
    assert (seen.broken, seen.cut) == ({"c2-1"}, {"c2-2"})
    assert "c2-1" in seen.answered
    assert "c2-2" not in seen.answered


def test_what_is_no_http_ends_it() -> None:
    with pytest.raises(Failure, match="cannot be read"):
        asyncio.run(_told_nonsense())


async def _told_nonsense() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(cast("Callable[..., Awaitable[None]]", serve), "127.0.0.1", 0)
    load = Load("127.0.0.1", server.sockets[0].getsockname()[1], "key", 1)
    load.start()
    await asyncio.sleep(0)  # it has begun a call
    try:
        await load.stop()
    finally:
        server.close()


class Answered:
    """A system that gives these rows to every question."""

    def __init__(self, *rows: tuple[str, str | None, int, str]) -> None:
        self._rows = rows

    def __getitem__(self, name: str) -> str:
        return name

    def control(self, *_: Any, **__: Any) -> http.Answer:
        names = ("mark", "Aborted", "Attempts", "BackendId")
        table = {"columns": [{"name": n} for n in names], "rows": self._rows}
        return http.Answer(200, {}, json.dumps({"tables": [table]}).encode())


def told(*rows: tuple[str, str | None, int, str]) -> Told:
    seen = Seen(cut={"c3-1"}, answered={"c1-1": 200, "c2-1": 503})
    return Told(1.0, seen, compared(cast("Running", Answered(*rows)), seen))


def test_rows_are_counted_beside_what_the_clients_saw() -> None:
    first, second = ("c1-1", None, 2, "west"), ("c2-1", None, 1, "east")
    cut = ("c3-1", "gateway", 0, "")
    all_there = told(first, second, cut)
    assert all_there.well
    said = all_there.as_json()
    assert (said["rows"], said["rowsLost"], said["rowsDoubled"], said["rowsOfCutCalls"]) == (3, 0, 0, 1)
    assert said["rowsByAttempts"] == {"0": 1, "1": 1, "2": 1}
    # A call that was cut may be without a row; one that was answered may not, whatever the answer.
    assert told(first, second).well
    assert told(first, cut).found.lost == ["c2-1"]
    assert not told(first, cut).well
    twice = told(first, second, second)
    assert twice.found.doubled == ["c2-1"]
    assert not twice.well


def test_a_failed_call_is_not_well() -> None:
    assert Told(1.0, Seen()).well
    assert not Told(1.0, Seen(failed=1)).well


def test_a_person_sees_what_is_killed_and_that_nothing_is_lost() -> None:
    def shown(now: Now, told: Told | None = None) -> list[str]:
        console = Console(width=80, file=io.StringIO(), highlight=False)
        events = [(3.0, "region east is killed (process 7)")]
        console.print(drawn(now, events, told))
        assert isinstance(console.file, io.StringIO)
        return [line.rstrip() for line in console.file.getvalue().splitlines()]

    half = Now(
        3.2, 120.0, Counter(west=3, east=1), {"east": 1}, {"gateway-1": 9}, frozenset(["east"]), 400, rows=391
    )
    lines = shown(half)
    assert "load         12 clients, 120 calls a second, 400 answered" in lines
    assert "region east   25%  ██████                      killed  breaker open in 1 of 1" in lines
    assert [x for x in lines if x.startswith("gateway")] == [
        "gateway-0    killed",
        "gateway-1    serves, process 9",
    ]
    assert "failed       0 calls" in lines
    assert lines[-1] == "   3.0 s  region east is killed (process 7)"
    assert max(map(len, lines)) <= 80
    told = Told(15.0, Seen(done=410), Found(rows=412))
    assert shown(half, told)[-1] == "No call failed. No row is lost, and none is there twice."
    assert "rows         412; lost 0, twice 0" in shown(half, told)
    told.found.lost = ["c1-1"]
    assert "rows         412; lost 1, twice 0" in shown(half, told)
    assert "No call failed" not in shown(half, told)[-1]
