"""A token is good for the API that it was asked for, and for no other one behind the same origin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from joserfc.jwk import RSAKey
from starlette.requests import Request

from aforo.app.audiences import Audiences
from aforo.control.access import ADMIN
from aforo.errors import Denied
from aforo.identity.access import Principal
from aforo.identity.issue import Issuer

OWN = ("http://127.0.0.1:8080", "https://127.0.0.1:8443")
WHO = Principal("oid", "cid", "somebody")
KEY = RSAKey.generate_key(2048, {"kid": "k"}, auto_kid=False)
ISSUER = Issuer(KEY, "22222222-2222-2222-2222-222222222222", OWN[1])
AUDIENCES = Audiences(ISSUER, lambda token: token == "admin-token", OWN)
APIS = ("resources", "logs", "resource logs", "kusto")


def admitted(token: str, api: str) -> Principal | None:
    """Whom the API takes the sender of the token for; None when it refuses."""
    path = "/subscriptions/s/query" if api == "resource logs" else "/v1/workspaces/w/query"
    header = f"Bearer {token}"
    request = Request({"type": "http", "path": path, "headers": [(b"authorization", header.encode())]})
    asked: dict[str, Callable[[], Awaitable[Principal]]] = {
        "resources": lambda: AUDIENCES.resources(header),
        "logs": lambda: AUDIENCES.logs(request),
        "resource logs": lambda: AUDIENCES.logs(request),
        "kusto": lambda: AUDIENCES.kusto(request),
    }

    async def ask() -> Principal | None:
        try:
            return await asked[api]()
        except Denied:
            return None

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("audience", "good_for"),
    [
        ("https://management.azure.com", {"resources", "resource logs"}),
        ("https://management.core.windows.net/", {"resources", "resource logs"}),
        ("https://api.loganalytics.io", {"logs", "resource logs"}),
        ("https://api.loganalytics.io/", {"logs", "resource logs"}),
        ("https://api.loganalytics.azure.com", {"logs", "resource logs"}),
        ("https://kusto.kusto.windows.net", {"kusto"}),
        (OWN[0], set(APIS)),
        (f"{OWN[1]}/", set(APIS)),
        ("https://cognitiveservices.azure.com", set()),
        ("https://graph.microsoft.com", set()),
    ],
)
def test_a_token_is_good_for_what_it_was_asked_for(audience: str, good_for: set[str]) -> None:
    token = ISSUER.token(WHO, audience)[0]
    found = {api: admitted(token, api) for api in APIS}
    assert {api for api, who in found.items() if who is not None} == good_for
    assert {who.object_id for who in found.values() if who is not None} <= {"oid"}


def test_the_admin_token_is_good_for_all() -> None:
    assert [admitted("admin-token", api) for api in APIS] == [ADMIN] * 4
