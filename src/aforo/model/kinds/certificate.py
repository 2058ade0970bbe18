"""Client certificates of a service. Declared; no policy or backend can present one yet."""

from __future__ import annotations

from aforo.model.declare import instant, refused, text
from aforo.model.kind import Kind
from aforo.model.kinds.later import not_yet
from aforo.model.kinds.service import SERVICE_TYPE

CERTIFICATE = Kind(
    name="certificate",
    type=f"{SERVICE_TYPE}/certificates",
    parent=SERVICE_TYPE,
    properties=(
        text("data", secret=True),
        text("password", secret=True),
        text("subject", readonly=True),
        text("thumbprint", readonly=True),
        instant("expirationDate", readonly=True),
        refused("keyVault", "certificates from a key vault are not supported yet"),
    ),
    rules=(not_yet("client certificates towards backends are not supported yet"),),
)
