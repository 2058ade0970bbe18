"""Event hubs and Kafka topics: batches of records, `{"records": [...]}`, as Azure sends them. At least once.

A batch is delivered when the broker has acknowledged all of it; one that comes again is there twice. Each event has a
key (its category) and the headers `number` and `part`, by which a reader can tell.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, Final

from aforo.egress.kafka import Judge, producer_of, read_target
from aforo.errors import Unavailable
from aforo.logs.delivery.forms import container_of
from aforo.logs.delivery.outbox import Batch

log = logging.getLogger("aforo.logs")

# Event Hubs takes 256 KB in its smallest tier; a single larger record goes alone.
MOST_BYTES: Final = 200 * 1024
_START_S: Final = 20.0
_WRITE_S: Final = 60.0
# A broker's own bound for one message; beyond it a record could never be delivered.
_REFUSED_BYTES: Final = 1_000_000


class Events:
    """Sends to one hub, or to one per category. `judge` is the egress policy's."""

    def __init__(self, who: str, connection: str, hub: str, judge: Judge) -> None:
        self._who = who
        self._connection = connection
        self._hub = hub
        self._judge = judge
        self._runner = asyncio.Runner()
        self._producer: Any = None
        self.refused = 0  # records that are larger than any event may be

    def deliver(self, batch: Batch) -> None:
        """See `destination.Place`."""
        try:
            self._runner.run(self._send(batch))
        except Exception as error:
            self._runner.run(self._stop())
            if isinstance(error, Unavailable):
                raise
            # Its own words could hold what it was given to sign in with.
            raise Unavailable(f"{self._who} cannot be reached ({type(error).__name__})") from error

    def close(self) -> None:
        """Let the connection go."""
        self._runner.run(self._stop())
        self._runner.close()

    async def _send(self, batch: Batch) -> None:
        producer = await self._started(batch)
        sent = []
        async with asyncio.timeout(_WRITE_S):
            for part in batch.parts:
                topic = self._topic(part.category)
                for number, event in enumerate(self._events(part.lines)):
                    headers = [
                        ("number", str(batch.positions.number).encode()),
                        ("part", str(number).encode()),
                    ]
                    sent.append(
                        await producer.send(topic, event, key=part.category.encode(), headers=headers)
                    )
            await producer.flush()
            await asyncio.gather(*sent)

    def _events(self, lines: list[bytes]) -> Iterator[bytes]:
        waiting: list[bytes] = []
        size = 0
        for line in lines:
            record = line.rstrip(b"\n")
            if len(record) > _REFUSED_BYTES:
                self.refused += 1
                log.error(
                    "%s: a record of %d bytes is too large for an event and is left out",
                    self._who,
                    len(record),
                )
                continue
            if waiting and size + len(record) > MOST_BYTES:
                yield _event(waiting)
                waiting, size = [], 0
            waiting.append(record)
            size += len(record) + 1
        if waiting:
            yield _event(waiting)

    def _topic(self, category: str) -> str:
        return self._hub or container_of(category)

    async def _started(self, batch: Batch) -> Any:
        if self._producer is not None:
            return self._producer
        target = read_target(self._who, self._connection, self._topic(batch.parts[0].category))
        await self._judge(target.host, target.port)
        producer = producer_of(target, _no_token)
        try:
            async with asyncio.timeout(_START_S):
                await producer.start()
            for broker in producer.client.cluster.brokers():
                await self._judge(broker.host, broker.port)
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer
        return producer

    async def _stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


def _event(records: list[bytes]) -> bytes:
    return b'{"records":[' + b",".join(records) + b"]}"


async def _no_token(_resource: str, _client: str | None) -> str:
    raise Unavailable("an authorization rule signs in with its connection string")
