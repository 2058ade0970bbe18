"""Kusto's management commands and request options, read."""

from __future__ import annotations

from typing import Any

import pytest

from aforo.errors import Invalid
from aforo.logs.kusto_commands import columns_of, command_of, mapping_of, options_of
from aforo.logs.kusto_options import Options
from aforo.logs.kusto_options import options_of as request_options
from aforo.logs.question import ROW_LIMIT, TimeRange


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        (".show databases", "databases", {}),
        (".show  databases  schema as json", "all_schemas_json", {}),
        (".show databases (['a b']) schema as json", "schema_json", {"db": "a b"}),
        ('.show database ["x"] schema as json', "schema_json", {"db": "x"}),
        (".show database x schema", "schema_table", {"db": "x"}),
        (".show schema as json", "schema_json", {}),
        (".SHOW TABLES", "tables", {}),
        (".show tables (A, ['B C'])", "tables", {"names": "A, ['B C']"}),
        (".show table ['T x'] cslschema", "table_script", {"table": "T x"}),
        (".show table T schema as json", "table_json", {"table": "T"}),
        (".show table T", "table_columns", {"table": "T"}),
        (".show function f", "functions", {"function": "f"}),
        ("// asked by an editor\n.show version ;", "version", {}),
        (".drop table T ifexists", "drop_table", {"table": "T", "ifexists": " ifexists"}),
        (
            ".create-or-alter function with (folder='F') f(a:long, b:string='}') { T | where x == '{' }",
            "function",
            {"function": "f", "parameters": "a:long, b:string='}'", "body": " T | where x == '{' ", "with": "folder='F'", "verb": "create-or-alter"},
        ),
        (
            ".create table T (a:long, ['b']:dynamic) with (docstring='x')",
            "table",
            {"table": "T", "columns": "a:long, ['b']:dynamic", "with": "docstring='x'", "verb": "create"},
        ),
    ],
)  # fmt: skip
def test_commands_are_known_by_their_form(text: str, name: str, found: dict[str, str]) -> None:
    command = command_of(text)
    assert (command.name, command.found, command.rest) == (name, found, "")


def test_a_show_may_go_on_with_a_query() -> None:
    command = command_of(".show tables | where TableName has '|' | count")
    assert (command.name, command.rest) == ("tables", "| where TableName has '|' | count")


@pytest.mark.parametrize(
    "text",
    [".show", ".show nothing", ".set T <| U", ".drop database x", ".create table T", ".show tables extra"],
)
def test_others_are_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        command_of(text)
    assert text.split("\n")[0][:20] in caught.value.message


def test_columns_options_and_mappings() -> None:
    assert columns_of("a:long, ['b c']: string,\n \"d\":date") == (
        ("a", "long"),
        ("b c", "string"),
        ("d", "datetime"),
    )
    assert options_of("docstring = 'a, b', folder=\"f\", skipvalidation=true") == {
        "docstring": "a, b", "folder": "f", "skipvalidation": "true",
    }  # fmt: skip
    assert mapping_of('\'[{"column":"a","Properties":{"Path":"$.x"}}]\'', "json") == [
        {"column": "a", "path": "$.x"}
    ]
    assert mapping_of('\'[{"Name":"a",\' \'"Ordinal":2}]\'', "csv") == [{"column": "a", "ordinal": 2}]
    assert mapping_of('```[{"column":"a","path":"$"}]```', "json") == [{"column": "a", "path": "$"}]
    for wrong in ("a", "a:nothing", "a:long,,"):
        with pytest.raises(Invalid):
            columns_of(wrong)
    for text, kind in (
        ("'x'", "json"),
        ("'[{}]'", "json"),
        ('\'[{"column":"a"}]\'', "csv"),
        ('\'[{"column":"a","path":"x"}]\'', "json"),
    ):
        with pytest.raises(Invalid):
            mapping_of(text, kind)


def asked(**options: Any) -> Options:
    return request_options({"properties": {"Options": options}})


def test_request_options() -> None:
    assert asked() == Options()
    assert asked(servertimeout="00:00:05").timeout_s == 5.0
    assert asked(truncationmaxrecords=10).row_limit == 10
    assert asked(truncationmaxrecords="10", notruncation=True).row_limit == ROW_LIMIT
    assert asked(truncationmaxrecords=10**9).row_limit == ROW_LIMIT
    assert asked(query_take_max_records=3).take == 3
    assert asked(query_now="datetime(2026-11-22T00:00:00Z)").now_us == 1795305600000000
    scoped = asked(query_datetimescope_from="2026-11-22", query_datetimescope_to="2026-11-23")
    assert scoped.timespan == TimeRange(1795305600000000, 1795392000000000 - 1)
    assert asked(results_v2_newlines_between_frames="true").newlines
    assert request_options({"properties": '{"Parameters":{"n":5}}'}).parameters == {"n": "5"}
    for wrong in (
        {"truncationmaxrecords": "many"},
        {"query_now": "later"},
        {"query_datetimescope_from": "2026-11-22", "query_datetimescope_column": "Timestamp"},
        {"servertimeout": "1h"},
    ):
        with pytest.raises(Invalid):
            asked(**wrong)
