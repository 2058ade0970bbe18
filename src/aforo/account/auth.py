"""Who may call the account: one of its two keys, or a token of an identity that has a role on it.

Refusals are Azure's (faults.py). Keys are compared by digest, in constant time; no credential is ever kept.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.requests import Request

from aforo.account.faults import Fault, bad_key, no_token, permission_denied
from aforo.account.operations import ROLES, Operation
from aforo.errors import Denied
from aforo.identity.access import RoleBook
from aforo.identity.keys import hash_key
from aforo.identity.verify import FixedKeys, Verifier
from aforo.model.account_facts import AccountFacts


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the identity's object id, "" when a key was used."""

    object_id: str = ""


class Gatekeeper:
    """The rules of one version of the facts; made anew with each."""

    def __init__(self, facts: AccountFacts) -> None:
        self.facts = facts
        self._roles = RoleBook(facts.roles)
        self._verifier = Verifier(
            FixedKeys(facts.jwks),
            audiences=facts.audiences,
            issuers=facts.issuers,
            required={"oid": (), "tid": (facts.tenant_id,)},
        )

    async def admit(self, request: Request, operation: Operation, *, bearer_key: bool) -> Caller | Fault:
        """The caller, or the refusal. `bearer_key`: the v1 surface takes a key as Bearer too."""
        key = request.headers.get("api-key")
        if key is not None:
            return Caller() if self._is_key(key) else bad_key()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return no_token(self.facts.audiences[0])
        # A token has dots, a key has none.
        if bearer_key and "." not in token:
            return Caller() if self._is_key(token) else bad_key()
        try:
            claims = await self._verifier.verify(token)
        except Denied:
            return no_token(self.facts.audiences[0])
        object_id = str(claims["oid"])
        if not self._roles.has(object_id, ROLES, self.facts.resource_id):
            return permission_denied(object_id, operation.action, operation.path)
        return Caller(object_id)

    def _is_key(self, presented: str) -> bool:
        digest = hash_key(presented)
        matches = [hmac.compare_digest(digest, known) for known in self.facts.key_hashes]
        return any(matches)
