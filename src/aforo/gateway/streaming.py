"""The answer on its way to the client: teed for the record, framed anew, never held back. It knows no policy.

The record is written before the last bytes leave: before the last part of a body, and in an event stream before
the event after which clients stop reading (`[DONE]`, `response.completed`). A killed process therefore loses no
record of a call that its client saw finish.
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import lru_cache

import orjson

from aforo.egress.http1 import WireError
from aforo.gateway import route
from aforo.gateway.arrival import Arrival, broken
from aforo.gateway.call import Call, Records
from aforo.gateway.signal import Signal
from aforo.gateway.turns import LARGE_READ_BYTES
from aforo.gateway.writing import Writing
from aforo.messages import HOP_BY_HOP, is_event_stream
from aforo.policy import answers
from aforo.policy.exchange import ResponseState
from aforo.stamps import http_date

# At the start of a line alone: anywhere else it is text of the model's, or of the client's.
LAST_EVENT = re.compile(
    rb"[\r\n](?:(?P<done>data: ?\[DONE\])|event: ?response\.(?:completed|failed|incomplete)[\r\n]"
    rb'|data: ?\{"type": ?"response\.(?:completed|failed|incomplete)")'
)
TAIL = 48  # longer than the longest match
_WITH_BLANK_LINE = re.compile(rb"(?s:.+?)\n\r?\n")
BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")
MAX_HELD = 1024 * 1024
# From an answer of that size on the record is written as those with large bodies are.
LARGE_BYTES = 128 * 1024
_DROPPED = HOP_BY_HOP | {b"content-length"}
_NO_BODY = (204, 304)


def hand_over(
    call: Call, answer: ResponseState, arrival: Arrival | None, recorder: Records | None
) -> Relay | Later | None:
    """Send what is there of an answer, from a backend or our own. What is still to come, its relay sends."""
    call.answer = answer
    if arrival is None:
        body = answer.body.data or b""
        # A policy has held the stream back, or a cache has given it.
        hide_usage = call.hide_usage and hides_usage(answer)
    else:
        hide_usage = call.hide_usage and hides_usage(answer)
        if hide_usage or not arrival.connection.ended:
            relay = call.relay = Relay(call, answer, arrival, recorder, hide_usage=hide_usage)
            relay.start()
            return relay
        body = arrival.finish()
    size = len(body)
    if size <= call.kept_limit:
        call.kept = body
    else:
        call.kept, call.cut = body[: call.kept_limit], True
    if size > LARGE_BYTES and recorder is not None:
        recorder = recorder.large
    if hide_usage:
        seen = UsageFilter()
        body = seen.feed(body) + seen.rest()
        size = len(body)
    framing = b"content-length: %d" % size
    if call.method == "HEAD" or answer.status in _NO_BODY:
        framing, body, size = _without_body(answer, arrival, framing), b"", 0
    call.sent = size
    data = _head(call, answer, framing, body)
    if recorder is not None and not recorder.record(call):
        writing = getattr(call, "writing", None)
        if writing is not None:
            later = call.relay = Later(call, data, writing)
            return later
        data = _unrecorded(call)
    client = call.client
    client.write(data)
    client.done(call)
    return None


def _unrecorded(call: Call) -> bytes:
    """What the client gets in the place of an answer whose record could not be kept (`spoolFull: refuse`)."""
    message = "The log of this gateway did not take the record of this call"
    instead = answers.answer(503, message, headers=((b"retry-after", b"5"),))
    body = instead.body.data or b""
    return _head(call, instead, b"content-length: %d" % len(body), b"" if call.method == "HEAD" else body)


def _without_body(answer: ResponseState, arrival: Arrival | None, framing: bytes) -> bytes:
    """What stands for the length of an answer that has no body, whatever its head says."""
    if answer.status in _NO_BODY:
        return b""
    # What the backend said of its body; what a policy writes there does not count.
    stated = arrival.connection.headers.get(b"content-length") if arrival is not None else None
    return b"content-length: " + stated if stated else framing


def _head(call: Call, answer: ResponseState, framing: bytes, body: bytes) -> bytes:
    """The head of an answer, with what of its body is at hand."""
    call.first_byte_us = int((time.perf_counter() - call.started) * 1e6)
    headers = answer.headers
    lines = [_status_line(answer.status, answer.reason), headers.block(_DROPPED)]
    if not lines[1]:
        del lines[1]
    if b"date" not in headers.fields:
        lines.append(b"date: " + _date(int(time.time())))
    if framing:
        lines.append(framing)
    if not call.keep_alive:
        lines.append(b"connection: close")
    elif call.version == "1.0":
        lines.append(b"connection: keep-alive")
    lines += (b"", body)
    return b"\r\n".join(lines)


@lru_cache(maxsize=256)
def _status_line(status: int, reason: str) -> bytes:
    reason = reason or answers.reason_of(status)
    if not reason.isprintable():
        reason = ""
    return b"HTTP/1.1 %d %b" % (status, reason.encode("latin-1", "replace"))


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    """`Date` of an answer, made once a second."""
    return http_date(second).encode()


def hides_usage(answer: ResponseState) -> bool:
    """Whether usage that the client did not ask for (`Call.hide_usage`) is taken out of this answer on its way."""
    return is_event_stream(answer.headers) and b"content-encoding" not in answer.headers.fields


class Later(Signal):
    """An answer that is all here, and waits for its record; set when it has been handed over."""

    __slots__ = ("_call", "_data", "_writing")

    def __init__(self, call: Call, data: bytes, writing: Writing) -> None:
        super().__init__()
        self._call = call
        self._data = data
        self._writing = writing
        writing.on_set(self._go_on)

    def client_lost(self) -> None:
        """The record is written all the same, and amended."""
        self._writing.abandoned = True

    def given_up(self) -> None:
        self.client_lost()

    def _go_on(self) -> None:
        writing, call = self._writing, self._call
        if not writing.abandoned:
            call.client.write(self._data if writing.taken else _unrecorded(call))
            call.client.done(call)
        self.set()


class Relay(Signal):
    """Hands an answer that is still arriving to its client; set at its end. The record is written once, before the
    last bytes."""

    __slots__ = (
        "_answer",
        "_arrival",
        "_call",
        "_chunked",
        "_ending",
        "_events",
        "_kept",
        "_kept_size",
        "_lost",
        "_plain",
        "_recorded",
        "_recorder",
        "_tail",
        "_usage",
    )

    def __init__(
        self,
        call: Call,
        answer: ResponseState,
        arrival: Arrival,
        recorder: Records | None,
        *,
        hide_usage: bool,
    ) -> None:
        self.is_set = False
        self._wake = None
        self._call = call
        self._answer = answer
        self._arrival = arrival
        self._recorder = recorder
        self._recorded = False
        # The record, and with it the end of the answer; or it is still being written.
        self._lost: bool | Writing = False
        self._kept: list[bytes] = []
        self._kept_size = 0  # with what is not kept
        self._tail = b"\n"
        self._ending = False  # the last event has begun
        self._chunked = False
        self._events = is_event_stream(answer.headers)
        self._plain = b"content-encoding" not in answer.headers.fields
        self._usage = UsageFilter() if hide_usage else None

    def start(self) -> None:
        """Send what is there; what is still to come follows by itself."""
        arrival = self._arrival
        call = self._call
        chunks = arrival.take()
        arrival.relay = self
        arrival.connection.resume()
        length = arrival.connection.headers.get(b"content-length")
        if length is not None and self._usage is None:
            framing = b"content-length: " + length
        elif call.version == "1.0":
            call.keep_alive = False
            framing = b""
        else:
            self._chunked = True
            framing = b"transfer-encoding: chunked"
        self._forward(chunks, _head(call, self._answer, framing, b""))

    def pump(self) -> None:
        """More of the answer is here, or its end, or its failure."""
        self._forward(self._arrival.take(), b"")

    def client_lost(self) -> None:
        """Nobody reads any more: the backend is told by closing, and what was produced is recorded."""
        if self.is_set:
            return
        self._call.aborted = self._call.aborted or "client"
        self._write_record()
        if isinstance(self._lost, Writing):
            self._lost.abandoned = True
        self._arrival.relay = None
        self._arrival.connection.close()
        self.set()

    def given_up(self) -> None:
        """The call was cancelled while its answer was under way."""
        self.client_lost()

    def _forward(self, chunks: list[bytes], head: bytes) -> None:
        call = self._call
        arrival = self._arrival
        connection = arrival.connection
        failure = connection.failure
        ended = connection.ended
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        came = data
        if came:
            self._keep(came)
            if self._usage is not None:
                data = self._usage.feed(came)
        if ended and self._usage is not None:
            data += self._usage.rest()
        told = False
        if failure is not None:
            call.aborted = call.aborted or "backend"
            route.broke(call, failure)
            self._broke(failure)
            if self._chunked and self._events and self._plain and self._between_events(came):
                # The stream has begun: a restart would repeat text, silence would look like a normal end.
                data += _stream_error(str(failure))
                told = True
        call.sent += len(data)
        if ended or failure is not None:
            self._write_record()
        elif self._events and self._plain and came:
            self._look_for_end(came)
        if self._lost:
            if isinstance(self._lost, Writing):
                self._put_off(self._lost, head + self._framed(data))
                return
            # The client must not see a call finish that has no record.
            arrival.relay = None
            connection.close()
            call.client.abort()
            self.set()
            return
        if self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if (ended or told) and self._chunked:
            data += b"0\r\n\r\n"
        if head or data:
            call.client.write(head + data)
        if ended:
            arrival.relay = None
            arrival.release()
            self._end()
        elif failure is not None:
            arrival.relay = None
            connection.close()
            if told:
                call.keep_alive = False
                self._end()
            else:
                # The client must be able to tell that this is not the whole answer.
                call.client.abort()
                self.set()
        elif not call.client.writable():
            connection.pause()

    def _let_others(self) -> None:
        """Read nothing more in this turn."""
        connection = self._arrival.connection
        if not (connection.ended or connection.paused):
            connection.pause()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        arrival = self._arrival
        if self._takes_more() and arrival.relay is self and arrival.connection.held_by(arrival):
            arrival.connection.resume()

    def _takes_more(self) -> bool:
        return self._call.client.writable()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    def _put_off(self, writing: Writing, data: bytes) -> None:
        """What is next of the answer leaves when the record is written. What comes meanwhile waits where it is."""
        arrival = self._arrival
        arrival.relay = None
        if not arrival.connection.ended:
            arrival.connection.pause()

        def go_on() -> None:
            self._lost = not writing.taken
            if self.is_set:
                return  # the client has left
            arrival.relay = self
            if not arrival.connection.ended:
                arrival.connection.resume()
            self._forward(arrival.take(), data)

        writing.on_set(go_on)

    def _broke(self, failure: WireError) -> None:
        error = broken(failure)
        error.elapsed_us = self._call.elapsed_us
        self._call.errors.append(error)

    def _look_for_end(self, data: bytes) -> None:
        """Write the record when the last event is complete: now its bytes leave."""
        window = self._tail + data
        self._tail = window[-TAIL:]
        if self._recorded:
            return
        if not self._ending:
            found = LAST_EVENT.search(window) if b"[DONE]" in window or b"response." in window else None
            if found is None:
                return
            if found["done"]:
                self._write_record()
                return
            self._ending = True
            window = window[found.start() + 1 :]
            self._tail = window[-TAIL:]
        if BLANK_LINE.search(window):
            self._write_record()

    def _between_events(self, came: bytes) -> bool:
        """Whether what the client has got ends with an event: more would make half of one unreadable."""
        if self._usage is not None and not self._usage.gave_up:
            return True
        return not self._kept_size or (self._tail + came).endswith((b"\n\n", b"\n\r\n", b"\r\r"))

    def _keep(self, data: bytes) -> None:
        room = self._call.kept_limit - self._kept_size
        size = len(data)
        if room > 0:
            self._kept.append(data if size <= room else data[:room])
        self._kept_size += size
        if size >= LARGE_READ_BYTES:
            self._let_others()
        if self._call.produced is not None:
            self._call.produced.add(data)

    def _write_record(self) -> None:
        if self._recorded:
            return
        self._recorded = True
        call = self._call
        size = self._kept_size
        call.kept = b"".join(self._kept)
        call.cut = size > call.kept_limit
        recorder = self._recorder
        if recorder is not None:
            if size > LARGE_BYTES:
                recorder = recorder.large
            self._lost = not recorder.record(call)
            if self._lost:
                self._look_whether_lost()
        if call.produced is not None:
            call.produced.complete()

    def _look_whether_lost(self) -> None:
        """A record that takes a while is waited for where the client would see the call end well."""
        writing = getattr(self._call, "writing", None)
        if writing is not None:
            over = self._call.aborted or self._arrival.connection.failure is not None
            self._lost = False if over else writing

    def _end(self) -> None:
        self._call.client.done(self._call)
        self.set()


class UsageFilter:
    """Takes the usage chunk out of an event stream whose client did not ask for it.

    The gateway asks the model for it, for the meter (`stream_options.include_usage`); this hides the answer.
    """

    __slots__ = ("_held", "gave_up")

    def __init__(self) -> None:
        self._held = b""
        self.gave_up = False  # no event ends: it is no event stream, and all of it is passed on

    def feed(self, data: bytes) -> bytes:
        """The data without usage chunks; an event that is not complete yet waits for its rest."""
        data = self._held + data
        if self.gave_up:
            self._held = b""
            return data
        # Lines end with LF or CR LF; the blank line ends an event.
        at, with_return = data.rfind(b"\n\n"), data.rfind(b"\n\r\n")
        cut = max(at + 2 if at >= 0 else 0, with_return + 3 if with_return >= 0 else 0)
        if not cut:
            self.gave_up = len(data) > MAX_HELD
            self._held = b"" if self.gave_up else data
            return data if self.gave_up else b""
        self._held = data[cut:]
        complete = data[:cut]
        if b'"usage"' not in complete:
            return complete
        if b"\r" in complete:
            return b"".join(e for e in _WITH_BLANK_LINE.findall(complete) if not _is_usage(e))
        return b"".join(e + b"\n\n" for e in complete[:-2].split(b"\n\n") if not _is_usage(e))

    def rest(self) -> bytes:
        held = self._held
        self._held = b""
        return held


def _is_usage(event: bytes) -> bool:
    text = event.strip()
    if not text.startswith(b"data:") or b'"usage"' not in text:
        return False
    try:
        chunk = orjson.loads(text[5:])
    except orjson.JSONDecodeError:
        return False
    return isinstance(chunk, dict) and chunk.get("choices") == [] and isinstance(chunk.get("usage"), dict)


def _stream_error(message: str) -> bytes:
    body = {
        "error": {
            "code": "BackendConnectionFailure",
            "message": message,
            "type": "upstream_error",
            "param": None,
        }
    }
    return b"data: %b\n\n" % orjson.dumps(body)
