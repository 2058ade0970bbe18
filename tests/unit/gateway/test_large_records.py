"""Calls with large bodies: their records are written between the turns of the loop, and their answers end behind them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from aforo.gateway.large_records import APART_BYTES, ASIDE_BYTES
from aforo.gateway.masking.masker import Masker
from aforo.gateway.record import Recorder
from aforo.gateway.turns import rest
from aforo.messages import Headers
from aforo.policy.exchange import Body, Exchange, ResponseState, Returned
from aforo.policy.pipeline import Pipeline
from aforo.snapshot.snapshot import LogPlan, MaskPlan, MaskRules
from aforo.spool.reader import SpoolReader
from aforo.spool.records import KIND_CALL, CallRecord
from aforo.spool.writer import SpoolWriter
from tests.support.gateway import LOG_ALL, Client, Gate, gate, story, until
from tests.support.metered import DONE, STREAM_HEAD, TEXT, chunk, plain, post, said

COUNT = msgspec.structs.replace(LOG_ALL, on_full="count")
AUDIT = msgspec.structs.replace(LOG_ALL, audit=True)
LARGE = ASIDE_BYTES + 1
WORDS = b"x" * LARGE


def upload(size: int = LARGE) -> bytes:
    return post(prompt="p" * size)


def hold_all(g: Gate) -> asyncio.Event:
    """Records with large bodies stop before their end, until the event is set."""
    go_on = asyncio.Event()
    begin = g.spool.begin_aside

    def begin_held(kind: int, parts: list[bytes]) -> object:
        aside = begin(kind, parts)
        step = aside.step
        aside.step = lambda: step() and go_on.is_set()  # type: ignore[method-assign]
        return aside

    g.spool.begin_aside = begin_held  # type: ignore[method-assign, assignment]
    return go_on


async def nothing_comes(client: Client) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.reader.read(1), 0.05)


async def up_to(client: Client, last: bytes) -> bytes:
    """What has come, which is to end so."""
    got = b""
    while not got.endswith(last):
        got += await client.reader.read(1 << 20)
    return got


@pytest.mark.parametrize("size", [APART_BYTES // 2, APART_BYTES, ASIDE_BYTES, 3 * ASIDE_BYTES])
@story
async def test_records_of_all_sizes_have_both_bodies(size: int) -> None:
    async with gate() as g:
        answer = b'{"a": "%b"}' % (b"y" * size)
        g.backend.plays(plain(answer))
        asked = upload(size)
        assert (await g.call(asked)).body == answer
        await g.settled()
        (record,) = g.records
        assert record.request.body == asked.partition(b"\r\n\r\n")[2]
        assert (record.response.body, record.response.size) == (answer, len(answer))
        assert len(g.spool.asides) == (2 * size >= ASIDE_BYTES)


@story
async def test_a_small_answer_waits_for_the_record_of_its_large_request() -> None:
    async with gate() as g:
        go_on = hold_all(g)
        client = await g.connect()
        await client.send(upload())
        await until(lambda: g.spool.asides)
        await nothing_comes(client)
        # Others do not wait.
        assert (await g.call(post())).status == 200
        assert len(g.records) == 1
        # What follows on this connection does.
        await client.send(post())
        await nothing_comes(client)
        go_on.set()
        assert (await client.answer()).body == b"ok"
        assert (await client.answer()).body == b"ok"
        assert [r.request.size > LARGE for r in g.records] == [False, True, False]


@story
async def test_the_end_of_a_large_answer_waits_for_its_record() -> None:
    async with gate() as g:
        go_on, rest = hold_all(g), asyncio.Event()
        g.backend.plays(plain(WORDS)[:-3], rest, b"end")
        client = await g.connect()
        await client.send(post())
        got = await up_to(client, b"x")
        while len(got) < LARGE:
            got += await client.reader.read(1 << 20)
        rest.set()
        await until(lambda: g.spool.asides)
        await nothing_comes(client)
        assert not g.records
        go_on.set()
        assert await client.reader.readexactly(3) == b"end"
        await g.settled()
        assert g.records[0].response.body == WORDS[:-3] + b"end"
        # The connections of both sides go on.
        await client.send(post())
        assert (await client.answer()).body == b"ok"
        assert g.backend.accepted == 1


@story
async def test_the_last_event_of_a_long_stream_waits_for_its_record() -> None:
    async with gate() as g:
        go_on, last = hold_all(g), asyncio.Event()
        long = b"data: " + WORDS + b"\n\n"
        g.backend.plays(STREAM_HEAD, chunk(long), chunk(TEXT), last, chunk(DONE), b"0\r\n\r\n")
        client = await g.connect()
        await client.send(post(stream=True))
        await up_to(client, TEXT + b"\r\n")
        last.set()
        await until(lambda: g.spool.asides)
        await nothing_comes(client)
        go_on.set()
        assert await up_to(client, b"0\r\n\r\n") == chunk(DONE) + b"0\r\n\r\n"
        await g.settled()
        assert len(g.records) == 1
        assert g.records[0].aborted == ""


@story
async def test_an_answer_of_a_policys_own() -> None:
    async def big(exchange: Exchange) -> None:
        exchange.response = ResponseState(200, "OK", Headers(), Body(WORDS))
        raise Returned

    async with gate(Pipeline(inbound=big)) as g:
        go_on = hold_all(g)
        client = await g.connect()
        await client.send(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n")
        await nothing_comes(client)
        go_on.set()
        assert (await client.answer()).body == WORDS


@pytest.mark.parametrize("large_answer", [False, True])
@story
async def test_a_client_that_leaves_meanwhile_is_amended(large_answer: bool) -> None:
    async with gate() as g:
        go_on = hold_all(g)
        if large_answer:
            g.backend.plays(plain(WORDS))
        client = await g.connect()
        await client.send(post() if large_answer else upload())
        reading = asyncio.create_task(client.reader.read()) if large_answer else None
        await until(lambda: g.spool.asides)
        if reading is not None:
            reading.cancel()
        client.leave()
        await until(lambda: not g.server.connections)
        assert not g.records
        go_on.set()
        await until(lambda: g.spool.amends)
        await g.settled()
        (record,), (amend,) = g.records, g.spool.amends
        assert (record.call_id, record.aborted) == (amend.call_id, "")
        assert amend.aborted == "client"


@story
async def test_what_is_left_before_its_answer_is_recorded_all_the_same() -> None:
    async with gate() as g:
        never = asyncio.Event()
        g.backend.plays(never, b"")
        client = await g.connect()
        await client.send(upload())
        await until(lambda: g.backend.heard and g.backend.heard[0].size > LARGE)
        client.leave()
        await until(lambda: g.records)
        await g.settled()
        assert (g.records[0].aborted, g.records[0].request.size > LARGE) == ("client", True)
        assert not g.spool.amends
        never.set()


@pytest.mark.parametrize(("log", "status"), [(LOG_ALL, 503), (COUNT, 200)])
@story
async def test_a_record_that_is_lost_on_its_way(log: LogPlan, status: int) -> None:
    async with gate(log=log) as g:
        go_on = hold_all(g)
        client = await g.connect()
        await client.send(upload())
        await until(lambda: g.spool.asides)
        g.spool.broken = True
        go_on.set()
        assert (await client.answer()).status == status
        await g.settled()
        assert not g.records
        g.spool.broken = False
        await client.send(upload())
        assert (await client.answer()).status == 200


@pytest.mark.parametrize(("log", "whole"), [(LOG_ALL, False), (COUNT, True)])
@story
async def test_a_large_answer_whose_record_is_lost_on_its_way(log: LogPlan, whole: bool) -> None:
    async with gate(log=log) as g:
        go_on = hold_all(g)
        g.backend.plays(plain(WORDS))
        client = await g.connect()
        await client.send(post())
        answering = asyncio.create_task(client.answer())
        await until(lambda: g.spool.asides)
        g.spool.broken = True
        go_on.set()
        if whole:
            assert (await answering).body == WORDS
        else:
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await answering
        await g.settled()
        assert not g.records


@story
async def test_an_answer_that_breaks_off_is_cut_at_once() -> None:
    async with gate() as g:
        go_on = hold_all(g)
        g.backend.plays(plain(WORDS + WORDS)[:-3], "close")
        client = await g.connect()
        await client.send(post())
        await client.rest()
        go_on.set()
        await until(lambda: g.records)
        assert g.records[0].aborted == "backend"
        await g.settled()


@story
async def test_large_records_are_written_in_the_order_of_their_ends() -> None:
    async with gate() as g:
        go_on = hold_all(g)
        clients = [await g.connect() for _ in range(3)]
        for number, client in enumerate(clients):
            await client.send(upload(LARGE + number))
            await until(lambda n=number: len(g.spool.asides) > n)  # type: ignore[misc]
        go_on.set()
        for client in clients:
            assert (await client.answer()).status == 200
        sizes = [r.request.size for r in g.records]
        assert sizes == sorted(sizes)
        assert len(set(sizes)) == 3


@pytest.mark.parametrize(("on_full", "status"), [("", 200), ("refuse", 503), ("count", 200)])
@story
async def test_a_large_call_is_begun_before_its_backend_hears_of_it(on_full: str, status: int) -> None:
    async with gate(log=msgspec.structs.replace(AUDIT, on_full=on_full or "refuse")) as g:
        go_on = hold_all(g)
        g.backend.plays(plain(said()))
        client = await g.connect()
        await client.send(upload())
        await until(lambda: g.spool.asides)
        await asyncio.sleep(0.02)
        assert not g.backend.heard
        g.spool.broken = bool(on_full)
        go_on.set()
        if on_full == "refuse":
            # And then its record is lost as well.
            assert (await client.answer()).status == status
            assert not g.backend.heard
            return
        await until(lambda: g.backend.heard)
        g.spool.broken = False
        assert (await client.answer()).status == status
        assert len(g.spool.begins) == (not on_full)


@story
async def test_a_spool_on_disk_has_them_in_order_with_small_ones(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, sync_interval_s=0) as spool:
        spool.context("/lab", "here", {})
        async with gate() as g:
            of = g.proxy.recorder
            recorder = Recorder(spool, 1, of.proxies, metrics=False)
            g.proxy.swap(g.proxy.runtime, recorder)
            reader = SpoolReader(tmp_path)

            async def call_of(number: int) -> None:
                large = number % 3 == 0
                assert (await g.call(upload(LARGE + number) if large else post())).status == 200
                # The client has seen it end: it is there.
                data = [f for f in reader.read(max_bytes=1 << 30) if f.kind == KIND_CALL]
                found.extend(msgspec.msgpack.decode(f.payload, type=CallRecord) for f in data)
                if large:
                    assert any(r.request.size > LARGE + number for r in found)

            found: list[CallRecord] = []
            await asyncio.gather(*(call_of(number) for number in range(24)))
            assert len(found) == len({r.call_id for r in found}) == 24
            assert reader.damaged == 0
            assert recorder.dropped == 0


@pytest.mark.parametrize("chunked", [False, True])
@story
async def test_large_bodies_come_and_go_in_turns_with_others(chunked: bool) -> None:
    """However fast they come: of a connection no more than a read is taken in one turn of the loop."""
    async with gate() as g:
        body = bytes(range(256)) * 64 * 1024  # 16 MB
        head = b"HTTP/1.1 200 OK\r\n"
        answer = (
            head + b"transfer-encoding: chunked\r\n\r\n" + chunk(body) + b"0\r\n\r\n" if chunked else None
        )
        g.backend.plays(answer or head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
        client = await g.connect()
        asked = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        sending = asyncio.create_task(client.send(asked))
        got = await client.answer()
        await sending
        assert got.body == body
        assert g.backend.heard[0].size == len(body)
        await g.settled()
        (record,) = g.records
        assert (record.request.size, record.response.size) == (len(body), len(body))
        assert (record.request.cut, record.response.cut) == (True, True)
        assert (await g.call(post())).status == 200


@story
async def test_reads_that_others_have_stopped_stay_stopped() -> None:
    transport = Stoppable()
    wanted = True
    rest(transport, lambda: wanted)  # type: ignore[arg-type]
    assert transport.told == ["stop"]
    await next_turn_of_others()
    assert transport.told == ["stop", "go on"]
    wanted = False
    rest(transport, lambda: wanted)  # type: ignore[arg-type]
    await next_turn_of_others()
    assert transport.told == ["stop", "go on", "stop"]
    wanted = transport.closing = True
    rest(transport, lambda: wanted)  # type: ignore[arg-type]
    await next_turn_of_others()
    assert transport.told == ["stop", "go on", "stop", "stop"]


class Stoppable:
    """The part of a transport that reads."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.closing = False

    def pause_reading(self) -> None:
        self.told.append("stop")

    def resume_reading(self) -> None:
        self.told.append("go on")

    def is_closing(self) -> bool:
        return self.closing


