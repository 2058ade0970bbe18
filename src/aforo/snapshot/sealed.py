"""Secret values inside a bundle: how control seals them and how a gateway opens them. Text in, text out."""

from __future__ import annotations

import base64
import binascii

from aforo.errors import Invalid
from aforo.identity.seal import Sealer

_CONTEXT = b"bundle-value"


def seal_value(sealer: Sealer, value: str) -> str:
    """The value sealed, as base64; each call gives another text."""
    return base64.b64encode(sealer.seal(value.encode(), _CONTEXT)).decode("ascii")


def open_value(sealer: Sealer, sealed: str) -> str:
    """What was sealed; Invalid when the text was changed or belongs to another key."""
    try:
        data = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("this is not a sealed value", code="SealBroken") from error
    return sealer.open(data, _CONTEXT).decode()
