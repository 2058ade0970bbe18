"""`log-to-eventhub`: sends a text to a logger, beside the call."""

from __future__ import annotations

from typing import Final

from aforo.csharp.runtime.encodings import well_formed
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.running import body_bytes
from aforo.policy.spec import Attribute, Element, Text

# Azure cuts a longer message; here the cut is marked.
MAX_BYTES: Final = 200 * 1024


def send(
    exchange: Exchange, logger: str | None, partition: str | None, key: str | None, data: object
) -> None:
    """Never waits. A text of null sends nothing."""
    if data is None:
        return
    exchange.services.events.send(
        (logger or "").strip(),
        bounded(body_bytes(data)),
        partition_id=partition.strip() if partition and partition.strip() else None,
        partition_key=well_formed(key) if key else None,
    )


def bounded(data: bytes) -> bytes:
    """At most MAX_BYTES of UTF-8 text; what is longer ends with a mark that tells the full size."""
    if len(data) <= MAX_BYTES:
        return data
    mark = f"... [cut: {len(data)} bytes]".encode()
    kept = data[: MAX_BYTES - len(mark)]
    return kept.decode("utf-8", "ignore").encode() + mark


def write(use: Use, emit: Emitter) -> None:
    logger = emit.value(use, "logger-id")
    partition, key = emit.value(use, "partition-id"), emit.value(use, "partition-key")
    if logger is None or use.spec.text is None:
        return
    if partition is not None and key is not None:
        emit.report(say.one_of(use.span, use.name, ("partition-id", "partition-key")))
        return
    if use.text is None or not use.text.text.strip():
        emit.report(say.missing_text(use.span, use.name))
        return
    data = emit.compile(use.text, use.spec.text, use.name, "object")
    if data is None:
        return
    emit.site(use, logger, partition, key, data)
    emit.do(
        "F(x, LOGGER, PARTITION, KEY, DATA)",
        F=send,
        LOGGER=logger,
        PARTITION=partition,
        KEY=key,
        DATA=data,
    )


ELEMENT = Element(
    "log-to-eventhub",
    "Sends a text to a logger: an event hub, or a file while developing. The call does not wait for it; up to 200 KB are "
    "sent, the rest is cut with a mark.",
    write,
    attributes=(
        Attribute("logger-id", "The logger's name.", "name", required=True),
        Attribute("partition-id", "The partition that gets the event; one of the two."),
        Attribute("partition-key", "Events with the same key go to the same partition."),
    ),
    text=Text("The event, mostly an expression that gives JSON.", required=True),
)
