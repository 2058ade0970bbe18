"""`get-authorization-context`: an access token of a connection of the credential manager, into a variable."""

from __future__ import annotations

import logging

from aforo.errors import Refusal
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.running import taint, word
from aforo.policy.scopes import INBOUND, Scope
from aforo.policy.services import Authorization
from aforo.policy.spec import Attribute, Element

log = logging.getLogger("aforo.policy")
_NAME = "get-authorization-context"
_TYPES = frozenset(("managed", "jwt"))


async def fetch(
    x: Exchange,
    provider: str | None,
    connection: str | None,
    variable: str | None,
    kind: str,
    identity: str | None,
    ignore: bool,
) -> None:
    """The variable holds the Authorization, or null when there is none and that is to be ignored."""
    name = (variable or "").strip()
    found: Authorization | None = None
    try:
        token = None
        if kind == "jwt":
            token = (identity or "").strip()
        found = await x.services.authorizations.get(
            (provider or "").strip(), (connection or "").strip(), token
        )
    except Refusal as refusal:
        if not ignore:
            message = f"Could not get the authorization context. {refusal.message}"
            raise PolicyFailure(LastError(_NAME, "AuthorizationContextFailure", message)) from refusal
        log.warning("no authorization %s of %s: %s", connection, provider, refusal.message)
    x.variables[name] = found
    # What opens the service behind is in there.
    taint(x, name)


def write(use: Use, emit: Emitter) -> None:
    provider, connection = emit.value(use, "provider-id"), emit.value(use, "authorization-id")
    variable, kind = emit.value(use, "context-variable-name"), emit.value(use, "identity-type")
    identity = emit.value(use, "identity")
    if provider is None or connection is None or variable is None or kind is None:
        return
    known = (kind.const or "").strip().lower()
    if known == "jwt" and identity is None:
        emit.report(say.missing_attribute(use.span, use.name, "identity"))
        return
    emit.site(use, provider, connection, variable, kind, identity)
    emit.do(
        "await FETCH(x, PROVIDER, CONNECTION, VARIABLE, KIND, IDENTITY, IGNORE)",
        FETCH=fetch,
        PROVIDER=provider,
        CONNECTION=connection,
        VARIABLE=variable,
        KIND=known or emit.expr("F(V, 'identity-type', W)", F=word, V=kind, W=_TYPES),
        IDENTITY=identity,
        IGNORE=emit.flag(use, "ignore-error"),
    )


ELEMENT = Element(
    _NAME,
    "Gets an access token of a connection (`authorizations`) of a credential provider and keeps it in a variable as an "
    "`Authorization` with `AccessToken` and `Claims`. Tokens are kept until shortly before they expire.",
    write,
    sections=INBOUND,
    scopes=frozenset((Scope.GLOBAL, Scope.PRODUCT, Scope.API, Scope.OPERATION)),
    attributes=(
        Attribute("provider-id", "The credential provider.", "name", required=True),
        Attribute("authorization-id", "Its connection.", "name", required=True),
        Attribute("context-variable-name", "The variable.", "name", required=True),
        Attribute(
            "identity-type",
            "Whose access policy counts: managed is the service's own identity, jwt the one in `identity`.",
            default="managed",
            values=("managed", "jwt"),
        ),
        Attribute("identity", "A token of somebody whom an access policy of the connection names."),
        Attribute(
            "ignore-error", "Go on with null when there is no token to be had.", "bool", default="false"
        ),
    ),
)
