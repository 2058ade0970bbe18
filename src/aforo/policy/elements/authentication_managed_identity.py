"""`authentication-managed-identity`: a token of the gateway's own identity, for the backend."""

from __future__ import annotations

import logging

from aforo.errors import Refusal
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.running import header_value, taint
from aforo.policy.scopes import INBOUND, Scope
from aforo.policy.spec import Attribute, Element

log = logging.getLogger("aforo.policy")
_NAME = "authentication-managed-identity"


async def fetch(exchange: Exchange, resource: str | None, client_id: str | None, ignore: bool) -> str | None:
    """A token that is not at hand. None when it cannot be had and that is to be ignored."""
    try:
        return await exchange.services.tokens.fetch(resource or "", client_id)
    except Refusal as refusal:
        if ignore:
            log.warning("no token for %s: %s", resource, refusal.message)
            return None
        message = (
            f"Could not obtain an access token of the managed identity for '{resource}'. {refusal.message}"
        )
        raise PolicyFailure(LastError(_NAME, "ManagedIdentityTokenError", message)) from refusal


def write(use: Use, emit: Emitter) -> None:
    resource, client = emit.value(use, "resource"), emit.value(use, "client-id")
    output = emit.value(use, "output-token-variable-name")
    if resource is None:
        return
    emit.site(use, resource, client)
    ignore = emit.flag(use, "ignore-error")
    token = emit.local("token")
    parts = {
        "RESOURCE": emit.expr("V", V=resource),
        "CLIENT": emit.expr("C", C=client) if client is not None else emit.expr("None"),
    }
    emit.do(f"{token} = x.services.tokens.cached(RESOURCE, CLIENT)", **parts)
    emit.do(
        f"if {token} is None:\n    {token} = await FETCH(x, RESOURCE, CLIENT, IGNORE)",
        FETCH=fetch,
        IGNORE=ignore,
        **parts,
    )
    if output is not None and output.const is not None:
        emit.do(f"x.variables[NAME] = {token}", NAME=output.const.strip())
        emit.do("TAINT(x, NAME)", TAINT=taint, NAME=output.const.strip())
    else:
        emit.do(
            f"if {token} is not None:\n    {emit.message}.headers.set(b'authorization', VALUE('Bearer ' + {token}))",
            VALUE=header_value,
        )


ELEMENT = Element(
    _NAME,
    "Gets an access token for a resource with the gateway's managed identity and sends it as `Authorization: Bearer`, "
    "or keeps it in a variable. Tokens are cached until shortly before they expire.",
    write,
    sections=INBOUND,
    scopes=frozenset((Scope.GLOBAL, Scope.PRODUCT, Scope.API, Scope.OPERATION)),
    attributes=(
        Attribute(
            "resource",
            "The application ID URI of the target, e.g. https://cognitiveservices.azure.com.",
            required=True,
        ),
        Attribute(
            "client-id", "The client id of a user-assigned identity; the system-assigned one without it."
        ),
        Attribute(
            "output-token-variable-name",
            "A variable for the token; the header is not set then.",
            "name",
            expressions=False,
        ),
        Attribute(
            "ignore-error", "Go on without a token when there is none to be had.", "bool", default="false"
        ),
    ),
)
