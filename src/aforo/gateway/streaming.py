"""The answer on its way to the client: teed for the record, framed anew, never held back. It knows no policy.

The record is written before the last bytes leave: before the last part of a body, and in an event stream before
the event after which clients stop reading (`[DONE]`, `response.completed`). A killed process therefore loses no
record of a call that its client saw finish.
"""

from __future__ import annotations

import re
import time
from typing import Protocol

import orjson

from aforo.gateway import answers
from aforo.gateway.arrival import Arrival
from aforo.gateway.call import Call, LiveExchange
from aforo.gateway.signal import Signal
from aforo.messages import HOP_BY_HOP
from aforo.policy.exchange import ResponseState
from aforo.snapshot.runtime import ApiRuntime
from aforo.snapshot.snapshot import LogPlan

# At the start of a line alone: anywhere else it is text of the model's, or of the client's.
_LAST_EVENT = re.compile(
    rb"[\r\n](?:(?P<done>data: ?\[DONE\])|event: ?response\.(?:completed|failed|incomplete)[\r\n]"
    rb'|data: ?\{"type": ?"response\.(?:completed|failed|incomplete)")'
)
_TAIL = 48  # longer than the longest match
_WITH_BLANK_LINE = re.compile(rb"(?s:.+?)\n\r?\n")
_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")
MAX_HELD = 1024 * 1024
_DROPPED = HOP_BY_HOP | {b"content-length"}
_NO_BODY = (204, 304)


class Records(Protocol):
    """Where the record of a call is written."""

    def record(
        self,
        call: Call,
        plan: LogPlan,
        exchange: LiveExchange | None,
        relay: Relay | None,
        api: ApiRuntime | None,
    ) -> None: ...


