"""When a backend says that it may be asked again: `Retry-After` and the millisecond headers of model providers."""

from __future__ import annotations

import time

from aforo.messages import Headers

_MILLISECONDS = (b"retry-after-ms", b"x-ms-retry-after-ms")
_MOST_DIGITS = 12


def retry_after_s(headers: Headers) -> float | None:
    """Seconds from now; None where the headers say nothing that can be read. The finer one wins."""
    for name in _MILLISECONDS:
        value = headers.get(name)
        if value is not None and _is_number(value.strip()):
            return int(value) / 1000
    value = headers.get(b"retry-after")
    if value is None:
        return None
    text = value.strip()
    if _is_number(text):
        return float(text)
    # Imported here: model servers say seconds, and the mail package is large.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text.decode("latin-1"))
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _MOST_DIGITS
