"""One HTTP request with the standard library, http or https with the local CA. It knows no API of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aforo.cli.exits import Exit, Failure

if TYPE_CHECKING:
    import http.client


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: dict[str, str]  # lower-case names
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def reason(self) -> str:
        """The message of an error answer, in ARM's, OpenAI's or API Management's shape, else its text."""
        body = self.json()
        if isinstance(body, dict):
            error = body.get("error", body)
            if isinstance(error, dict):
                return str(error.get("message") or error.get("code") or error)
            if error:
                return str(error)
        return self.body[:300].decode("utf-8", "replace").strip() or f"status {self.status} without a body"


class Gone(Exception):  # noqa: N818 - a fact about the other side, translated by each caller
    """Nobody listens there, or the connection broke. The text says what the system said."""


@contextmanager
def stream(
    method: str,
    url: str,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    ca: Path | None = None,
    timeout_s: float = 60.0,
) -> Iterator[http.client.HTTPResponse]:
    """Sends one request and gives the answer while it arrives. Raises Gone when there is none."""
    # These two cost `aforo --help` a tenth of its time, so they are loaded when something is asked.
    import http.client
    import ssl

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"'{url}' is no http or https address.", code=Exit.USAGE)
    try:
        port = parts.port
    except ValueError as error:
        raise Failure(f"'{url}' has a wrong port: {error}.", code=Exit.USAGE) from error
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        connection = http.client.HTTPSConnection(parts.hostname, port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, port, timeout=timeout_s)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    send = {"Accept": "application/json", "User-Agent": "aforo-cli", **(headers or {})}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        send["Content-Type"] = "application/json"
    try:
        connection.request(method, target, data, send)
        yield connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise Gone(str(error) or type(error).__name__) from error
    finally:
        connection.close()


def request(
    method: str,
    url: str,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    ca: Path | None = None,
    timeout_s: float = 60.0,
) -> Answer:
    """Sends one request and reads the whole answer. Raises Gone when there is none."""
    with stream(method, url, body=body, headers=headers, ca=ca, timeout_s=timeout_s) as response:
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
