"""Queries that name further workspaces: which the question carries, and what the evaluator makes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from aforo.logs.evaluate import Evaluator
from aforo.logs.question import OtherWorkspace, Outcome, QueryAnswer, QueryRequest, TimeRange
from aforo.logs.versions import TableVersions
from tests.support.stored_tables import write_rows
from tests.unit.logs.test_api_query import QUERY, W1, W2, WORKSPACES, World

COLUMNS = {"TimeGenerated": "datetime", "Word": "string", "TenantId": "string"}
AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    root = tmp_path_factory.mktemp("tables")
    for workspace, word in ((W1, "one"), (W2, "two")):
        write_rows(
            root, workspace, "Words_CL", COLUMNS, [{"TimeGenerated": AT, "Word": word, "TenantId": workspace}]
        )
    write_rows(root, W2, "Only_CL", COLUMNS, [{"TimeGenerated": AT, "Word": "only", "TenantId": W2}])
    return Evaluator(TableVersions(root), memory_bytes=1 << 29, threads=1)


OTHER = OtherWorkspace(W2, ("law-two", W2), {"F": "() { Words_CL | project Word = strcat('f:', Word) }"})


def ask(evaluator: Evaluator, text: str, **more: Any) -> QueryAnswer:
    readable = more.pop("readable", {W1: ("Words_CL",), W2: ("Words_CL", "Only_CL")})
    request = QueryRequest(
        workspace_ids=(W1,), text=text, now_us=1795305600000000, names=("law-one", W1), others=(OTHER,),
        readable=readable, **more,
    )  # fmt: skip
    return evaluator.answer(request)


def words(evaluator: Evaluator, text: str, **more: Any) -> list[Any]:
    answer = ask(evaluator, text, **more)
    assert answer.outcome is Outcome.OK, answer
    return sorted(orjson.loads(b"[" + answer.rows + b"]"))


def test_tables_of_another_workspace_stand_beside_ones_own(evaluator: Evaluator) -> None:
    assert words(evaluator, "workspace('law-two').Words_CL | project Word") == [["two"]]
    assert words(evaluator, f"union workspace('{W2}').Words_CL, Words_CL | project Word") == [
        ["one"],
        ["two"],
    ]
    assert words(evaluator, "Words_CL | union workspace('LAW-TWO').Only_CL | project Word") == [
        ["one"],
        ["only"],
    ]
    text = "Words_CL | join kind=inner (workspace('law-two').Words_CL) on TimeGenerated | project Word, Word1"
    assert words(evaluator, text) == [["one", "two"]]
    assert words(evaluator, "workspace('law-one').Words_CL | project Word") == [["one"]]


def test_its_functions_read_its_tables(evaluator: Evaluator) -> None:
    assert words(evaluator, "workspace('law-two').F | union (Words_CL | project Word)") == [
        ["f:two"],
        ["one"],
    ]
    assert words(evaluator, "let f = () { workspace('law-two').Words_CL }; union f, Words_CL | project Word") == [
        ["one"], ["two"]
    ]  # fmt: skip


def test_wildcards_and_labels_tell_the_place(evaluator: Evaluator) -> None:
    text = "union withsource=at workspace('law-two').*, Words_CL | project at, Word"
    assert words(evaluator, text) == [
        ["Words_CL", "one"], ['workspace("law-two").Only_CL', "only"], ['workspace("law-two").Words_CL', "two"]
    ]  # fmt: skip
    # `*` alone means the tables of the place that is asked.
    assert words(evaluator, "union * | project Word") == [["one"]]
    assert words(evaluator, "search 'two'") == []


def test_times_rights_and_restrictions_hold_there_too(evaluator: Evaluator) -> None:
    text = "union Words_CL, workspace('law-two').Words_CL | project Word"
    assert words(evaluator, text, timespan=TimeRange(0, 1)) == []
    assert words(evaluator, text, admitted={f"{W2}/Words_CL": ({"TenantId": "nobody"},)}) == [["one"]]
    answer = ask(evaluator, "workspace('law-two').Only_CL", readable={W1: ("Words_CL",), W2: ("Words_CL",)})
    assert "Only_CL" in answer.errors[0].message
    answer = ask(evaluator, "restrict access to (Words_CL); workspace('law-two').Words_CL")
    assert "restrict access" in answer.errors[0].message
    text = "restrict access to (workspace('law-two').W*); workspace('law-two').Words_CL | project Word"
    assert words(evaluator, text) == [["two"]]


@pytest.mark.parametrize(
    "place", ["workspace('law-three')", "app('law-two')", "cluster('c').database('law-two')"]
)
def test_what_is_no_workspace_is_refused_by_name(evaluator: Evaluator, place: str) -> None:
    assert "another place" in ask(evaluator, f"{place}.Words_CL").errors[0].message


def test_the_question_carries_what_the_text_names(tmp_path: Path) -> None:
    world = World(tmp_path)
    for called in ("law-two", W2, WORKSPACES[1].resource_id):
        text = f"union AzureMetrics, workspace('{called}').AzureMetrics"
        assert world.send("POST", QUERY, body={"query": text}).status == 200
        (other,) = world.pool.asked[-1].others
        assert other.id == W2
        assert called in other.names
        assert "AzureMetrics" in (world.pool.asked[-1].readable or {})[W2]
        assert world.pool.asked[-1].workspace_ids == (W1,)
        # It is in the audit of both.
        assert {w for w, _, _ in world.rows[-2:]} == {W1, W2}


def test_what_may_not_be_read_is_not_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.readable = lambda workspace, _table: workspace == "law-one"
    world.send("POST", QUERY, body={"query": "workspace('law-two').AzureMetrics"})
    world.send("POST", QUERY, body={"query": "workspace('law-one').AzureMetrics | take 1"})
    assert [a.others for a in world.pool.asked] == [(), ()]


def test_content_is_withheld_there_too(evaluator: Evaluator) -> None:
    withheld = {"withheld": {f"{W2}/Words_CL": ("Word",)}, "withheld_action": "the/action"}
    answer = ask(evaluator, "workspace('law-two').Words_CL | where Word == 'two' | count", **withheld)
    assert "the/action" in answer.errors[0].message
    assert words(evaluator, "workspace('law-two').Words_CL | project-away TimeGenerated", **withheld) == [
        [W2]
    ]
    assert words(evaluator, "Words_CL | project Word", **withheld) == [["one"]]
