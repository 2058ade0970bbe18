"""A connection to another server, fed by hand: an answer means the same wherever the reads cut it."""

from __future__ import annotations

from typing import Any

import pytest

from aforo.egress.http1 import MAX_HEAD_BYTES, MAX_HEAD_FIELDS, ClientConnection


class Wire:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Holder:
    """Notes what it was told."""

    def __init__(self) -> None:
        self.notices = 0
        self.ready: list[bool] = []

    def progress(self) -> None:
        self.notices += 1

    def can_write(self, ready: bool) -> None:
        self.ready.append(ready)


class Talk:
    """A connection in the middle of a request."""

    def __init__(self, *, silent: bool = False) -> None:
        self.idle: list[ClientConnection] = []
        self.connection = ClientConnection("origin", self.idle.append)
        self.wire: Any = Wire()
        self.connection.connection_made(self.wire)
        self.send(silent=silent)

    def send(self, *, silent: bool = False) -> None:
        self.holder = Holder()
        self.connection.send(self.holder, b"request", silent=silent)

    def feed(self, data: bytes, size: int = 0) -> Talk:
        for at in range(0, len(data), size or len(data)):
            self.connection.data_received(data[at : at + (size or len(data))])
        return self

    def outcome(self) -> tuple[Any, ...]:
        c = self.connection
        body = b"".join(c.take())
        failed = c.failure is not None
        return c.status, c.reason, list(c.headers), body, c.ended, failed, c.usable and c.keep_alive

    def release(self) -> bool:
        """Whether the connection went back to the pool."""
        self.connection.release()
        return bool(self.idle)


ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello",
    "no body": b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nSet-Cookie: t\r\n\r\n",
    "continued": b"HTTP/1.1 100 Continue\r\nB: c\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "repeated": b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n",
    "closing": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi",
}


@pytest.mark.parametrize("data", ANSWERS.values(), ids=ANSWERS.keys())
def test_any_cut_gives_the_same_answer(data: bytes) -> None:
    whole = Talk().feed(data).outcome()
    assert whole[4]
    assert not whole[5]
    for at in range(1, len(data)):
        talk = Talk().feed(data[:at])
        # Kept bodies pile up until somebody takes them.
        assert talk.feed(data[at:]).outcome() == whole
    assert Talk().feed(data, 1).outcome() == whole


def test_interim_answers_and_trailers_leave_no_fields() -> None:
    assert Talk().feed(ANSWERS["continued"]).outcome()[:4] == (200, b"OK", [(b"content-length", b"2")], b"hi")
    assert Talk().feed(ANSWERS["chunked"]).outcome()[2] == [(b"transfer-encoding", b"chunked")]


def test_a_finished_connection_serves_the_next_request() -> None:
    talk = Talk().feed(ANSWERS["length"])
    assert talk.release()
    talk.send()
    assert talk.feed(ANSWERS["chunked"]).outcome()[:2] == (200, b"OK")
    assert talk.connection.requests == 2


@pytest.mark.parametrize("size", [0, 1])
def test_the_answer_to_head_ends_with_its_head(size: int) -> None:
    talk = Talk(silent=True).feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", size)
    assert talk.outcome()[3:] == (b"", True, False, True)
    assert talk.release()
    talk.send()
    assert talk.feed(ANSWERS["length"]).outcome()[3:5] == (b"hello", True)


@pytest.mark.parametrize("size", [0, 1])
def test_a_body_after_head_is_dropped_with_its_connection(size: int) -> None:
    talk = Talk(silent=True).feed(ANSWERS["length"], size)
    assert talk.outcome()[3:5] == (b"", True)
    assert not talk.release()
    assert talk.wire.closed


EXTRA = b"HTTP/1.1 404 Nope\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil"


@pytest.mark.parametrize("first", ["length", "no body", "204", "chunked", "repeated"])
def test_bytes_after_an_answer_neither_change_it_nor_are_reused(first: str) -> None:
    data = ANSWERS[first]
    wanted = Talk().feed(data).outcome()[:6]
    for cut in (len(data) + len(EXTRA), len(data), len(data) + 1, len(data) - 1, 1):
        talk = Talk().feed(data + EXTRA, cut)
        assert talk.outcome()[:6] == wanted
        assert not talk.release()


@pytest.mark.parametrize("size", [0, 1])
def test_an_answer_without_length_ends_with_its_connection(size: int) -> None:
    talk = Talk().feed(b"HTTP/1.0 200 OK\r\n\r\nhello", size)
    assert not talk.connection.ended
    talk.connection.connection_lost(None)
    assert talk.outcome()[3:6] == (b"hello", True, False)
    assert not talk.release()


def test_a_reset_is_no_end() -> None:
    talk = Talk().feed(b"HTTP/1.0 200 OK\r\n\r\nhello")
    talk.connection.connection_lost(ConnectionResetError("reset"))
    assert talk.outcome()[4:6] == (False, True)


@pytest.mark.parametrize("cut", range(1, len(ANSWERS["chunked"]) - 1))
def test_half_an_answer_is_a_failure(cut: int) -> None:
    talk = Talk().feed(ANSWERS["chunked"][:cut])
    talk.connection.connection_lost(None)
    assert talk.connection.failure is not None
    assert talk.connection.failure.answered
    assert not talk.connection.failure.reused
    assert talk.holder.notices


def test_a_stale_connection_says_that_another_try_is_safe() -> None:
    talk = Talk().feed(ANSWERS["length"])
    talk.release()
    talk.send()
    talk.connection.connection_lost(None)
    failure = talk.connection.failure
    assert failure is not None
    assert (failure.reused, failure.answered) == (True, False)


BROKEN = {
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "folding": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding that we do not undo": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding until the close": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "switching": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "many fields": b"HTTP/1.1 200 OK\r\n"
    + b"a: b\r\n" * (MAX_HEAD_FIELDS + 1)
    + b"Content-Length: 0\r\n\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("size", [0, 1])
def test_what_is_broken_is_a_failure_and_not_reused(data: bytes, size: int) -> None:
    talk = Talk().feed(data, size)
    assert talk.outcome()[4:6] == (False, True)
    assert not talk.release()


@pytest.mark.parametrize("line", [b"a: " + b"b" * 1021 + b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_head_without_end_is_a_failure(line: bytes) -> None:
    talk = Talk()
    if line.startswith(b"a"):
        talk.feed(b"HTTP/1.1 200 OK\r\n")
    for _ in range(2 * MAX_HEAD_BYTES // len(line)):
        if talk.connection.failure is None:
            talk.feed(line)
    assert talk.connection.failure is not None
    assert len(talk.connection.headers) <= MAX_HEAD_BYTES // 1024 + 1


def test_trailers_without_end_are_not_kept() -> None:
    talk = Talk().feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    for _ in range(1000):
        talk.feed(b"a: b\r\n")
    assert len(talk.connection.headers) == 1


def test_the_socket_holds_back_the_sender() -> None:
    talk = Talk()
    talk.connection.pause_writing()
    talk.connection.resume_writing()
    assert talk.holder.ready == [False, True]


def test_an_unwanted_byte_closes_an_idle_connection() -> None:
    talk = Talk().feed(ANSWERS["length"])
    assert talk.release()
    talk.connection.data_received(b"H")
    assert talk.wire.closed
    assert not talk.connection.usable
