"""An answer on its way to its client that somebody keeps as well: what caches store. How it is handed over is
streaming.py's; what becomes of the bytes, the keepers'."""

from __future__ import annotations

from aforo.errors import Refusal
from aforo.gateway import encoding
from aforo.gateway.arrival import Arrival
from aforo.gateway.call import Call, Records
from aforo.gateway.streaming import Later, Relay, hand_over, hides_usage
from aforo.policy.exchange import Keeper, ResponseState

# Of an answer that is larger nobody keeps anything.
MAX_BYTES = 4 * 1024 * 1024


def hand_over_kept(
    call: Call,
    answer: ResponseState,
    arrival: Arrival | None,
    recorder: Records | None,
    keepers: list[Keeper],
) -> Relay | Later | None:
    """`streaming.hand_over`, with the whole body for those of the keepers who wait for this answer's."""
    keepers = [keeper for keeper in keepers if keeper.response is answer]
    if call.caching is not None:
        call.caching.keepers = []  # they point back at the call
    if arrival is None or not keepers:
        return hand_over(call, answer, arrival, recorder)
    coding = arrival.connection.headers.get(b"content-encoding")
    if arrival.connection.ended:
        arrival.buffered = arrival.take()
        _tell(keepers, b"".join(arrival.buffered), coding)
        return hand_over(call, answer, arrival, recorder)
    call.answer = answer
    relay = call.relay = _KeepingRelay(
        call, answer, arrival, recorder, hide_usage=call.hide_usage and hides_usage(answer)
    )
    relay.keep_for(keepers, coding)
    relay.start()
    return relay


def _tell(keepers: list[Keeper], data: bytes, coding: bytes | None) -> None:
    if len(data) > MAX_BYTES:
        return
    try:
        data = encoding.decode(data, coding, MAX_BYTES)
    except Refusal:
        return
    for keeper in keepers:
        keeper.keep(data)


class _KeepingRelay(Relay):
    """Holds on to what it sends, until there is more than anybody keeps."""

    __slots__ = ("_coding", "_held", "_held_size", "_keepers")

    def keep_for(self, keepers: list[Keeper], coding: bytes | None) -> None:
        self._keepers = keepers
        self._coding = coding
        self._held: list[bytes] = []
        self._held_size = 0

    def _keep(self, data: bytes) -> None:
        super()._keep(data)
        self._held_size += len(data)
        if self._held_size <= MAX_BYTES:
            self._held.append(data)
        else:
            self._held.clear()

    def _end(self) -> None:
        super()._end()
        # A stream that broke off ends as well, once its client has been told.
        if self._held_size <= MAX_BYTES and not self._call.aborted:
            _tell(self._keepers, b"".join(self._held), self._coding)
        self._held.clear()
