"""Content of calls, rows of others, custom tables and saved functions in one evaluation over stored tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from aforo.logs.evaluate import Evaluator
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest, SourceRows
from aforo.logs.versions import TableVersions
from aforo.tables.catalog import TABLES
from tests.support.stored_tables import write_rows

W = "11111111-1111-1111-1111-111111111111"
V = "22222222-2222-2222-2222-222222222222"
LOGS = "ApiManagementGatewayLogs"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
COLUMNS = {
    "TimeGenerated": "datetime", "ProductId": "string", "ResponseCode": "int", "RequestBody": "string",
    "BackendResponseBody": "string", "_BackendResponseBody_model": "string", "_BackendResponseBody_odd": "bool",
    "_ResourceId": "string", "TenantId": "string",
}  # fmt: skip
WITHHELD = {LOGS: TABLES[LOGS].content}


def row(product: str, workspace: str = W, odd: bool = False) -> dict[str, Any]:
    return {
        "TimeGenerated": NOW, "ProductId": product, "ResponseCode": 200, "RequestBody": "a secret",
        "BackendResponseBody": '{"model":"m"}', "_BackendResponseBody_model": None if odd else "m", "_BackendResponseBody_odd": odd,
        "_ResourceId": f"/s/{product}", "TenantId": workspace,
    }  # fmt: skip


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    root = tmp_path_factory.mktemp("tables")
    write_rows(root, W, LOGS, COLUMNS, [row("gold"), row("Silver")])
    write_rows(root, V, LOGS, COLUMNS, [row("gold", V), row("silver", V)])
    write_rows(root, V, LOGS, COLUMNS, [row("odd", V, odd=True)])
    return Evaluator(TableVersions(root), memory_bytes=1 << 29, threads=1)


def ask(evaluator: Evaluator, text: str, workspace: str = W, **more: Any) -> QueryAnswer:
    ids = more.pop("workspace_ids", (workspace,))
    return evaluator.answer(QueryRequest(workspace_ids=ids, text=text, now_us=1795305600000000, **more))


def rows(evaluator: Evaluator, text: str, workspace: str = W, **more: Any) -> Any:
    answer = ask(evaluator, text, workspace, **more)
    assert answer.outcome is Outcome.OK, answer
    return orjson.loads(b"[" + answer.rows + b"]")


def test_a_query_that_names_content_is_refused_with_its_place(evaluator: Evaluator) -> None:
    query = f"{LOGS} | where ResponseCode == 200 | project x = strlen(RequestBody)"
    answer = ask(evaluator, query, withheld=WITHHELD, withheld_action="the/action")
    (mistake,) = answer.errors
    assert mistake.code == "LOG0001"
    assert query[mistake.start : mistake.end] == "RequestBody"
    assert "the column RequestBody" in mistake.message
    assert "the/action" in mistake.message


def test_a_query_that_passes_it_on_goes_without(evaluator: Evaluator) -> None:
    answer = ask(evaluator, f"{LOGS} | take 1", withheld=WITHHELD)
    names = {c.name for c in answer.columns}
    assert "ResponseCode" in names
    assert not names & set(TABLES[LOGS].content)
    assert b"secret" not in answer.rows


def test_what_was_taken_out_of_bodies_may_be_read_unless_the_text_is_needed(evaluator: Evaluator) -> None:
    query = f"{LOGS} | extend m = tostring(parse_json(BackendResponseBody)['model']) | distinct m"
    assert rows(evaluator, query, withheld=WITHHELD) == [["m"]]
    # In a row of the other workspace the value has to be read from the text.
    assert rows(evaluator, query, V) == [["m"]]
    assert ask(evaluator, query, V, withheld=WITHHELD).outcome is Outcome.INVALID


def test_rows_of_others_are_not_there(evaluator: Evaluator) -> None:
    def seen(*alternatives: dict[str, str], workspace: str = W, **more: Any) -> Any:
        return rows(
            evaluator, f"{LOGS} | project ProductId", workspace, admitted={LOGS: alternatives}, **more
        )

    assert seen({"ProductId": "silver"}) == [["Silver"]]
    assert seen({"ProductId": "gold", "_ResourceId": "/S/GOLD"}) == [["gold"]]
    assert seen({"ProductId": "gold", "_ResourceId": "/s/other"}) == []
    assert sorted(seen({"ProductId": "gold"}, {"ProductId": "silver"})) == [["Silver"], ["gold"]]
    assert seen({"_ResourceId": "/s"}) == [["gold"], ["Silver"]]
    assert seen({"NoSuchColumn": "x"}) == []
    assert seen() == []
    both = seen({"TenantId": W}, {"TenantId": V, "ProductId": "gold"}, workspace_ids=(W, V))
    assert sorted(both) == [["Silver"], ["gold"], ["gold"]]


def test_a_filter_cannot_be_left(evaluator: Evaluator) -> None:
    only = {LOGS: ({"ProductId": "gold"},)}
    for query in (
        f"{LOGS} | count",
        f"union {LOGS}, {LOGS} | distinct ProductId | count",
        f"print toscalar({LOGS} | count)",
        f"let t = {LOGS}; t | join kind=fullouter t on ProductId | count",
        f"search in ({LOGS}) * | count",
        f"table('{LOGS}') | count",
    ):
        assert rows(evaluator, query, admitted=only) == [[1]], query


def test_declared_tables_and_saved_functions_are_there_at_once(evaluator: Evaluator) -> None:
    custom = {"New_CL": (("a", "long", "A number."), ("b", "dynamic", ""))}
    functions = {"some": "(n:long=1) { New_CL | where a > n }"}
    assert rows(evaluator, "New_CL | where a > 1", custom=custom) == []
    assert rows(evaluator, "some(5) | count", custom=custom, functions=functions) == [[0]]
    answer = ask(evaluator, "New_CL | where c == 1", custom=custom)
    assert answer.outcome is Outcome.INVALID
    described = rows(evaluator, "", custom=custom, describe=True)
    assert ["New_CL", "A custom table.", False, "a", "long", "A number."] in described


def test_a_query_over_rows_of_its_own_sees_nothing_else(evaluator: Evaluator) -> None:
    source = SourceRows((("a", "long"), ("d", "dynamic")), b'[[1,"\\"x\\""],[2,null]]')
    assert rows(evaluator, "source | where a > 0 | project a, d", source=source) == [[1, "x"], [2, None]]
    exact = SourceRows(source.columns, source.rows, exact=True)
    assert rows(evaluator, "source | project d, w = 1s, t = datetime(1970-01-01 00:00:01)", source=exact) == [
        ['"x"', 10_000_000, 1_000_000], [None, 10_000_000, 1_000_000],
    ]  # fmt: skip
    assert ask(evaluator, f"{LOGS} | count", source=source).outcome is Outcome.INVALID
