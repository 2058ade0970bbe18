"""Debug credentials: whoever has one may have the calls of one API traced, for an hour at most. It knows no HTTP.

A text of name=value pairs as API Management's is (`aid=<api>&...`), signed with a subkey of the installation: control
makes it, gateways read it. It is no secret of the caller's API, and opens nothing but traces.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, quote

# The purpose of the subkey (identity.seal.subkey).
PURPOSE: Final = "debug-credentials"
LONGEST_S: Final = 3600
_MOST_CHARACTERS: Final = 1024


@dataclass(frozen=True, slots=True)
class DebugToken:
    """`api` is the API's resource name (`openai`, `openai;rev=2`), `expires` unix seconds."""

    api: str
    expires: int

    @property
    def expires_text(self) -> str:
        return f"{datetime.fromtimestamp(self.expires, UTC):%Y-%m-%dT%H:%M:%SZ}"


def make(key: bytes, token: DebugToken) -> str:
    """The token as text."""
    head = f"aid={quote(token.api, safe='')}&p=tracing&ex={quote(token.expires_text, safe='')}"
    return f"{head}&sn={_signature(key, head)}"


def read(key: bytes, text: str) -> DebugToken | None:
    """What a token says, expired or not; None when nobody here has signed it."""
    head, found, signature = text.strip().rpartition("&sn=")
    if not found or len(text) > _MOST_CHARACTERS or not text.isascii():
        return None
    if not hmac.compare_digest(signature, _signature(key, head)):
        return None
    values = parse_qs(head)
    try:
        expires = datetime.fromisoformat(values["ex"][0])
        return DebugToken(values["aid"][0], int(expires.timestamp())) if values["p"] == ["tracing"] else None
    except (KeyError, ValueError):
        return None


def _signature(key: bytes, head: str) -> str:
    digest = hmac.new(key, head.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
