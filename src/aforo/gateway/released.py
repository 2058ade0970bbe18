"""Event streams that policies read: they go to their client as they come, while outbound waits for all of them.

Only the last event is held back until outbound has ended, so that the record of the call has everything in it
(docs/decisions/0098-streams-that-policies-read.md). What policies see of a stream is policy/streams.py's.
"""

from __future__ import annotations

from aforo.egress.http1 import WireError
from aforo.errors import Refusal
from aforo.gateway import encoding
from aforo.gateway.arrival import FREE_BYTES, MAX_BUFFERED_ANSWER, Arrival, broken
from aforo.gateway.call import Call, Records
from aforo.gateway.logged_messages import body_limit
from aforo.gateway.metering import Produced, streams_events
from aforo.gateway.signal import Signal
from aforo.gateway.streaming import BLANK_LINE, LAST_EVENT, TAIL, Relay, hides_usage
from aforo.gateway.traces import tell
from aforo.llm.catalog import wire_of
from aforo.messages import is_event_stream
from aforo.policy import answers, streams
from aforo.policy.exchange import LastError, PolicyFailure, ResponseState
from aforo.policy.pipeline import Pipeline


def prepare(call: Call, pipeline: Pipeline, recorder: Records) -> Release | None:
    """Outbound is next, and it reads the response's body: what it sees of an event stream, and whether that may leave
    before. None where it may not: a policy may write another body, or refuse this one."""
    response = call.response
    arrival = call.arrival
    if response is None or call.method == "HEAD":
        return None
    arriving = arrival is not None and arrival.response is response
    if not (
        streams_events(arrival) if arrival is not None and arriving else is_event_stream(response.headers)
    ):
        return None
    effects = pipeline.effects
    if effects.writes_response_body:
        return None
    operation = call.operation_runtime
    wire = (operation.wire if operation is not None else "") or wire_of(call.method, call.known.match.path)
    response.body.view = streams.view(wire, call.request.body.data or b"")
    if arrival is None or not arriving or effects.holds_response or response.body.data is not None:
        return None
    made = Release(call, pipeline, arrival, response, wire, recorder)
    response.body.load = made.load
    return made


class Release:
    """The moment at which a policy reads the stream: from there on it is the client's too."""

    __slots__ = ("_arrival", "_call", "_pipeline", "_recorder", "_response", "_wire", "relay")

    def __init__(
        self,
        call: Call,
        pipeline: Pipeline,
        arrival: Arrival,
        response: ResponseState,
        wire: str,
        recorder: Records,
    ) -> None:
        self._call = call
        self._pipeline = pipeline
        self._arrival = arrival
        self._response = response
        self._wire = wire
        self._recorder = recorder
        self.relay: ReleasedRelay | None = None

    async def load(self) -> bytes:
        """The whole stream, decoded. PolicyFailure when it broke off."""
        relay = self.relay
        if relay is None:
            relay = self._start()
        if not relay.come.is_set:
            await relay.come
        data = relay.whole()
        try:
            return encoding.decode(data, self._arrival.connection.headers.get(b"content-encoding"))
        except Refusal as error:
            raise PolicyFailure(
                LastError("forward-request", "BackendConnectionFailure", str(error), section="backend")
            ) from error

    def _start(self) -> ReleasedRelay:
        call, response, arrival = self._call, self._response, self._arrival
        if response.status not in answers.FINAL:
            raise PolicyFailure(answers.no_answer(response.status))
        if call.trace_flags:
            tell(call, response)
        head = streams.leaves(call, response, self._pipeline.cors)
        plan = call.log
        content_type = response.headers.fields.get(b"content-type")
        operation = call.operation_runtime
        call.kept_limit = body_limit(
            plan, plan.frontend_response, content_type, operation.wire if operation is not None else ""
        )
        if not call.complete:
            call.keep_alive = False
        if call.meters is not None:
            call.produced = Produced(call, self._wire)
        call.answer = response
        hide = call.hide_usage and hides_usage(response)
        relay = ReleasedRelay(call, response, arrival, self._recorder, hide_usage=hide)
        relay.head = head
        call.relay = self.relay = relay
        relay.start()
        return relay

    def end(self) -> ReleasedRelay | None:
        """The sections are over. The relay, where the answer is under way already."""
        # What a call holds points back at it.
        self._response.body.load = None
        relay = self.relay
        if relay is not None:
            call = self._call
            if call.caching is not None:
                call.caching.keepers = []  # whoever keeps the body has got it, for it was read
            streams.too_late(call, self._response)
            relay.go_on()
        return relay


