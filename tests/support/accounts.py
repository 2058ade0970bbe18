"""A local account for tests: facts with two deployments, two keys, an issuer, and a sink that remembers rows."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from joserfc.jwk import RSAKey

from aforo.account.app import create_app
from aforo.account.engines.scripted import Script, ScriptedEngine
from aforo.account.facts import FixedFacts
from aforo.identity.access import Principal
from aforo.identity.issue import Issuer
from aforo.identity.keys import hash_key
from aforo.model.account_facts import AccountFacts, DeploymentFacts, RoleFacts
from aforo.spool.records import RowsRecord
from tests.support.asgi import Answer, run_call

TENANT = "7d0e9b3a-0000-4000-8000-000000000001"
ACCOUNT_ID = (
    "/subscriptions/5b2e0000-0000-4000-8000-000000000001/resourceGroups/rg-activategenai"
    "/providers/Microsoft.CognitiveServices/accounts/aoai-lab"
)
KEY = "0123456789abcdef0123456789abcdef"
SECOND_KEY = "fedcba9876543210fedcba9876543210"
AUDIENCE = "https://cognitiveservices.azure.com"
ALLOWED = Principal("0a000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-000000000001")
STRANGER = Principal("0a000000-0000-4000-8000-000000000002", "c0000000-0000-4000-8000-000000000002")
WORKSPACE = "3c000000-0000-4000-8000-000000000001"
V = "api-version=2024-10-21"
CHAT = f"/openai/deployments/gpt-35-turbo/chat/completions?{V}"
TEXT = f"/openai/deployments/gpt-35-turbo/completions?{V}"
EMBED = f"/openai/deployments/embed/embeddings?{V}"
HELLO: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hello! What does an API Management Service do?"}]
}


@cache
def signing_key() -> RSAKey:
    key = RSAKey.generate_key(2048, auto_kid=False)
    return RSAKey.import_key(
        key.as_pem(private=True), {"kid": key.thumbprint(), "use": "sig", "alg": "RS256"}
    )


def issuer() -> Issuer:
    return Issuer(signing_key(), TENANT, "https://127.0.0.1:8443")


def token(who: Principal = ALLOWED, audience: str = AUDIENCE, **options: Any) -> str:
    return issuer().token(who, audience, **options)[0]


def lab_facts(**changes: Any) -> AccountFacts:
    """The lab's account; `script` goes to the chat deployment, `chat` and `embed` change the deployments."""
    chat = {"script": changes.pop("script", None), **changes.pop("chat", {})}
    values: dict[str, Any] = {
        "version": 1,
        "resource_id": ACCOUNT_ID,
        "location": "eastus",
        "tenant_id": TENANT,
        "issuers": issuer().issuers,
        "jwks": issuer().jwks(),
        "deployments": (
            DeploymentFacts("gpt-35-turbo", "gpt-35-turbo", "0301", 1_700_000_000, **chat),
            DeploymentFacts("embed", "text-embedding-ada-002", "2", 1_700_000_000, script={"dimensions": 8}),
        ),
        "key_hashes": (hash_key(KEY), hash_key(SECOND_KEY)),
        "roles": (RoleFacts(ALLOWED.object_id, "Cognitive Services User", ACCOUNT_ID),),
        "workspaces": {"RequestResponse": [WORKSPACE], "AllMetrics": [WORKSPACE]},
    }
    return AccountFacts(**{**values, **changes})


class RememberedRows:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[RowsRecord] = []

    def append_rows(self, record: RowsRecord) -> int:
        self.records.append(record)
        return len(self.records)

    def rows(self, table: str = "AzureDiagnostics") -> list[dict[str, Any]]:
        return [row for record in self.records if record.table == table for row in record.rows]


class Account:
    """The application with everything around it at hand."""

    def __init__(
        self,
        facts: AccountFacts | None = None,
        *,
        engine: Any = None,
        default: Script | None = None,
        **options: Any,
    ) -> None:
        self.facts = FixedFacts(lab_facts() if facts is None else facts)
        self.engine = engine or ScriptedEngine(default)
        self.rows = RememberedRows()
        self.app = create_app(self.facts, self.engine, self.rows, **options)


def ask(
    account: Account, target: str = CHAT, body: Any = None, method: str = "POST", **options: Any
) -> Answer:
    headers = {"api-key": KEY, **options.pop("headers", {})}
    headers = {name: value for name, value in headers.items() if value}
    return run_call(
        account.app, method, target, headers=headers, body=HELLO if body is None else body, **options
    )


def events(answer: Answer) -> list[dict[str, Any]]:
    lines = answer.body.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
