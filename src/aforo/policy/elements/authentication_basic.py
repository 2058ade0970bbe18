"""`authentication-basic`: a name and a password for the backend."""

from __future__ import annotations

from aforo.policy.emit import Emitter, Use
from aforo.policy.outgoing import basic
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Element


def write(use: Use, emit: Emitter) -> None:
    username, password = emit.value(use, "username"), emit.value(use, "password")
    if username is None or password is None:
        return
    emit.site(use, username, password)
    emit.do(
        f"{emit.message}.headers.set(b'authorization', HEADER(NAME, WORD))",
        HEADER=basic,
        NAME=username,
        WORD=password,
    )


ELEMENT = Element(
    "authentication-basic",
    "Sends a name and a password as `Authorization: Basic`.",
    write,
    sections=INBOUND,
    attributes=(
        Attribute("username", "The name.", required=True),
        Attribute("password", "The password.", required=True),
    ),
)
