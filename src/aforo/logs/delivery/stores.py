"""Storage that a destination names: buckets, and accounts of Azure with a container per category.

What writes there is the store that Delta tables bring along (`deltalake`). It connects by itself, so the addresses of
hosts are judged before; containers are made here, as Azure makes them for its own settings.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from aforo.egress.fetch import fetch
from aforo.egress.pool import Pool
from aforo.errors import Invalid, Unavailable
from aforo.messages import Headers

_PATIENCE: Final = {"timeout": "30s", "connect_timeout": "10s", "max_retries": "2", "retry_timeout": "30s"}
_CONTAINER_S: Final = 30.0
_VERSION: Final = "2021-12-02"
_SECRETS: Final = ("secretAccessKey", "accountKey", "accessKeyId")


class At(NamedTuple):
    """Where a category lies: the store's root, what stands before names in it (with its `/`), and how to sign in."""

    root: str
    below: str
    options: dict[str, str]


class Stores:
    """`url` and `options` are the storage account's; see `model.kinds.storage_account`."""

    def __init__(self, url: str, options: Mapping[str, str], pool: Pool) -> None:
        self.url = url.rstrip("/")
        self._given = options
        self._pool = pool
        self._made: set[str] = set()

    def at(self, container: str) -> At:
        """The place of a category. Denied where it may not be connected to, Unavailable where it cannot be made."""
        parts = urlsplit(self.url)
        if parts.scheme == "s3":
            return self._bucket(parts.netloc, parts.path.strip("/"), container)
        if parts.scheme == "https":
            return self._account(parts.netloc.partition(".")[0], container)
        raise Invalid(f"{parts.scheme}: is no place for objects")

    def forget(self) -> None:
        """What was made may have gone."""
        self._made.clear()

    def plain(self, error: Exception) -> str:
        """What a store says went wrong, in one line without the colours of a terminal and without what signs in."""
        lines = [line.split("\x1b[0m")[-1].strip() for line in str(error).splitlines()]
        said = "; ".join(line for line in lines if line) or type(error).__name__
        for name in _SECRETS:
            if self._given.get(name):
                said = said.replace(self._given[name], "*****")
        return said[:300]

    def _bucket(self, bucket: str, prefix: str, container: str) -> At:
        region = self._given.get("region", "us-east-1")
        endpoint = self._given.get("endpoint", "")
        self._look(endpoint or f"https://s3.{region}.amazonaws.com")
        options = {"aws_region": region, **_PATIENCE}
        if self._given.get("accessKeyId"):
            options["aws_access_key_id"] = self._given["accessKeyId"]
            options["aws_secret_access_key"] = self._given.get("secretAccessKey", "")
        if endpoint:
            options |= {"aws_endpoint": endpoint.rstrip("/"), "aws_allow_http": "true"}
        return At(f"s3://{bucket}", "/".join(p for p in (prefix, container) if p) + "/", options)

    def _account(self, account: str, container: str) -> At:
        endpoint = (self._given.get("endpoint") or self.url).rstrip("/")
        self._look(endpoint)
        key = self._given.get("accountKey", "")
        if container not in self._made:
            asyncio.run(self._make(endpoint, account, key, container))
            self._made.add(container)
        options = {
            "azure_storage_account_name": account,
            "azure_storage_account_key": key,
            "azure_endpoint": endpoint,
            **_PATIENCE,
        }
        if endpoint.startswith("http://"):
            options["azure_allow_http"] = "true"
        return At(f"az://{container}", "", options)

    async def _make(self, endpoint: str, account: str, key: str, container: str) -> None:
        """The container, unless it is there."""
        url = f"{endpoint}/{container}"
        headers = {
            "x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "x-ms-version": _VERSION,
        }
        headers["authorization"] = signed(account, key, urlsplit(url).path, headers)
        sent = Headers.of((n.encode(), v.encode()) for n, v in (*headers.items(), ("content-length", "0")))
        try:
            answer = await fetch(
                self._pool, "PUT", f"{url}?restype=container", sent, timeout_s=_CONTAINER_S, max_bytes=65_536
            )
        finally:
            # Its connections are of a loop that ends here.
            self._pool.close()
        if answer.status not in (201, 409):
            code = (answer.headers.get(b"x-ms-error-code") or b"").decode("latin-1")[:100]
            raise Unavailable(
                f"{self.url} does not make the container {container} ({answer.status} {code})".replace(
                    " )", ")"
                )
            )

    def _look(self, url: str) -> None:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        asyncio.run(self._pool.judge(parts.hostname or "", port))


def signed(account: str, key: str, path: str, headers: Mapping[str, str]) -> str:
    """What signs a PUT of a container without a body: `Shared Key` of Azure's storage. Unavailable for a key that is none."""
    ours = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    text = "PUT" + "\n" * 12 + f"{ours}/{account}{path}\nrestype:container"
    try:
        secret = base64.b64decode(key, validate=True)
    except binascii.Error as error:
        raise Unavailable(f"the key of the storage account {account} is not in base64") from error
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(mac).decode()}"
