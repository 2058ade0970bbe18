"""Kusto's REST API over a scripted pool, in the shapes that its clients and Grafana read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from aforo.errors import Denied
from aforo.identity.access import Principal
from aforo.logs.kusto_api import routes
from aforo.logs.question import SCHEMA_COLUMNS, Mistake, Outcome, QueryAnswer, QueryRequest, ResultColumn
from aforo.logs.reader import Workspace
from tests.support.asgi import Answer, call

W = Workspace("11111111-1111-1111-1111-111111111111", "law", "/subscriptions/s/law")
OTHER = Workspace("22222222-2222-2222-2222-222222222222", "law2", "/subscriptions/s/law2")
SCHEMA = [
    ["T", "A table.", True, "TimeGenerated", "datetime", "When."],
    ["T", "A table.", True, "n", "long", "Count."],
    ["U", "Other.", False, "TimeGenerated", "datetime", "When."],
]
OK = QueryAnswer(
    outcome=Outcome.OK,
    columns=(ResultColumn("a", "long"), ResultColumn("t", "datetime")),
    row_count=2,
    rows=b'[1,"2026-11-22T00:00:00Z"],[2,null]',
)


class World:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[QueryRequest] = []
        self.answer = OK
        self.rows: list[dict[str, Any]] = []
        self.workspaces = [W]
        self.readable = {(w.name, "ApiManagementGatewayLogs") for w in (W, OTHER)}
        self.app = Starlette(
            routes=routes(
                self,
                self.authenticate,
                lambda _principal, workspace, table: (workspace.name, table) in self.readable,
                lambda text: next((w for w in (W, OTHER) if text in (w.id, w.name)), None),
                lambda _workspace, _table, row: self.rows.append(row),
                workspaces=lambda: self.workspaces,
                login_endpoint="https://127.0.0.1:8443",
            )
        )

    async def authenticate(self, request: Request) -> Principal:
        if "authorization" not in request.headers:
            raise Denied("no token", authenticated=False)
        return Principal("oid", "cid", "somebody")

    async def query(self, request: QueryRequest) -> QueryAnswer:
        self.asked.append(request)
        if request.describe:
            return QueryAnswer(
                outcome=Outcome.OK, columns=SCHEMA_COLUMNS, row_count=3, rows=orjson.dumps(SCHEMA)[1:-1]
            )
        return self.answer

    def send(self, path: str, csl: str, *, token: bool = True, **body: Any) -> Answer:
        headers = {"x-ms-client-request-id": "KPC.execute;1"} | (
            {"authorization": "Bearer x"} if token else {}
        )
        sent = {"db": "law", "csl": csl} | body
        return asyncio.run(call(self.app, "POST", path, headers=headers, body=sent))

    def show(self, command: str, **body: Any) -> list[dict[str, Any]]:
        answer = self.send("/v1/rest/mgmt", command, **body)
        assert answer.status == 200, answer.body
        (table,) = answer.json()["Tables"]
        names = [c["ColumnName"] for c in table["Columns"]]
        assert all(c["DataType"] and c["ColumnType"] for c in table["Columns"])
        return [dict(zip(names, row, strict=True)) for row in table["Rows"]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_v2_answer_is_a_sequence_of_frames(world: World) -> None:
    answer = world.send("/v2/rest/query", "T | take 2")
    assert answer.status == 200
    assert answer.headers["x-ms-client-request-id"] == "KPC.execute;1"
    frames = answer.json()
    assert [f["FrameType"] for f in frames] == [
        "DataSetHeader",
        "DataTable",
        "DataTable",
        "DataTable",
        "DataSetCompletion",
    ]
    primary = frames[2]
    # The streaming reader of the Python client insists on this order.
    assert list(primary) == ["FrameType", "TableId", "TableKind", "TableName", "Columns", "Rows"]
    assert primary["TableKind"] == "PrimaryResult"
    assert primary["Columns"] == [
        {"ColumnName": "a", "ColumnType": "long"},
        {"ColumnName": "t", "ColumnType": "datetime"},
    ]
    assert primary["Rows"] == [[1, "2026-11-22T00:00:00Z"], [2, None]]
    assert frames[4] == {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False}


def test_a_v1_answer_has_its_rows_first_and_its_contents_last(world: World) -> None:
    table, properties, status, contents = world.send("/v1/rest/query", "T").json()["Tables"]
    assert orjson.loads(properties["Rows"][0][0])["Visualization"] is None
    assert status["Rows"][0][1:3] == [4, "Info"]
    assert [row[1:3] for row in contents["Rows"]] == [
        ["QueryResult", "PrimaryResult"],
        ["QueryProperties", "@ExtendedProperties"],
        ["QueryStatus", "QueryStatus"],
    ]
    assert table["Columns"][0] == {"ColumnName": "a", "DataType": "Int64", "ColumnType": "long"}
    assert table["Rows"] == [[1, "2026-11-22T00:00:00Z"], [2, None]]


def test_empty_answers_are_well_formed(world: World) -> None:
    world.answer = QueryAnswer(outcome=Outcome.OK, columns=OK.columns)
    assert world.send("/v2/rest/query", "T").json()[2]["Rows"] == []
    assert world.send("/v1/rest/query", "T").json()["Tables"][0]["Rows"] == []


def test_cut_rows_are_told_in_both_forms(world: World) -> None:
    world.answer = QueryAnswer(
        outcome=Outcome.OK, columns=OK.columns, row_count=1, rows=b'[1,""]', cut="rows"
    )
    completion = world.send("/v2/rest/query", "T").json()[-1]
    assert completion["HasErrors"]
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in completion["OneApiErrors"][0]["error"]["@message"]
    last = world.send("/v1/rest/query", "T").json()["Tables"][0]["Rows"][-1]
    assert "OneApiErrors" in last


@pytest.mark.parametrize(
    "properties",
    [
        '{"Options":{"servertimeout":"00:01:30"},"Parameters":{"n":"5","m":7}}',
        {"options": {"servertimeout": "00:01:30"}, "parameters": {"n": "5", "m": 7}},
    ],
)
def test_properties_come_as_text_or_object(world: World, properties: Any) -> None:
    world.send("/v2/rest/query", "T", properties=properties)
    assert world.asked[0].timeout_s == 90
    assert world.asked[0].parameters == {"n": "5", "m": "7"}


def test_mistakes_have_kustos_form(world: World) -> None:
    world.answer = QueryAnswer(
        outcome=Outcome.INVALID,
        mistakes=(
            Mistake(
                code="KQL0201", severity="error", message="there is no column 'x'", start=0, end=1, line=1, column=3, token="x"
            ),
        ),
    )  # fmt: skip
    answer = world.send("/v2/rest/query", "T | where x")
    error = answer.json()["error"]
    assert answer.status == 400
    assert error["code"] == "BadRequest_SemanticError"
    assert "Semantic error: SEM0100: there is no column 'x' [line:position=1:2]" in error["@message"]
    assert error["@context"]["clientRequestId"] == "KPC.execute;1"
    assert error["@permanent"] is True


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"db": "nowhere"}, 400, "nowhere"),
        ({"csl": ""}, 400, "csl"),
        ({"properties": "{"}, 400, "properties"),
        ({"properties": '{"Options":{"servertimeout":"soon"}}'}, 400, "servertimeout"),
    ],
)
def test_wrong_requests_say_what(world: World, body: dict[str, Any], status: int, words: str) -> None:
    answer = world.send("/v2/rest/query", **({"csl": "T"} | body))
    assert answer.status == status
    assert words in answer.json()["error"]["@message"]


def test_without_a_token_it_is_401(world: World) -> None:
    answer = world.send("/v2/rest/query", "T", token=False)
    assert answer.status == 401
    assert answer.json()["error"]["code"] == "Unauthorized"


def test_a_request_without_database_asks_the_only_one(world: World) -> None:
    assert world.send("/v2/rest/query", "T", db="").status == 200
    world.workspaces = [W, OTHER]
    answer = world.send("/v2/rest/query", "T", db=None)
    assert answer.status == 400
    assert "law, law2" in answer.json()["error"]["@message"]


def test_show_databases_and_tables(world: World) -> None:
    assert [r["DatabaseName"] for r in world.show(".show databases", db="NetDefaultDB")] == ["law"]
    assert [(r["TableName"], r["DocString"]) for r in world.show(".show tables")] == [
        ("T", "A table."),
        ("U", "Other."),
    ]
    assert world.show(".show functions") == []
    assert world.show(".show version")[0]["ServiceType"] == "Engine"


@pytest.mark.parametrize(
    "command",
    [
        ".show databases schema as json",
        ".show databases (['law']) schema as json",
        ".show database law schema as json",
        ".show database ['law'] schema as json",
        ".show schema as json",
    ],
)
def test_the_schema_as_json(world: World, command: str) -> None:
    (row,) = world.show(command)
    table = orjson.loads(row["DatabaseSchema"])["Databases"]["law"]["Tables"]["T"]
    assert [(c["Name"], c["CslType"], c["Type"]) for c in table["OrderedColumns"]] == [
        ("TimeGenerated", "datetime", "System.DateTime"),
        ("n", "long", "System.Int64"),
    ]


def test_the_schema_as_rows_and_of_one_table(world: World) -> None:
    rows = world.show(".show database law schema")
    assert [(r["TableName"], r["ColumnName"]) for r in rows] == [
        (None, None),
        ("T", None),
        ("T", "TimeGenerated"),
        ("T", "n"),
        ("U", None),
        ("U", "TimeGenerated"),
    ]
    assert world.show(".show table T cslschema")[0]["Schema"] == "TimeGenerated:datetime,n:long"


def test_grafana_sends_its_health_check_to_the_query_endpoint(world: World) -> None:
    answer = world.send("/v1/rest/query", ".show databases schema")
    assert answer.json()["Tables"][0]["Columns"][0]["ColumnName"] == "DatabaseName"


def test_other_commands_are_refused_by_name(world: World) -> None:
    answer = world.send("/v1/rest/mgmt", ".set-or-append T <| U")
    assert answer.status == 400
    assert ".set-or-append T" in answer.json()["error"]["@message"]
    assert ".show tables" in answer.json()["error"]["@message"]
    assert world.asked == []


def test_auth_metadata_has_the_six_keys(world: World) -> None:
    body = asyncio.run(call(world.app, "GET", "/v1/rest/auth/metadata")).json()
    assert set(body["AzureAD"]) == {
        "LoginEndpoint",
        "LoginMfaRequired",
        "KustoClientAppId",
        "KustoClientRedirectUri",
        "KustoServiceResourceId",
        "FirstPartyAuthorityUrl",
    }


def test_queries_are_audited(world: World) -> None:
    world.send("/v2/rest/query", "T | take 2")
    assert (world.rows[0]["QueryText"], world.rows[0]["ResponseRowCount"]) == ("T | take 2", 2)


def test_only_databases_of_which_one_may_read_something_are_shown(world: World) -> None:
    world.workspaces = [W, OTHER]
    assert [r["DatabaseName"] for r in world.show(".show databases")] == ["law", "law2"]
    world.readable = {("law2", "ApiManagementGatewayLogs")}
    assert [r["DatabaseName"] for r in world.show(".show databases")] == ["law2"]
    assert world.show(".show tables", db="")[0]["DatabaseName"] == "law2"
    world.readable = set()
    assert world.show(".show databases") == []
    assert world.show(".show version")[0]["ServiceType"] == "Engine"
    answer = world.send("/v1/rest/query", "T", db="")
    assert answer.status == 400
    assert "law" not in answer.json()["error"]["@message"]