class ReleasedRelay(Relay):
    """Sends a stream but for its last event, keeps all of it for the policies, and goes on when they have ended.

    What is kept takes of the room that bodies share, beyond the first of it. Where there is none the stream goes on to
    its client, and the policies are told that they cannot read it.
    """

    __slots__ = (
        "_allowed",
        "_full",
        "_held",
        "_holding",
        "_pieces",
        "_said_all",
        "_size",
        "_through",
        "_told",
        "come",
        "head",
    )

    head: ResponseState  # as it left

    def __init__(
        self,
        call: Call,
        answer: ResponseState,
        arrival: Arrival,
        recorder: Records | None,
        *,
        hide_usage: bool,
    ) -> None:
        super().__init__(call, answer, arrival, recorder, hide_usage=hide_usage)
        self.come = Signal()  # set when the last event is here, or nothing more comes
        self._pieces: list[bytes] = []
        self._size = 0
        self._allowed = min(FREE_BYTES, MAX_BUFFERED_ANSWER)
        self._full = ""  # why nothing more is kept
        self._held: list[bytes] = []
        self._holding = False  # the last event has begun
        self._said_all = False  # and has ended
        self._told = False  # the policies know that it broke off
        self._through = False  # the policies have ended

    def whole(self) -> bytes:
        """The stream as received. PolicyFailure when it broke off, or is larger than what is kept for policies."""
        failure = self._arrival.connection.failure
        if failure is not None and not self._said_all:
            self._told = True
            raise PolicyFailure(broken(failure))
        if self._full:
            raise PolicyFailure(LastError("forward-request", "BackendConnectionFailure", self._full))
        data = b"".join(self._pieces)
        self._pieces = [data]
        return data

    def go_on(self) -> None:
        """The policies have ended: the record, and then what was held back."""
        self._through = True
        held = b"".join(self._held)
        self._held.clear()
        self._pieces.clear()
        self._call.sent += len(held)
        connection = self._arrival.connection
        if not connection.ended and connection.failure is None:
            self._write_record()
            connection.resume()
        self._forward([], self._framed(held))

    def client_lost(self) -> None:
        if self._through:
            super().client_lost()
            return
        call, arrival = self._call, self._arrival
        call.aborted = call.aborted or "client"
        arrival.relay = None
        arrival.connection.close()
        if call.steps is not None:
            call.steps.cancel()

    def given_up(self) -> None:
        """The policies were cancelled, for the client has left."""
        self._through = True
        self._write_record()
        self._answer.body.load = None  # as in `Release.end`, which is not asked any more
        self.set()

    def _forward(self, chunks: list[bytes], head: bytes) -> None:
        if self._through:
            super()._forward(chunks, head)
            return
        call = self._call
        connection = self._arrival.connection
        over = connection.ended or connection.failure is not None
        data = b"".join(chunks)
        if data:
            self._keep(data)
            self._collect(data)
            if self._usage is not None:
                data = self._usage.feed(data)
        if connection.ended and self._usage is not None:
            data += self._usage.rest()
        now, later = self._parted(data, over)
        if later:
            self._held.append(later)
        call.sent += len(now)
        if head or now:
            call.client.write(head + self._framed(now))
        if self.come.is_set:
            if not over:
                # More behind the last event: it waits for the policies where it is.
                connection.pause()
            return
        if over or self._said_all or (self._holding and self._full):
            if call.produced is not None:
                # Who reads the body finds its tokens counted.
                call.produced.complete()
            self.come.set()  # the policies go on at this moment, and may end in it
        elif not call.client.writable():
            connection.pause()

    def _takes_more(self) -> bool:
        return (self._through or not self.come.is_set) and super()._takes_more()

    def _parted(self, data: bytes, over: bool) -> tuple[bytes, bytes]:
        """What may leave now, and what waits for the policies: the last event, or what comes with the end of a stream
        that has none."""
        window = self._tail + data
        self._tail = window[-TAIL:]
        if self._holding:
            self._said_all = self._said_all or BLANK_LINE.search(window) is not None
            return b"", data
        found = None
        if self._events and self._plain and (b"[DONE]" in window or b"response." in window):
            found = LAST_EVENT.search(window)
        if found is None:
            return (b"", data) if over else (data, b"")
        self._holding = True
        at = found.start() + 1
        self._tail = window[at:][-TAIL:]
        self._said_all = BLANK_LINE.search(window, at) is not None
        # What is left of its start has gone with an earlier piece; without its end it is nothing to the client.
        at = max(0, at - (len(window) - len(data)))
        return data[:at], data[at:]

    def _collect(self, data: bytes) -> None:
        if self.come.is_set:
            return
        self._size += len(data)
        if self._size > self._allowed and not self._full:
            self._full = self._grow()
        if not self._full:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    def _grow(self) -> str:
        """Why no more of the stream can be kept; "" where it can."""
        if self._size > MAX_BUFFERED_ANSWER:
            return "the answer is too large to read"
        wanted = min(MAX_BUFFERED_ANSWER, max(2 * self._allowed, self._size))
        if not self._call.client.hold(wanted - self._allowed):
            return "other calls hold all the room for bodies"
        self._allowed = wanted
        return ""

    def _broke(self, failure: WireError) -> None:
        if not self._told:
            super()._broke(failure)

    def _write_record(self) -> None:
        head, answer = self.head, self._answer
        answer.status, answer.reason, answer.headers = head.status, head.reason, head.headers
        super()._write_record()
