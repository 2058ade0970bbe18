"""Buckets and blob containers: Azure's folders, and in them one object per batch. A batch that comes again has the same
names and the same bytes.

Objects are written by the store that Delta tables bring along (`deltalake`); it connects by itself, so the addresses of
hosts that are no public cloud's are judged before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aforo.errors import Invalid, Unavailable
from aforo.logs.delivery.outbox import Batch

# (host, port) -> comes back when it may be connected to; Denied otherwise.
Judge = Callable[[str, int], None]

_PATIENCE = {"timeout": "30s", "connect_timeout": "10s", "max_retries": "2", "retry_timeout": "30s"}


class Objects:
    """Writes below a URL: `s3://bucket/prefix`, or an account of Azure with a container per category."""

    def __init__(self, url: str, options: Mapping[str, str], writer: str, judge: Judge) -> None:
        self._url = url.rstrip("/")
        self._options = options
        self._writer = writer  # tells the batches of one machine from those of another
        self._judge = judge
        self._stores: dict[str, Any] = {}

    def deliver(self, batch: Batch) -> None:
        """See `destination.Place`."""
        for part in batch.parts:
            container, _, folder = part.folder.partition("/")
            store, below = self._store(container)
            name = f"{below}{folder}/PT1H_{self._writer}_{batch.positions.number:012d}.json"
            try:
                stream = store.open_output_stream(name, None)
                stream.write(b"".join(part.lines))
                stream.close()
            except OSError as error:
                self._stores.clear()
                raise Unavailable(f"{self._url} does not take {name}: {_plain(error)}") from error

    def close(self) -> None:
        """The store has nothing that must be closed."""
        self._stores.clear()

    def _store(self, container: str) -> tuple[Any, str]:
        """The store for a category, and what stands before names in it."""
        from deltalake._internal import DeltaFileSystemHandler

        parts = urlsplit(self._url)
        given = self._options
        if parts.scheme == "s3":
            endpoint = given.get("endpoint", "")
            self._look(endpoint or f"https://s3.{given.get('region', 'us-east-1')}.amazonaws.com")
            url, below = (
                f"s3://{parts.netloc}",
                "/".join(p for p in (parts.path.strip("/"), container) if p) + "/",
            )
            options = {"aws_region": given.get("region", "us-east-1"), **_PATIENCE}
            if given.get("accessKeyId"):
                options |= {
                    "aws_access_key_id": given["accessKeyId"],
                    "aws_secret_access_key": given.get("secretAccessKey", ""),
                }
            if endpoint:
                options |= {"aws_endpoint": endpoint.rstrip("/"), "aws_allow_http": "true"}
        elif parts.scheme == "https":
            self._look(self._url)
            account = parts.netloc.partition(".")[0]
            url, below = f"az://{container}", ""
            options = {
                "azure_storage_account_name": account,
                "azure_storage_account_key": given.get("accountKey", ""),
                "azure_endpoint": self._url,
                **_PATIENCE,
            }
        else:
            raise Invalid(f"{parts.scheme}: is no place for objects")
        store = self._stores.get(url)
        if store is None:
            store = self._stores[url] = DeltaFileSystemHandler(url, options)
        return store, below

    def _look(self, url: str) -> None:
        parts = urlsplit(url)
        self._judge(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def _plain(error: OSError) -> str:
    """Its first line, without the colours of a terminal; what it says further may name what it was given."""
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