class Relay(Signal):
    """Hands one answer to its client; set at its end. The record is written once, before the last bytes."""

    __slots__ = (
        "_arrival",
        "_chunked",
        "_clock",
        "_ending",
        "_events",
        "_plain",
        "_plan",
        "_recorder",
        "_usage",
        "call",
        "first_byte_us",
        "head_sent",
        "kept",
        "kept_size",
        "limit",
        "recorded",
        "response",
        "sent",
        "tail",
    )

    def __init__(
        self,
        call: Call,
        response: ResponseState,
        arrival: Arrival | None,
        limit: int,
        recorder: Records | None,
        plan: LogPlan,
        clock: answers.Clock,
        hide_usage: bool = False,
    ) -> None:
        self.is_set = False
        self._wake = None
        self.call = call
        self.response = response
        self._arrival = arrival
        self._recorder = recorder
        self._plan = plan
        self._clock = clock
        self.limit = limit  # how much of the body is kept for the record
        self.kept: list[bytes] = []
        self.kept_size = 0
        self.sent = 0
        self.first_byte_us = 0
        self.head_sent = False
        self.recorded = False
        self.tail = b"\n"
        self._ending = False  # the last event has begun
        self._chunked = False
        content_type = response.headers.fields.get(b"content-type")
        self._events = type(content_type) is bytes and content_type.startswith(b"text/event-stream")
        self._plain = b"content-encoding" not in response.headers.fields
        self._usage = UsageFilter() if hide_usage and self._events and self._plain else None

    @property
    def is_event_stream(self) -> bool:
        return self._events

    def start(self) -> None:
        """Send what is there; what is still to come follows by itself."""
        arrival = self._arrival
        if arrival is None:
            self._whole(self.response.body.data or b"")
            return
        chunks = arrival.take()
        connection = arrival.connection
        if connection.ended and self._usage is None:
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            arrival.release()
            self._whole(body)
            return
        arrival.relay = self
        connection.resume()
        call = self.call
        length = self._backend_length()
        if length is not None and self._usage is None:
            framing = b"content-length: " + length
        elif call.http_1_0:
            call.keep_alive = False
            framing = b""
        else:
            self._chunked = True
            framing = b"transfer-encoding: chunked"
        self._forward(chunks, self._head(framing))

    def pump(self) -> None:
        """More of the answer is here, or its end, or its failure."""
        arrival = self._arrival
        assert arrival is not None
        self._forward(arrival.take(), b"")

    def client_lost(self) -> None:
        """Nobody reads any more: the backend is told by closing, and what was produced is recorded."""
        if self.is_set:
            return
        self.call.aborted = self.call.aborted or "client"
        self._write_record()
        if self._arrival is not None:
            self._arrival.relay = None
            self._arrival.connection.close()
        self.set()

    def _whole(self, body: bytes) -> None:
        """An answer that is at hand complete."""
        call = self.call
        response = self.response
        size = self.kept_size = len(body)
        self.kept = [body] if size <= self.limit else [body[: self.limit]]
        if response.status in _NO_BODY:
            head, body = self._head(b""), b""
        elif call.head_only:
            stated = self._backend_length()
            head = self._head(b"content-length: " + (stated or b"%d" % len(body)))
            body = b""
        else:
            head = self._head(b"content-length: %d" % size)
        self.sent = len(body)
        self._write_record()
        call.client.write(head + body)
        self._end()

    def _forward(self, chunks: list[bytes], head: bytes) -> None:
        call = self.call
        arrival = self._arrival
        assert arrival is not None
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
            if self._chunked and self._events and self._plain and self._between_events(came):
                # The stream has begun: a restart would repeat text, silence would look like a normal end.
                data += _stream_error(str(failure))
                told = True
        self.sent += len(data)
        if ended or failure is not None:
            self._write_record()
        elif self._events and self._plain and came:
            self._look_for_end(came)
        if self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._chunked and (ended or told):
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

    def _look_for_end(self, data: bytes) -> None:
        """Write the record when the last event is complete: now its bytes leave."""
        window = self.tail + data
        self.tail = window[-_TAIL:]
        if self.recorded:
            return
        if not self._ending:
            found = _LAST_EVENT.search(window) if b"[DONE]" in window or b"response." in window else None
            if found is None:
                return
            if found["done"]:
                self._write_record()
                return
            self._ending = True
            window = window[found.start() + 1 :]
            self.tail = window[-_TAIL:]
        if _BLANK_LINE.search(window):
            self._write_record()

    def _between_events(self, came: bytes) -> bool:
        """Whether what the client has got ends with an event: more would make half of one unreadable."""
        if self._usage is not None and not self._usage.gave_up:
            return True
        return not self.kept_size or (self.tail + came).endswith((b"\n\n", b"\n\r\n", b"\r\r"))

    def _backend_length(self) -> bytes | None:
        """What the backend said of its body; what a policy writes there does not count."""
        if self._arrival is None:
            return None
        return self._arrival.connection.headers.get(b"content-length")

    def _keep(self, data: bytes) -> None:
        room = self.limit - self.kept_size
        if room > 0:
            self.kept.append(data if len(data) <= room else data[:room])
        self.kept_size += len(data)

    def _head(self, framing: bytes) -> bytes:
        call = self.call
        response = self.response
        self.head_sent = True
        self.first_byte_us = int((time.perf_counter() - call.started) * 1e6)
        reason = response.reason or answers.reason_of(response.status)
        if not reason.isprintable():
            reason = ""
        lines = [b"HTTP/1.1 %d %b" % (response.status, reason.encode("latin-1", "replace"))]
        block = response.headers.block(_DROPPED)
        if block:
            lines.append(block)
        if b"date" not in response.headers.fields:
            lines.append(b"date: " + self._clock.date())
        if framing:
            lines.append(framing)
        if not call.keep_alive:
            lines.append(b"connection: close")
        elif call.http_1_0:
            lines.append(b"connection: keep-alive")
        lines.append(b"\r\n")
        return b"\r\n".join(lines)

    def _write_record(self) -> None:
        if not self.recorded:
            self.recorded = True
            if self._recorder is not None:
                call = self.call
                self._recorder.record(call, self._plan, call.exchange, self, call.api)

    def _end(self) -> None:
        self.call.client.done(self.call, keep_alive=self.call.keep_alive)
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
    body = {"error": {"code": "BackendConnectionFailure", "message": message, "type": "upstream_error"}}
    return b"data: %b\n\n" % orjson.dumps(body)
