"""The query API over a scripted pool: names, rights, time ranges, errors, batches, audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from aforo.errors import Denied, Limited
from aforo.identity.access import Principal
from aforo.logs.api import routes
from aforo.logs.question import (
    SCHEMA_COLUMNS,
    Mistake,
    Outcome,
    QueryAnswer,
    QueryRequest,
    ResultColumn,
    TimeRange,
)
from aforo.logs.reader import Workspace
from tests.support.asgi import Answer, call

W1 = "11111111-1111-1111-1111-111111111111"
W2 = "22222222-2222-2222-2222-222222222222"
_ARM = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/"
WORKSPACES = [Workspace(W1, "law-one", f"{_ARM}law-one", "local"), Workspace(W2, "law-two", f"{_ARM}law-two")]
SERVICE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/Apim1"
NOW = 1_795_348_800.0  # 2026-11-22T12:00:00Z
QUERY = f"/v1/workspaces/{W1}/query"


class ScriptedPool:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[QueryRequest] = []
        self.script: Callable[[QueryRequest], QueryAnswer] = lambda _: OK
        self.cancelled = False
        self.begun = asyncio.Event()

    async def query(self, request: QueryRequest) -> QueryAnswer:
        self.asked.append(request)
        if request.text == "forever":
            self.begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        return self.script(request)


OK = QueryAnswer(
    outcome=Outcome.OK,
    columns=(ResultColumn("a", "long"), ResultColumn("b", "dynamic")),
    row_count=2,
    rows=b'[1,"{}"],[2,null]',
    tables=("ApiManagementGatewayLogs",),
    render={"visualization": "barchart"},
)


class World:
    def __init__(self, root: Path) -> None:
        self.pool = ScriptedPool(root)
        self.rows: list[tuple[str, str, dict[str, Any]]] = []
        self.readable: Callable[[str, str], bool] = lambda _workspace, _table: True
        self.now = NOW
        self.app = Starlette(
            routes=routes(
                self.pool,
                self.authenticate,
                lambda _principal, workspace, table: self.readable(workspace.name, table),
                self.resolve,
                lambda workspace, table, row: self.rows.append((workspace, table, row)),
                tables=("ApiManagementGatewayLogs", "AzureMetrics"),
                resolve_resource=lambda r: WORKSPACES[:1] if r.lower() == SERVICE.lower() else (),
                tenant_id="tenant",
                clock=lambda: self.now,
            )
        )

    async def authenticate(self, request: Request) -> Principal:
        header = request.headers.get("authorization")
        if header is None:
            raise Denied(
                "Authentication failed. The 'Authorization' header is missing.",
                code="AuthenticationFailed",
                authenticated=False,
            )
        return Principal("oid", "cid", "somebody")

    def resolve(self, text: str) -> Workspace | None:
        for w in WORKSPACES:
            if text.lower() in (w.id, w.name, w.resource_id.lower()):
                return w
        return None

    def send(self, method: str, target: str, **options: Any) -> Answer:
        headers = {"authorization": "Bearer x", **options.pop("headers", {})}
        headers = {k: v for k, v in headers.items() if v is not None}
        return asyncio.run(call(self.app, method, target, headers=headers, **options))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_answer_has_one_table_named_primary_result(world: World) -> None:
    answer = world.send("POST", QUERY, body={"query": "T | take 2", "timespan": None, "workspaces": None})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [{"name": "a", "type": "long"}, {"name": "b", "type": "dynamic"}],
                "rows": [[1, "{}"], [2, None]],
            }
        ]
    }
    assert world.pool.asked[0].timespan is None
    assert world.pool.asked[0].workspace_ids == (W1,)


@pytest.mark.parametrize(
    "path", [f"/v1/workspaces/{W1}/query", f"/workspaces/{W1}/query", "/v1/workspaces/law-one/query"]
)
def test_a_workspace_is_named_by_id_or_name_with_and_without_version(world: World, path: str) -> None:
    assert world.send("POST", path, body={"query": "T"}).status == 200
    assert world.send("GET", f"{path}?query=T").status == 200
    assert [a.workspace_ids for a in world.pool.asked] == [(W1,), (W1,)]


def test_preferences_choose_what_comes_beside_the_rows(world: World) -> None:
    prefer = {"prefer": "wait=30,include-statistics=true,include-render=true"}
    body = world.send("POST", QUERY, body={"query": "T"}, headers=prefer).json()
    assert body["render"] == {
        "visualization": "barchart",
        "title": None,
        "accumulate": False,
        "isQuerySorted": False,
        "kind": "default",
        "annotation": "",
        "by": None,
    }
    assert "inputDatasetStatistics" in body["statistics"]["query"]
    assert world.pool.asked[0].timeout_s == 30
    assert set(world.send("POST", QUERY, body={"query": "T"}, headers={"prefer": ""}).json()) == {"tables"}
    refused = world.send("POST", QUERY, body={"query": "T"}, headers={"prefer": "wait=99999"})
    assert refused.status == 400
    assert "600" in refused.json()["error"]["message"]


def test_timespans_of_url_and_body_meet(world: World) -> None:
    world.send(
        "POST", QUERY + "?timespan=2026-11-22T10:00:00Z/PT1H", body={"query": "T", "timespan": "PT5400.0S"}
    )
    start = (int(NOW) - 5400) * 1_000_000
    assert world.pool.asked[0].timespan == TimeRange(start, (int(NOW) - 3600) * 1_000_000)


def test_further_workspaces_and_resources_widen_the_query(world: World) -> None:
    world.send("POST", QUERY, body={"query": "T", "workspaces": ["law-two", W1], "resources": [SERVICE]})
    assert set(world.pool.asked[0].workspace_ids) == {W1, W2}
    assert world.pool.asked[0].resource_scopes == (SERVICE.lower(),)


def test_a_resource_that_is_named_query_is_not_asked(world: World) -> None:
    path = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/a/apis/query"
    assert world.send("GET", path).status == 405
    assert world.send("POST", f"{SERVICE}/query", body={"query": "T"}).status == 200


def test_a_resource_is_asked_in_its_workspace_with_its_rows_only(world: World) -> None:
    assert world.send("POST", f"/v1{SERVICE}/query", body={"query": "T"}).status == 200
    assert world.send("POST", f"/v1{WORKSPACES[1].resource_id}/query", body={"query": "T"}).status == 200
    assert [(a.workspace_ids, a.resource_scopes) for a in world.pool.asked] == [
        ((W1,), (SERVICE.lower(),)),
        ((W2,), ()),
    ]
    unknown = world.send("POST", "/v1/subscriptions/s/resourceGroups/x/query", body={"query": "T"})
    assert (unknown.status, unknown.json()["error"]["code"]) == (404, "ResourceNotFoundError")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "no body"),
        ("{", "not JSON"),
        ("[1]", "not an object"),
        ("{}", "'query'"),
        ({"query": 5}, "'query'"),
        ({"query": "  "}, "'query'"),
        ({"query": "T", "timespan": 5}, "'timespan'"),
        ({"query": "T", "timespan": "soon"}, "soon"),
        ({"query": "T", "workspaces": "w"}, "'workspaces'"),
        ("x" * 5_000_000, "larger"),
    ],
)
def test_a_wrong_body_is_a_400_that_says_what(world: World, body: Any, words: str) -> None:
    answer = world.send("POST", QUERY, body=body)
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (400, "BadArgumentError")
    assert words in error["message"]
    assert error["innererror"]["details"][0]["message"] in error["message"]
    assert world.pool.asked == []


def test_unknown_places_are_404(world: World) -> None:
    answer = world.send("POST", "/v1/workspaces/nowhere/query", body={"query": "T"})
    assert answer.status == 404
    assert "nowhere" in answer.json()["error"]["message"]
    answer = world.send("POST", f"/v1/workspaces/{W1}/nothing", body={"query": "T"})
    assert (answer.status, answer.json()["error"]["code"]) == (404, "PathNotFoundError")


def test_without_a_token_it_is_azures_401(world: World) -> None:
    answer = world.send("POST", QUERY, body={"query": "T"}, headers={"authorization": None})
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] == "AuthenticationFailed"
    assert "'Authorization' header is missing" in answer.json()["error"]["message"]
    assert world.rows == []


def test_the_pool_hears_of_readable_tables_only(world: World, tmp_path: Path) -> None:
    (tmp_path / W1 / "Custom_CL").mkdir(parents=True)
    world.readable = lambda _workspace, table: table != "AzureMetrics"
    world.send("POST", QUERY, body={"query": "T"})
    assert world.pool.asked[0].readable == {W1: ("ApiManagementGatewayLogs", "Custom_CL")}
    world.readable = lambda workspace, _table: workspace == "law-two"
    answer = world.send("POST", QUERY, body={"query": "T"})
    assert (answer.status, answer.json()["error"]["code"]) == (403, "InsufficientAccessError")
    assert len(world.pool.asked) == 1


def mistake(code: str = "KQL0102", **more: Any) -> Mistake:
    given = {
        "severity": "error",
        "message": "a pipe is missing before 'take'",
        "start": 17,
        "end": 21,
        "line": 2,
        "column": 1,
        "token": "take",
        "hints": ("write '| take ...'",),
    }
    return Mistake(code=code, **(given | more))


def test_a_syntax_error_is_nested_as_azure_does_and_all_mistakes_are_told(world: World) -> None:
    world.pool.script = lambda _: QueryAnswer(
        outcome=Outcome.INVALID,
        mistakes=(mistake(), mistake("KQL0201", line=3, message="there is no column 'x'")),
    )
    answer = world.send("POST", QUERY, body={"query": "AzureDiagnostics\ntake 100"})
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (400, "BadArgumentError")
    assert error["innererror"]["code"] == "SyntaxError"
    inner = error["innererror"]["innererror"]
    assert {k: inner[k] for k in ("code", "line", "pos", "token")} == {
        "code": "SYN0002",
        "line": 2,
        "pos": 0,
        "token": "take",
    }
    assert "a pipe is missing before 'take'" in error["message"]
    assert "write '| take ...'" in error["message"]
    assert [d["code"] for d in error["details"]] == ["KQL0102", "KQL0201"]


def test_a_name_that_is_not_there_is_a_semantic_error(world: World) -> None:
    world.pool.script = lambda _: QueryAnswer(outcome=Outcome.INVALID, mistakes=(mistake("KQL0201"),))
    inner = world.send("POST", QUERY, body={"query": "T"}).json()["error"]["innererror"]
    assert (inner["code"], inner["innererror"]["code"]) == ("SemanticError", "SEM0100")


def test_cut_rows_are_a_partial_error_beside_the_rows(world: World) -> None:
    world.pool.script = lambda _: QueryAnswer(
        outcome=Outcome.OK, columns=OK.columns, row_count=2, rows=b'[1,"{}"],[2,null]', cut="rows"
    )
    answer = world.send("POST", QUERY, body={"query": "T"})
    assert answer.status == 200
    assert len(answer.json()["tables"][0]["rows"]) == 2
    assert answer.json()["error"]["code"] == "PartialError"
    assert "500,000" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (Outcome.TIMEOUT, 504, "GatewayTimeout"),
        (Outcome.MEMORY, 400, "BadArgumentError"),
        (Outcome.FAILED, 500, "InternalServerError"),
    ],
)
def test_how_a_query_that_ended_badly_is_answered(
    world: World, outcome: Outcome, status: int, code: str
) -> None:
    world.pool.script = lambda _: QueryAnswer(outcome=outcome, message="why it ended")
    answer = world.send("POST", QUERY, body={"query": "T"})
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert "why it ended" in answer.json()["error"]["message"]
    assert "retry-after" not in answer.headers


def test_a_repeated_request_of_a_query_that_timed_out_does_not_run_again(world: World) -> None:
    world.pool.script = lambda _: QueryAnswer(outcome=Outcome.TIMEOUT, message="late")
    again = {"x-ms-client-request-id": "same"}
    for _ in range(3):
        assert world.send("POST", QUERY, body={"query": "T"}, headers=again).status == 504
    assert len(world.pool.asked) == 1
    assert (
        world.send("POST", QUERY, body={"query": "T"}, headers={"x-ms-client-request-id": "new"}).status
        == 504
    )
    world.now += 600
    world.send("POST", QUERY, body={"query": "T"}, headers=again)
    assert len(world.pool.asked) == 3


def test_a_full_pool_is_429_with_retry_after(world: World) -> None:
    def full(_: QueryRequest) -> QueryAnswer:
        raise Limited("too many", retry_after_s=5.0)

    world.pool.script = full
    answer = world.send("POST", QUERY, body={"query": "T"})
    assert (answer.status, answer.headers["retry-after"]) == (429, "5")
    assert world.rows[-1][2]["ResponseCode"] == 429


def test_the_clients_request_id_comes_back(world: World) -> None:
    answer = world.send("POST", QUERY, body={"query": "T"}, headers={"x-ms-client-request-id": "abc"})
    assert answer.headers["x-ms-client-request-id"] == "abc"
    answer = world.send("POST", QUERY, body="{", headers={"x-ms-client-request-id": "abc"})
    assert answer.headers["x-ms-client-request-id"] == "abc"
    assert answer.headers["x-ms-correlation-id"] == answer.json()["error"]["correlationId"]


def test_a_client_that_leaves_cancels_its_query(world: World) -> None:
    async def scenario() -> None:
        gone = asyncio.Event()
        sent: list[dict[str, Any]] = []
        first = True

        async def receive() -> dict[str, Any]:
            nonlocal first
            if first:
                first = False
                return {"type": "http.request", "body": b'{"query":"forever"}', "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": QUERY, "raw_path": QUERY.encode(), "query_string": b"",
            "headers": [(b"authorization", b"Bearer x")], "root_path": "", "scheme": "http",
            "server": ("h", 1), "client": ("c", 1), "http_version": "1.1", "asgi": {"version": "3.0"},
        }  # fmt: skip
        task = asyncio.create_task(world.app(scope, receive, send))
        await world.pool.begun.wait()
        gone.set()
        await task
        assert world.pool.cancelled
        assert world.rows[-1][2]["ResponseCode"] == 499

    asyncio.run(scenario())


def test_each_query_leaves_a_row_that_says_who_asked_what(world: World) -> None:
    world.send("POST", QUERY, body={"query": "T | count", "timespan": "PT1H"}, headers={"x-ms-app": "tool"})
    (workspace, table, row) = world.rows[0]
    assert (workspace, table) == (W1, "LAQueryLogs")
    assert {
        k: row[k] for k in ("AADObjectId", "AADClientId", "QueryText", "ResponseCode", "ResponseRowCount")
    } == {
        "AADObjectId": "oid",
        "AADClientId": "cid",
        "QueryText": "T | count",
        "ResponseCode": 200,
        "ResponseRowCount": 2,
    }
    assert row["TimeGenerated"] == int(NOW) * 10**9
    assert row["QueryTimeRangeStart"] == (int(NOW) - 3600) * 10**9
    assert row["RequestClientApp"] == "tool"
    assert row["TablesRead"] == ["ApiManagementGatewayLogs"]


def test_the_audit_row_has_declared_columns_only(world: World) -> None:
    from aforo.tables.la_query_logs import LA_QUERY_LOGS

    world.send("POST", QUERY, body={"query": "T", "timespan": "PT1H"})
    assert set(world.rows[0][2]) <= set(LA_QUERY_LOGS.names)


def item(number: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number, "workspace": W1, "path": "/query", "method": "POST", "headers": {"Prefer": ""},
        "body": {"query": "T"},
    } | more  # fmt: skip


def test_a_batch_answers_every_item_by_its_id(world: World) -> None:
    requests = [
        item("a"),
        item("b", workspace="nowhere"),
        item("c", path="/other"),
        item("d", body={"query": "bad"}),
        item("e", body={}),
        item("f", method="GET", path="/query?query=T&timespan=PT1H", body=None),
        item("g", headers={"Prefer": "include-statistics=true"}),
    ]
    world.pool.script = lambda r: (
        QueryAnswer(outcome=Outcome.INVALID, mistakes=(mistake(),)) if r.text == "bad" else OK
    )
    answer = world.send("POST", "/v1/$batch", body={"requests": requests})
    assert answer.status == 200
    by_id = {r["id"]: r for r in answer.json()["responses"]}
    assert {i: r["status"] for i, r in by_id.items()} == {
        "a": 200, "b": 404, "c": 404, "d": 400, "e": 400, "f": 200, "g": 200,
    }  # fmt: skip
    assert by_id["a"]["body"]["tables"][0]["rows"] == [[1, "{}"], [2, None]]
    assert by_id["c"]["body"]["error"]["code"] == "PathNotFoundError"
    assert by_id["d"]["body"]["error"]["code"] == "BadArgumentError"
    assert "statistics" in by_id["g"]["body"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requests": []},
        {"requests": [{}]},
        {"requests": [item("a"), item("a")]},
        {"requests": [item("x")] * 101},
        "no",
    ],
)
def test_a_wrong_batch_fails_as_a_whole(world: World, body: Any) -> None:
    answer = world.send("POST", "/v1/$batch", body=body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, "BadArgumentError")
    assert world.pool.asked == []


def test_metadata_lists_tables_with_their_columns(world: World) -> None:
    rows = [
        ["T", "A table.", True, "TimeGenerated", "datetime", "When."],
        ["T", "A table.", True, "A", "string", "A."],
        ["U", "Other.", False, "TimeGenerated", "datetime", "When."],
    ]
    world.pool.script = lambda _: QueryAnswer(
        outcome=Outcome.OK, columns=SCHEMA_COLUMNS, row_count=3, rows=orjson.dumps(rows)[1:-1]
    )
    body = world.send("GET", f"/v1/workspaces/{W1}/metadata").json()
    assert world.pool.asked[0].describe
    assert [(t["name"], [c["name"] for c in t["columns"]]) for t in body["tables"]] == [
        ("T", ["TimeGenerated", "A"]),
        ("U", ["TimeGenerated"]),
    ]
    assert body["workspaces"][0]["related"]["tables"] == ["T", "U"]
    assert world.send("POST", f"/v1/workspaces/{W1}/metadata").json() == body
