"""Debug credentials and traces over ARM: who may, what is signed, what is given."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette

from aforo.control.access import bearer_or_admin
from aforo.control.api import routes
from aforo.control.debugging import Debugging
from aforo.control.lab import lab_yaml
from aforo.errors import Denied
from aforo.identity.access import Principal
from aforo.identity.debug_token import DebugToken, read
from tests.support.asgi import Answer, call
from tests.support.control_door import Bench

KEY = b"k" * 32
NOW = 1_800_000_000
CREDENTIALS = "listDebugCredentials?api-version=2023-05-01-preview"
TRACE = "listTrace?api-version=2023-05-01-preview"


class Control:
    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        self.bench.apply(lab_yaml())
        self.traces = folder / "traces"

        async def verify(_token: str) -> Principal:
            raise Denied("bad token", authenticated=False)

        self.reader = Principal("11111111-1111-1111-1111-111111111111", "app-reader", "reader")

        async def reading(token: str) -> Principal:
            return self.reader if token == "reader" else await verify(token)

        self.app = Starlette(
            routes=routes(
                self.bench.door,
                bearer_or_admin(lambda token: token == "admin", reading),
                debugging=Debugging(KEY, self.traces, lambda: NOW),
            )
        )

    def __call__(self, action: str, body: Any, token: str = "admin", gateway: str = "managed") -> Answer:
        path = f"{self.bench.id('gateways', gateway)}/{action}"
        headers = {"authorization": f"Bearer {token}"}
        return asyncio.run(call(self.app, "POST", path, headers=headers, body=body))


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path)


def asked(control: Control, **changes: Any) -> dict[str, Any]:
    api = control.bench.id("apis", "azure-openai")
    return {"credentialsExpireAfter": "PT1H", "apiId": api, "purposes": ["tracing"]} | changes


def test_a_token_is_bound_to_an_api_and_to_a_time(control: Control) -> None:
    answer = control(CREDENTIALS, asked(control))
    assert answer.status == 200
    token = answer.json()["token"]
    assert token.startswith("aid=azure-openai&")
    assert read(KEY, token) == DebugToken("azure-openai", NOW + 3600)
    short = control(CREDENTIALS, asked(control, credentialsExpireAfter="PT1M30S", apiId="/apis/Azure-OpenAI"))
    assert read(KEY, short.json()["token"]) == DebugToken("azure-openai", NOW + 90)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"credentialsExpireAfter": "PT2H"}, "up to PT1H"),
        ({"credentialsExpireAfter": "PT1H1S"}, "up to PT1H"),
        ({"credentialsExpireAfter": "PT"}, "up to PT1H"),
        ({"credentialsExpireAfter": 60}, "up to PT1H"),
        ({"purposes": ["all"]}, "purposes"),
        ({"apiId": ""}, "apiId"),
        ({"apiId": "/apis/nothing"}, "there is no API '/apis/nothing'"),
        ({"apiId": "/products/generative-ai"}, "there is no API"),
    ],
)
def test_what_is_refused(control: Control, changes: dict[str, Any], says: str) -> None:
    answer = control(CREDENTIALS, asked(control, **changes))
    assert answer.status == 400
    assert says in answer.json()["error"]["message"]


def test_who_only_reads_gets_nothing(control: Control) -> None:
    role = "71522526-b88f-4d52-b57f-d31fc3546d0d"
    at = control.bench.id(
        "providers/Microsoft.Authorization/roleAssignments", "0a000000-0000-4000-8000-000000000001"
    )
    properties = {"roleDefinitionId": role, "principalId": control.reader.object_id}
    control.bench.door.put(at, {"properties": properties})
    for action in (CREDENTIALS, TRACE):
        assert control(action, asked(control), token="reader").status == 403
        assert control(action, asked(control), token="nobody").status == 401


def test_a_trace_is_found_a_moment_later_and_nothing_else_is_read(control: Control) -> None:
    name = "0123456789abcdef0123456789abcdef"
    assert control(TRACE, {"traceId": name}).status == 404
    control.traces.mkdir()
    (control.traces / f"{name}.json").write_bytes(orjson.dumps({"serviceName": "s"}))
    found = control(TRACE, {"traceId": name})
    assert (found.status, found.json()) == (200, {"serviceName": "s"})
    for bad in ("../secrets/admin-token", "", 5, name.upper(), f"{name}x"):
        assert control(TRACE, {"traceId": bad}).status == 400
    assert control("listEverything", {}).status == 404
    assert control(TRACE, {"traceId": name}, gateway="mine").status == 404