async def next_turn_of_others() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


MASKED = msgspec.structs.replace(
    LOG_ALL,
    masking=MaskPlan(
        MaskRules(fields=(("$.messages[0].content", "Mask"),)),
        MaskRules(detectors=(("email", "Mask"),)),
        (1 << 30,) * 4,
    ),
)


@pytest.mark.parametrize("size", [APART_BYTES // 2, APART_BYTES, LARGE])
@story
async def test_large_records_are_masked_beside_the_loop(size: int, caplog: pytest.LogCaptureFixture) -> None:
    async with gate(log=MASKED) as g:
        threads: set[str] = set()
        mask = Masker.mask

        def spy(masker: Masker, record: CallRecord) -> CallRecord:
            threads.add(threading.current_thread().name)
            return mask(masker, record)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Masker, "mask", spy)
            text = b"w " * (size // 2) + b"ada@example.org"
            g.backend.plays(plain(b'{"choices": [{"message": {"content": "%b"}}]}' % text))
            answer = await g.call(upload(size))
        assert text in answer.body
        await g.settled()
        (record,) = g.records
        assert b"ppp" not in record.request.body
        assert record.request.size > size
        assert b"ada@example.org" not in record.response.body
        assert record.response.body
        assert threads == {"MainThread" if 2 * size < APART_BYTES else "masking"}
        assert not caplog.records


@story
async def test_a_large_record_that_cannot_be_masked_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    async with gate(log=MASKED) as g:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Masker, "mask", lambda masker, record: 1 // 0)
            assert (await g.call(upload())).status == 200
        await g.settled()
        assert not g.records
        assert not g.spool.asides
        assert "bug" in caplog.text
        assert g.proxy.recorder.large.dropped == 1
        assert (await g.call(upload())).status == 200
        assert b"ppp" not in g.records[0].request.body
