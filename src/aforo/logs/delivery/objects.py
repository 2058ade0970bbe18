"""Buckets and blob containers: Azure's folders, and in them one object per batch. A batch that comes again has the same
names and the same bytes."""

from __future__ import annotations

from typing import Any

from aforo.errors import Unavailable
from aforo.logs.delivery.outbox import Batch
from aforo.logs.delivery.stores import Stores


class Objects:
    """Lines as objects. `writer` tells the batches of one machine from those of another."""

    def __init__(self, stores: Stores, writer: str) -> None:
        self._stores = stores
        self._writer = writer
        self._open: dict[str, Any] = {}

    def deliver(self, batch: Batch) -> None:
        """See `destination.Place`."""
        from deltalake._internal import DeltaFileSystemHandler

        for part in batch.parts:
            container, _, folder = part.folder.partition("/")
            at = self._stores.at(container)
            if at.root not in self._open:
                self._open[at.root] = DeltaFileSystemHandler(at.root, at.options)
            store = self._open[at.root]
            name = f"{at.below}{folder}/PT1H_{self._writer}_{batch.positions.number:012d}.json"
            try:
                stream = store.open_output_stream(name, None)
                stream.write(b"".join(part.lines))
                stream.close()
            except OSError as error:
                self.close()
                why = self._stores.plain(error)
                raise Unavailable(f"{self._stores.url} does not take {name}: {why}") from error

    def close(self) -> None:
        """The store has nothing that must be closed."""
        self._open.clear()
        self._stores.forget()
