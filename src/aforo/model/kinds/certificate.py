"""Certificates with their keys: what policies and backends show as the gateway's client certificate."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from aforo.errors import Invalid
from aforo.model.declare import instant, refused, text
from aforo.model.ids import ResourceId
from aforo.model.kind import Kind, Mint, Problem, Resource, View
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.pfx import ReadCertificate, read_certificate
from aforo.model.secret import Secret

CERTIFICATE_TYPE = f"{SERVICE_TYPE}/certificates"


def read_content(properties: Mapping[str, Any]) -> ReadCertificate | None:
    """What is in `data`; None when it cannot be read with that password."""
    data, password = properties.get("data"), properties.get("password")
    clear = data.reveal() if isinstance(data, Secret) else str(data or "")
    word = password.reveal() if isinstance(password, Secret) else password
    try:
        return read_certificate(base64.b64decode("".join(clear.split()), validate=True), word)
    except (binascii.Error, ValueError, Invalid):
        return None


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, _id: ResourceId, _mint: Mint) -> None:
    properties = body["properties"]
    for name in ("subject", "thumbprint", "expirationDate"):
        properties.pop(name, None)
    read = read_content(properties)
    if read is not None:
        properties["subject"] = read.subject
        properties["thumbprint"] = read.thumbprint
        properties["expirationDate"] = read.expires.strftime("%Y-%m-%dT%H:%M:%SZ")


def _readable(certificate: Resource, _view: View) -> Iterable[Problem]:
    # The thumbprint comes from the certificate alone.
    if "thumbprint" not in certificate.properties:
        yield Problem(
            ("properties", "data"),
            "'data' must be a PFX or PEM file in base64, and 'password' the word that opens it",
        )


CERTIFICATE = Kind(
    name="certificate",
    type=CERTIFICATE_TYPE,
    parent=SERVICE_TYPE,
    # The service's own property `certificates` (CAs that it trusts) has that key.
    yaml="clientCertificates",
    properties=(
        text("data", secret=True, required=True, minimum=1, doc="A PFX or PEM file with its key, in base64."),
        text("password", secret=True, doc="What opens the PFX file."),
        text("subject", readonly=True),
        text("thumbprint", readonly=True),
        instant("expirationDate", readonly=True),
        refused("keyVault", "certificates from a key vault are not supported yet"),
    ),
    rules=(_readable,),
    fill=_fill,
)
