"""Events as Event Hubs takes them: a Kafka producer (aiokafka, in the extra `events`). It knows no queue.

The library connects by itself, so the egress policy judges the addresses of its hosts just before: of the one that is
configured, and of those that the brokers name. With TLS, which Event Hubs demands, they prove their names besides.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aforo.egress.kafka import Judge, Target, TokenOf, producer_of, read_target
from aforo.errors import Refusal, Unavailable
from aforo.gateway.events import Event
from aforo.snapshot.snapshot import LoggerEntry

log = logging.getLogger("aforo.gateway")

_START_S: Final = 20.0
_WRITE_S: Final = 60.0


def target_of(entry: LoggerEntry) -> Target:
    """What a logger's connection string or endpoint says; Invalid names what is missing, and shows no secret."""
    who = f"the logger {entry.id!r}"
    return read_target(who, entry.connection, entry.name, entry.endpoint, entry.identity_client)


class KafkaSink:
    """The producer of one logger; it connects with its first events."""

    def __init__(self, target: Target, judge: Judge, token_of: TokenOf) -> None:
        self._target = target
        self._judge = judge
        self._token_of = token_of
        self._producer: Any = None

    async def write(self, events: list[Event]) -> list[Event]:
        producer = await self._started()
        async with asyncio.timeout(_WRITE_S):
            partitions = await producer.partitions_for(self._target.topic)
            waiting: list[tuple[Event, asyncio.Future[Any]]] = []
            for event in events:
                partition = _partition(event)
                if partition is not None and partition not in partitions:
                    log.error(
                        "an event for %r was dropped: there is no partition %r",
                        self._target,
                        event.partition_id,
                    )
                    continue
                key = event.partition_key.encode() if event.partition_key is not None else None
                waiting.append((event, await self._send(producer, event, key, partition)))
            await producer.flush()
            await asyncio.gather(*(future for _, future in waiting), return_exceptions=True)
        return [event for event, future in waiting if self._failed(future)]

    async def _send(
        self, producer: Any, event: Event, key: bytes | None, partition: int | None
    ) -> asyncio.Future[Any]:
        stamp = event.at_ns // 1_000_000
        try:
            sent: asyncio.Future[Any] = await producer.send(
                self._target.topic, event.data, key=key, partition=partition, timestamp_ms=stamp
            )
        except Exception as error:  # noqa: BLE001 - whatever the library raises belongs to this one event
            sent = asyncio.get_running_loop().create_future()
            sent.set_exception(error)
        return sent

    def _failed(self, future: asyncio.Future[Any]) -> bool:
        """Whether the event is to be sent again; one that the broker refuses for good is told."""
        error = future.exception()
        if error is None:
            return False
        if getattr(error, "retriable", False) or not _is_kafka(error):
            return True
        log.error("an event for %r was refused: %s", self._target, type(error).__name__)
        return False

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _started(self) -> Any:
        if self._producer is not None:
            return self._producer
        target = self._target
        await self._judge(target.host, target.port)
        producer = producer_of(target, self._token_of)
        try:
            async with asyncio.timeout(_START_S):
                await producer.start()
            for broker in producer.client.cluster.brokers():
                await self._judge(broker.host, broker.port)
        except BaseException as error:
            await producer.stop()
            if isinstance(error, (Refusal, asyncio.CancelledError)):
                raise
            raise Unavailable(f"{target!r} cannot be reached ({type(error).__name__})") from error
        self._producer = producer
        return producer


def _partition(event: Event) -> int | None:
    if event.partition_id is None:
        return None
    return int(event.partition_id) if event.partition_id.isdecimal() and len(event.partition_id) < 8 else -1


def _is_kafka(error: BaseException) -> bool:
    from aiokafka.errors import KafkaError

    return isinstance(error, KafkaError)
